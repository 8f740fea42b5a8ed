"""One energy, adjusted: at another temperature V/ε (E.1), shifted U(x − s), or tilted by e^{a·x}."""

from typing import Annotated, ClassVar

from annotated_types import Gt, MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.energies.affine import Affine
from lem_safe.energies.base import Energy
from lem_safe.energies.composed import common_dimension
from lem_safe.energies.gaussian_sum import GaussianSum
from lem_safe.energies.growth import Growth
from lem_safe.energies.log_sobolev import Constant
from lem_safe.energies.numbers import positive, vector
from lem_safe.energies.places import Places
from lem_safe.energies.pulled import in_coordinates
from lem_safe.energies.weighted import Weighted

BASE: dict[str, object] = {"kind": "gaussian_mixture", "means": [[1.0, 0.2], [-0.9, 0.0]], "std": 0.7}


class Tempered(Weighted):
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

    def weighted(self) -> list[tuple[float, Energy]]:
        return [(1 / self.temperature, self.energy)]

    def unwrapped(self, coordinates: Coordinates) -> Energy | None:
        return Tempered(in_coordinates(self.energy, coordinates), self.temperature)


class Shifted(Affine):
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

    @property
    def seen(self) -> Energy:
        return self.energy

    def to_seen(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return x - self.shift.to(x.dtype)

    def from_seen(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return y + self.shift.double().cpu()

    def matrix_to_seen(self) -> None:
        return None

    def of_seen(self, terms: GaussianSum) -> GaussianSum:
        return terms.shifted(self.shift.double().cpu())

    def around(self, energy: Energy) -> "Shifted":
        return Shifted(energy, self.shift.tolist())


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

    def terms(self) -> list[tuple[float, Energy]]:
        """The terms, with the tilt on the largest one."""
        found = self.energy.terms()
        k = max(range(len(found)), key=lambda i: found[i][0])
        weight, term = found[k]
        if term is self.energy or weight <= 0:
            return [(1.0, self)]
        return [*found[:k], (weight, self._tilting(term, weight)), *found[k + 1 :]]

    def alternatives(self) -> list[tuple[float, Energy]]:
        return [(t, self._tilting(part, t)) for t, part in self.energy.alternatives()]

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.energy.hessian_diagonal(x)

    def places(self) -> list[Places]:
        return self.energy.places()

    def parts(self) -> list[Energy]:
        return [self._tilting(part, 1.0) for part in self.energy.parts()]

    def growth(self, x: Float[Tensor, "n d"]) -> Growth:
        part, pull = self.energy.growth(x), x @ self.tilt.to(x.dtype)
        return Growth(part.up + (-pull).clamp(min=0), part.down + pull.clamp(min=0))

    def typical_points(self) -> Float[Tensor, "k d"]:
        return self.energy.typical_points()

    def surely_integrable(self, t: float = 1.0) -> bool:
        return self.energy.surely_integrable(t) if self._level else super().surely_integrable(t)

    def exact_draws(self, generator: torch.Generator, n: int, t: float = 1.0) -> Float[Tensor, "n d"] | None:
        if self._level:
            return self.energy.exact_draws(generator, n, t)
        return super().exact_draws(generator, n, t)

    def gaussian_sum(self, t: float = 1.0) -> GaussianSum | None:
        found = self.energy.gaussian_sum(t)
        return None if found is None else found._replace(b=found.b + t * self.tilt.double().cpu())

    def log_integral(self, t: float = 1.0) -> float | None:
        return self.energy.log_integral(t) if self._level else super().log_integral(t)

    def curvature_floor(self) -> float | None:
        return self.energy.curvature_floor()

    def log_sobolev(self, t: float = 1.0) -> Constant | None:
        return self.energy.log_sobolev(t) if self._level else super().log_sobolev(t)

    @property
    def _level(self) -> bool:
        return not bool(self.tilt.any())

    def _tilting(self, energy: Energy, weight: float) -> "Tilted":
        """The same tilt of an energy with this weight."""
        return Tilted(energy, (self.tilt.double() / weight).tolist())


def _fitting(owner: str, name: str, values: list[float] | Tensor, dimension: int) -> Tensor:
    tensor = vector(owner, name, values)
    if tensor.shape[0] != dimension:
        raise ValueError(f"{owner}: {name} must have one number a column: {dimension}; got {tensor.shape[0]}")
    return tensor
