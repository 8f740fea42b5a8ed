"""One energy, adjusted: at another temperature V/ε (E.1), moved to another place U(x − s), tilted by
e^{a·x}.
"""

from typing import Annotated, ClassVar

from annotated_types import Gt, MinLen
from jaxtyping import Float
from torch import Tensor
from typing_extensions import Doc

from lem_safe.energies.base import Energy
from lem_safe.energies.composed import common_dimension
from lem_safe.energies.numbers import positive, vector

BASE: dict[str, object] = {"kind": "gaussian_mixture", "means": [[1.0, 0.2], [-0.9, 0.0]], "std": 0.7}


class Tempered(Energy):
    """V/ε: an energy V that was trained or published at temperature ε, converted to nats; ε > 1 flattens, ε <
    1 sharpens.
    """

    example: ClassVar[dict[str, object]] = {"kind": "tempered", "energy": BASE, "temperature": 1.4}

    def __init__(
        self,
        energy: Annotated[Energy, Doc("V, the energy that is divided by ε.")],
        temperature: Annotated[float, Gt(0), Doc("ε, in the units of V.")],
    ):
        super().__init__()
        self.energy, self.dimension = energy, common_dimension("Tempered", [energy])
        self.temperature = positive("Tempered", "temperature", temperature)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.energy(x) / self.temperature

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        value, gradient = self.energy.value_and_gradient(x)
        return value / self.temperature, gradient / self.temperature

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        return self.energy.laplacian(x, directions) / self.temperature


class Shifted(Energy):
    """U(x − s): the same distribution, moved by s."""

    example: ClassVar[dict[str, object]] = {"kind": "shifted", "energy": BASE, "shift": [0.5, -0.3]}
    shift: Tensor

    def __init__(
        self,
        energy: Annotated[Energy, Doc("The energy that is shifted.")],
        shift: Annotated[list[float], MinLen(1), Doc("s, the shift, one number per column.")],
    ):
        super().__init__()
        self.energy, self.dimension = energy, common_dimension("Shifted", [energy])
        self.register_buffer("shift", _fitting("Shifted", "shift", shift, self.dimension))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.energy(x - self.shift.to(x.dtype))

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        return self.energy.value_and_gradient(x - self.shift.to(x.dtype))

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        return self.energy.laplacian(x - self.shift.to(x.dtype), directions)


class Tilted(Energy):
    """U(x) − a·x: the density e^{−U} times e^{a·x}, which moves mass in the direction a; integrable only if U
    grows faster than a·x.
    """

    example: ClassVar[dict[str, object]] = {"kind": "tilted", "energy": BASE, "tilt": [0.4, 0.8]}
    tilt: Tensor

    def __init__(
        self,
        energy: Annotated[Energy, Doc("The energy that is tilted.")],
        tilt: Annotated[list[float], MinLen(1), Doc("a, one number per column, in nats per unit.")],
    ):
        super().__init__()
        self.energy, self.dimension = energy, common_dimension("Tilted", [energy])
        self.register_buffer("tilt", _fitting("Tilted", "tilt", tilt, self.dimension))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.energy(x) - x @ self.tilt.to(x.dtype)

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        value, gradient = self.energy.value_and_gradient(x)
        tilt = self.tilt.to(x.dtype)
        return value - x.detach() @ tilt, gradient - tilt

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        return self.energy.laplacian(x, directions)


def _fitting(owner: str, name: str, values: list[float] | Tensor, dimension: int) -> Tensor:
    tensor = vector(owner, name, values)
    if tensor.shape[0] != dimension:
        raise ValueError(f"{owner}: {name} must have one number a column: {dimension}; got {tensor.shape[0]}")
    return tensor
