"""Weighted sums of energies: their properties from those of their terms, in one place for every sum.

∇²U = Σ w_i∇²U_i ⪰ Σ w_iκ_i where no weight is negative;   a single term is e^{−wU} for every property.
"""

from abc import abstractmethod
from collections.abc import Sequence

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy, points_of_all
from lem_safe.energies.curvature import greatest
from lem_safe.energies.gaussian_sum import GaussianSum
from lem_safe.energies.growth import Growth
from lem_safe.energies.log_sobolev import Constant, greater
from lem_safe.energies.places import Places


class Weighted(Energy):
    """U = Σ w_i U_i."""

    @abstractmethod
    def weighted(self) -> Sequence[tuple[float, Energy]]:
        """Nonzero weights with their energies; empty where U = 0."""

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        each = [w * energy.hessian_diagonal(x) for w, energy in self.weighted()]
        return torch.stack(each).sum(0) if each else torch.zeros_like(x)

    def terms(self) -> list[tuple[float, Energy]]:
        return [(w * v, term) for w, energy in self.weighted() for v, term in energy.terms()]

    def alternatives(self) -> list[tuple[float, Energy]]:
        match self.weighted():
            case [(w, energy)] if w > 0:
                return [(w * t, part) for t, part in energy.alternatives()]
            case _:
                return super().alternatives()

    def places(self) -> list[Places]:
        match self.weighted():
            case [(w, energy)] if w > 0:
                return [part.times(w) for part in energy.places()]
            case _:
                return super().places()

    def growth(self, x: Float[Tensor, "n d"]) -> Growth:
        up = down = torch.zeros_like(x[:, 0])
        for w, energy in self.weighted():
            part = energy.growth(x).times(w)
            up, down = up + part.up, down + part.down
        return Growth(up, down)

    def typical_points(self) -> Float[Tensor, "k d"]:
        each = [energy for _, energy in self.weighted()]
        return points_of_all(each) if each else super().typical_points()

    def surely_integrable(self, t: float = 1.0) -> bool:
        match self.weighted():
            case [(w, energy)] if w > 0:
                return energy.surely_integrable(t * w)
            case _:
                return super().surely_integrable(t)

    def exact_draws(self, generator: torch.Generator, n: int, t: float = 1.0) -> Float[Tensor, "n d"] | None:
        match self.weighted():
            case [(w, energy)] if w > 0:
                return energy.exact_draws(generator, n, t * w)
            case _:
                return super().exact_draws(generator, n, t)

    def gaussian_sum(self, t: float = 1.0) -> GaussianSum | None:
        found: GaussianSum | None = None
        for k, (w, energy) in enumerate(self.weighted()):
            part = energy.gaussian_sum(t * w)
            if part is None or (k and found is None):
                return None
            found = part if found is None else found.times(part)
        return found

    def log_integral(self, t: float = 1.0) -> float | None:
        match self.weighted():
            case [(w, energy)] if w > 0:
                return energy.log_integral(t * w)
            case _:
                return super().log_integral(t)

    def curvature_floor(self) -> float | None:
        each = [(w, energy.curvature_floor()) for w, energy in self.weighted()]
        total: float | None = 0.0
        for w, floor in each:
            total = None if total is None or floor is None or w < 0 else total + w * floor
        return greatest(total, super().curvature_floor())

    def log_sobolev(self, t: float = 1.0) -> Constant | None:
        match self.weighted():
            case [(w, energy)] if w > 0:
                return greater(energy.log_sobolev(t * w), super().log_sobolev(t))
            case _:
                return super().log_sobolev(t)
