"""An energy composed with an affine map, U(x) = U_y(Wx + …) + c, and its properties from those of U_y.

    ∇²U = Wᵀ∇²U_y W,   ∫e^{−tU} dx = e^{−tc} ∫e^{−tU_y} dy / |det W|.

A log-Sobolev constant changes like a lower bound of the curvature: the map back is Lipschitz with 1/σ_min(W),
so C becomes at least C σ_min(W)².
"""

from abc import abstractmethod
from dataclasses import replace

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.energies.base import Energy
from lem_safe.energies.curvature import congruent, greatest
from lem_safe.energies.gaussian_sum import GaussianSum
from lem_safe.energies.growth import Growth
from lem_safe.energies.log_sobolev import Constant, greater
from lem_safe.energies.places import Places


class Affine(Energy):
    """A bijective affine map composed with another energy, `seen`; all its numbers float64 on the CPU."""

    @property
    def constant(self) -> float:
        """c, in nats."""
        return 0.0

    @property
    @abstractmethod
    def seen(self) -> Energy:
        """U_y, the energy after the map."""

    @abstractmethod
    def to_seen(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """y as a function of x."""

    @abstractmethod
    def from_seen(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """x as a function of y."""

    @abstractmethod
    def matrix_to_seen(self) -> Float[Tensor, "d d"] | None:
        """W; None for the identity."""

    @abstractmethod
    def of_seen(self, terms: GaussianSum) -> GaussianSum:
        """Terms over y converted to terms over x, without c."""

    @abstractmethod
    def around(self, energy: Energy) -> Energy:
        """The same map composed with another energy."""

    def terms(self) -> list[tuple[float, Energy]]:
        found = self.seen.terms()
        if len(found) == 1 and found[0][1] is self.seen:
            return [(1.0, self)]
        return [(weight, self.around(term)) for weight, term in found]

    def alternatives(self) -> list[tuple[float, Energy]]:
        return [(t, self.around(energy)) for t, energy in self.seen.alternatives()]

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        moved_only = self.matrix_to_seen() is None
        return self.seen.hessian_diagonal(self.to_seen(x)) if moved_only else super().hessian_diagonal(x)

    def places(self) -> list[Places]:
        if self.matrix_to_seen() is not None:
            return super().places()
        found = self.seen.places()
        moved = [self.from_seen(x.flatten(0, 1)).view_as(x) for x, _ in found]
        return [part._replace(points=x) for part, x in zip(found, moved, strict=True)]

    def parts(self) -> list[Energy]:
        return [self.around(part) for part in self.seen.parts()]

    def growth(self, x: Float[Tensor, "n d"]) -> Growth:
        return self.seen.growth(self.to_seen(x))

    def typical_points(self) -> Float[Tensor, "k d"]:
        return self.from_seen(self.seen.typical_points())

    def surely_integrable(self, t: float = 1.0) -> bool:
        return self.seen.surely_integrable(t)

    def exact_draws(self, generator: torch.Generator, n: int, t: float = 1.0) -> Float[Tensor, "n d"] | None:
        found = self.seen.exact_draws(generator, n, t)
        return None if found is None else self.from_seen(found)

    def gaussian_sum(self, t: float = 1.0) -> GaussianSum | None:
        found = self.seen.gaussian_sum(t)
        return None if found is None else self.of_seen(found).raised(t * self.constant)

    def log_integral(self, t: float = 1.0) -> float | None:
        found, W = self.seen.log_integral(t), self.matrix_to_seen()
        if found is None:
            return None
        log_det = 0.0 if W is None else float(torch.linalg.slogdet(W).logabsdet)
        return found - log_det - t * self.constant

    def curvature_floor(self) -> float | None:
        floor = self.seen.curvature_floor()
        return greatest(None if floor is None else self._through(floor), super().curvature_floor())

    def log_sobolev(self, t: float = 1.0) -> Constant | None:
        found = self.seen.log_sobolev(t)
        own = None if found is None else replace(found, value=self._through(found.value))
        return greater(super().log_sobolev(t), own)

    def _through(self, floor: float) -> float:
        W = self.matrix_to_seen()
        return floor if W is None else congruent(floor, W)


class Placed(Affine):
    """An energy over z as one over x = m + Lz."""

    coordinates: Coordinates

    def to_seen(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.coordinates.inverse(x)

    def from_seen(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return y if self.coordinates.identity else _offset(self.coordinates) + y @ _matrix(self.coordinates).T

    def matrix_to_seen(self) -> Float[Tensor, "d d"] | None:
        return None if self.coordinates.identity else self.coordinates.inverse_matrix.double().cpu()

    def of_seen(self, terms: GaussianSum) -> GaussianSum:
        W = self.matrix_to_seen()
        return terms if W is None else terms.linear(W).shifted(_offset(self.coordinates))


class Replaced(Affine):
    """An energy over x = m + Lz as one over z."""

    coordinates: Coordinates

    def to_seen(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.coordinates(x)

    def from_seen(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        if self.coordinates.identity:
            return y
        return (y - _offset(self.coordinates)) @ self.coordinates.inverse_matrix.double().cpu().T

    def matrix_to_seen(self) -> Float[Tensor, "d d"] | None:
        return None if self.coordinates.identity else _matrix(self.coordinates)

    def of_seen(self, terms: GaussianSum) -> GaussianSum:
        L = self.matrix_to_seen()
        return terms if L is None else terms.shifted(-_offset(self.coordinates)).linear(L)


def _offset(coordinates: Coordinates) -> Tensor:
    return coordinates.offset.double().cpu()


def _matrix(coordinates: Coordinates) -> Tensor:
    return coordinates.matrix.double().cpu()
