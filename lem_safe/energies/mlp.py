"""Network settings: a scenario's specification of a network, and the energy built from it for a number of
columns.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.kinds import Entry, Kinds
from lem_safe.energies.activations import ACTIVATIONS
from lem_safe.energies.fourier import FourierTrunk
from lem_safe.energies.network import Confined, Trainable
from lem_safe.energies.numbers import positive
from lem_safe.energies.residual import ResidualTrunk
from lem_safe.energies.trunk import Perceptron, Trunk

Activation = Annotated[Literal["silu", "softplus", "tanh"], Doc("The nonlinearity.")]
Confinement = Annotated[float, Gt(0), Doc("κ, in whitened coordinates: 1 is the pull of a standard normal.")]


class Network(ABC):
    """Settings of a trainable energy."""

    kind: ClassVar[str]
    example: ClassVar[dict[str, object]]
    whitens: ClassVar[bool] = True
    """Whether the data are whitened first; images are not, as their pixels share one scale and their order is
    meaningful.
    """

    @abstractmethod
    def build(self, dimension: int, generator: torch.Generator) -> Trainable:
        """A freshly initialised energy over `dimension` whitened coordinates, float32."""

    fitted: ClassVar[bool] = False
    """Whether a part of it is fitted to the rows before training, by `begun`."""

    def begun(self, energy: Trainable, rows: Float[Tensor, "n d"], seed: int) -> Trainable:
        """A new energy with its untrained parts fitted to whitened rows of the distribution that the loss
        targets.
        """
        return energy

    def must_fit(self, dimension: int) -> None:
        """Raises SpecificationError where this network cannot take this number of columns; most take any."""
        return


class Dense(Network):
    """Settings of a trunk over columns without an order, confined; Fourier features can be put before it."""

    confinement: float

    @abstractmethod
    def trunk(self, inputs: int, generator: torch.Generator) -> Trunk:
        """A freshly initialised trunk, float32, unconfined."""


def refuse(name: str, hidden: int, depth: int, activation: str) -> None:
    """Raises ValueError for a width, a depth or an activation that is invalid for a dense network."""
    if hidden < 1 or depth < 1:
        raise ValueError(f"{name}: hidden and depth must be >= 1; got {hidden} and {depth}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"{name}: activation must be one of {', '.join(ACTIVATIONS)}; got {activation!r}")


def _dense(network: Network) -> Dense:
    if isinstance(network, Dense):
        return network
    raise ValueError(f"Fourier: network must be mlp or residual; got {network.kind}")


@dataclass(frozen=True)
class MLP(Dense):
    """A multilayer perceptron with an explicit confining term, U = net(z) + ½κ‖z‖² (E.4)."""

    kind: ClassVar[str] = "mlp"
    example: ClassVar[dict[str, object]] = {"kind": "mlp", "hidden": 16, "depth": 2}

    hidden: Annotated[int, Ge(1), Doc("The number of units in each hidden layer.")] = 64
    depth: Annotated[int, Ge(1), Doc("The number of hidden layers.")] = 3
    activation: Activation = "silu"
    confinement: Confinement = 0.1

    def __post_init__(self) -> None:
        refuse("MLP", self.hidden, self.depth, self.activation)
        positive("MLP", "confinement", self.confinement)

    def trunk(self, inputs: int, generator: torch.Generator) -> Trunk:
        return Perceptron([inputs] + [self.hidden] * self.depth, self.activation, generator)

    def build(self, dimension: int, generator: torch.Generator) -> Trainable:
        return Confined(self.trunk(dimension, generator), self.confinement)


@dataclass(frozen=True)
class Residual(Dense):
    """A residual network of width `hidden`, with the same confining term (E.4)."""

    kind: ClassVar[str] = "residual"
    example: ClassVar[dict[str, object]] = {"kind": "residual", "hidden": 16, "depth": 2}

    hidden: Annotated[
        int, Ge(1), Doc("The width of the residual stream, and the number of units in each block.")
    ] = 64
    depth: Annotated[int, Ge(1), Doc("The number of residual blocks.")] = 3
    activation: Activation = "silu"
    confinement: Confinement = 0.1

    def __post_init__(self) -> None:
        refuse("Residual", self.hidden, self.depth, self.activation)
        positive("Residual", "confinement", self.confinement)

    def trunk(self, inputs: int, generator: torch.Generator) -> Trunk:
        return ResidualTrunk(inputs, self.hidden, self.depth, self.activation, generator)

    def build(self, dimension: int, generator: torch.Generator) -> Trainable:
        return Confined(self.trunk(dimension, generator), self.confinement)


@dataclass(frozen=True)
class Fourier(Network):
    """Fourier features in front of another network, which keeps its confining term; the frequencies are drawn
    from the seed.
    """

    kind: ClassVar[str] = "fourier"
    example: ClassVar[dict[str, object]] = {
        "kind": "fourier",
        "count": 8,
        "network": {"kind": "mlp", "hidden": 16, "depth": 2},
    }

    count: Annotated[int, Ge(1), Doc("The number of frequencies; each gives a cosine and a sine.")] = 32
    bandwidth: Annotated[
        float,
        Gt(0),
        Doc(
            "The standard deviation of the frequencies, in radians per whitened unit: they "
            "resolve detail of size 1/bandwidth."
        ),
    ] = 4.0
    network: Annotated[Network, Doc("The network that receives the features: mlp or residual.")] = MLP()

    def __post_init__(self) -> None:
        positive("Fourier", "bandwidth", self.bandwidth)
        if self.count < 1:
            raise ValueError(f"Fourier: count must be >= 1; got {self.count}")
        _dense(self.network)

    def build(self, dimension: int, generator: torch.Generator) -> Trainable:
        inner, B = (
            _dense(self.network),
            self.bandwidth * torch.randn(self.count, dimension, generator=generator),
        )
        return Confined(
            FourierTrunk(inner.trunk(dimension + 2 * self.count, generator), B), inner.confinement
        )


NETWORKS: Kinds[Entry] = Kinds(
    "network", Entry, {"mlp": MLP, "residual": Residual, "fourier": Fourier}, base=Network, default="mlp"
)
"""Every network a scenario can name by `kind`; the default is `mlp`."""
