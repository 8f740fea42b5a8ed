"""Network settings: what a scenario says about a network, and the energy it makes for a given number of columns."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from typing_extensions import Doc

from lem_safe.energies.activations import ACTIVATIONS
from lem_safe.energies.network import NetworkEnergy, Trainable
from lem_safe.energies.numbers import positive


class Network(ABC):
    """Settings of a trainable energy."""

    kind: ClassVar[str]
    example: ClassVar[dict[str, object]]

    @abstractmethod
    def build(self, dimension: int, generator: torch.Generator) -> Trainable:
        """A freshly initialised energy over `dimension` whitened coordinates, float32."""


@dataclass(frozen=True)
class MLP(Network):
    """A multilayer perceptron with an explicit confining term, U = net(z) + ½κ‖z‖² (E.4)."""

    kind: ClassVar[str] = "mlp"
    example: ClassVar[dict[str, object]] = {"kind": "mlp", "hidden": 16, "depth": 2}

    hidden: Annotated[int, Ge(1), Doc("Units in each hidden layer.")] = 64
    depth: Annotated[int, Ge(1), Doc("Hidden layers.")] = 3
    activation: Annotated[Literal["silu", "softplus", "tanh"], Doc("The nonlinearity.")] = "silu"
    confinement: Annotated[float, Gt(0), Doc("κ, in whitened coordinates: 1 is the pull of a standard normal.")] = 0.1

    def __post_init__(self) -> None:
        positive("MLP", "confinement", self.confinement)
        if self.hidden < 1 or self.depth < 1:
            raise ValueError(f"MLP: hidden and depth must be >= 1; got {self.hidden} and {self.depth}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"MLP: activation must be one of {', '.join(ACTIVATIONS)}; got {self.activation!r}")

    def build(self, dimension: int, generator: torch.Generator) -> Trainable:
        return NetworkEnergy([dimension] + [self.hidden] * self.depth, self.activation, self.confinement, generator)


NETWORKS: dict[str, type[Network]] = {"mlp": MLP}
"""Every network a scenario can name by `kind`; the default is `mlp`."""
