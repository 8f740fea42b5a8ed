"""An energy U in nats: ρ ∝ e^{−U} (E.1). A function of data units x; `in_coordinates` is the same energy over
sampler units z.

Every property of an energy that other code uses is a method here, with a default that is safe where the
property is
unknown: a new energy overrides it in its own file, and a composition computes it from its parts.

Changes of coordinates need second derivatives as tr(Vᵀ∇²U V), the Laplacian of y ↦ U(x + Vy); so `laplacian`
takes V, and a chain of affine maps, sums and mixtures keeps its closed form.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Float

from barriers import squares
from barriers.arrays import Tensor, nn, torch
from barriers.coordinates import Coordinates
from lem_safe.energies.gaussian_sum import GaussianSum, whole
from lem_safe.energies.growth import Growth
from lem_safe.energies.log_sobolev import Constant, bakry_emery
from lem_safe.energies.places import Places
from lem_safe.keys import Key

POINTS, MOST_POINTS = 64, 1024
"""The number of typical points of an energy with exact draws; the largest number for one part of a
composition.
"""


class Energy(nn.Module, ABC):
    """A scalar energy; every result has the dtype of x, whatever the dtype of the buffers.

    dimension: d.
    """

    dimension: int
    example: ClassVar[dict[str, object]]
    """A specification of a member in two dimensions, for the law tests."""
    codes: int = 0
    """How many of the last coordinates are codes: whole numbers, between which U jumps (E.23)."""
    valued: bool = True
    """Whether U is known, and not its gradient alone; of the energy itself, apart from its parts."""
    estimate: str | None = None
    """How `laplacian` is estimated, in words; None where it is exact for the energy itself, apart from its
    parts.
    """

    @property
    def laplacian_method(self) -> str:
        """`exact`, or the estimates that ΔU uses, its own and those of its parts: `Hutchinson, 32 probes`."""
        found = {
            part.estimate for part in self.modules() if isinstance(part, Energy) and part.estimate is not None
        }
        return "; ".join(sorted(found)) or "exact"

    @property
    def has_values(self) -> bool:
        """Whether U is known; where only −∇U is, as of a score, whatever needs U refuses by name."""
        return all(part.valued for part in self.modules() if isinstance(part, Energy))

    # Values

    @abstractmethod
    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """U(x) in nats, up to a constant; differentiable."""

    @abstractmethod
    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        """U(x) and ∇U(x), detached, in one pass; no parameter gradient is computed."""

    def gradient_alone(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """∇U(x), as by `value_and_gradient` up to rounding, where nobody asks for U."""
        return self.value_and_gradient(x)[1]

    @abstractmethod
    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        """ΔU(x), by `laplacian_method`; with `directions` V, tr(Vᵀ∇²U V): the sum of the second derivatives
        along V's columns.
        """

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """∂²U/∂x_j² at x for every column j, as accurate as `laplacian` is."""
        axes = torch.eye(self.dimension, dtype=x.dtype, device=x.device)
        return torch.stack([self.laplacian(x, axes[:, j : j + 1]) for j in range(self.dimension)], 1)

    # Its structure

    def terms(self) -> list[tuple[float, "Energy"]]:
        """U = Σ weight · term up to a constant, with nested sums expanded; the energy itself where it is not
        a sum.
        """
        return [(1.0, self)]

    def alternatives(self) -> list[tuple[float, "Energy"]]:
        """e^{−U} as a mixture of e^{−t·U_i}, each with its mass in one place: pairs (t, U_i), t > 0; the
        energy itself where it is not a mixture.
        """
        return [(1.0, self)]

    def parts(self) -> list["Energy"]:
        """The energies that this one consists of, over the same x where possible."""
        children = list(self.children())
        held = [m for child in children if isinstance(child, nn.ModuleList) for m in child]
        return [part for part in (*children, *held) if isinstance(part, Energy)]

    # Its mass and its tails

    def growth(self, x: Float[Tensor, "n d"]) -> Growth:
        """The positive and the negative part of U at x, float64; far out only the fastest growing terms are
        included.
        """
        return Growth.of_one(self(x))

    def typical_points(self) -> Float[Tensor, "k d"]:
        """Some points near the mass of each term, float64, on the CPU: draws where these are possible, else
        its centre.
        """
        return torch.zeros(1, self.dimension, dtype=torch.float64)

    def places(self) -> list[Places]:
        """The typical points of each of `alternatives`, and how sharply t·U_i bends there; parts with equally
        many points may be together.
        """
        return [_places(t, part) for t, part in self.alternatives()]

    def surely_integrable(self, t: float = 1.0) -> bool:
        """Whether the form alone shows that ∫e^{−tU} is finite, t > 0, as a known value does; False where it
        must be examined.
        """
        return self.log_integral(t) is not None

    def exact_draws(self, generator: torch.Generator, n: int, t: float = 1.0) -> Float[Tensor, "n d"] | None:
        """n independent draws from e^{−tU}/Z, float64, on the CPU; None where no exact method is known."""
        terms = self.gaussian_sum(t)
        return None if terms is None else terms.draws(generator, n)

    # Closed forms

    def gaussian_sum(self, t: float = 1.0) -> GaussianSum | None:
        """The terms of e^{−tU} where these are Gaussian (O.6), any t; None otherwise."""
        return None

    def log_integral(self, t: float = 1.0) -> float | None:
        """log ∫e^{−tU} (O.6), t > 0; None where unknown or infinite."""
        terms = self.gaussian_sum(t)
        return None if terms is None else terms.log_integral()

    def curvature_floor(self) -> float | None:
        """The largest known κ with ∇²U ⪰ κI everywhere (L.2), possibly negative; None where the form gives
        none.
        """
        terms = self.gaussian_sum()
        return None if terms is None else terms.curvature_floor()

    def log_sobolev(self, t: float = 1.0) -> Constant | None:
        """The best constant of e^{−tU} that a theorem gives for the form (L.2), t > 0; None where none
        applies.
        """
        floor = self.curvature_floor()
        return bakry_emery(None if floor is None else t * floor)

    # In other coordinates

    def unwrapped(self, coordinates: Coordinates) -> "Energy | None":
        """This energy over z, x = x(z), where there is a shorter form than through the map;
        None otherwise.
        """
        return None


class Tractable(Energy):
    """A normalised energy with exact draws: log Z = 0."""

    @abstractmethod
    def sample(self, generator: torch.Generator, n: int) -> Float[Tensor, "n d"]:
        """n independent draws from e^{−U}/Z, float64, on the CPU."""

    def typical_points(self) -> Float[Tensor, "k d"]:
        return self.sample(_points(), POINTS)

    def surely_integrable(self, t: float = 1.0) -> bool:
        return whole(t) == 1

    def exact_draws(self, generator: torch.Generator, n: int, t: float = 1.0) -> Float[Tensor, "n d"] | None:
        return self.sample(generator, n) if whole(t) == 1 else super().exact_draws(generator, n, t)

    def log_integral(self, t: float = 1.0) -> float | None:
        return 0.0 if whole(t) == 1 else super().log_integral(t)


def standard_points(dimension: int) -> Float[Tensor, "k d"]:
    """The draws from N(0, I) that the typical points of a normal distribution are made of."""
    return torch.randn(POINTS, dimension, generator=_points(), dtype=torch.float64)


def _points() -> torch.Generator:
    return Key(0).fold("points").generator()


def _places(t: float, energy: Energy) -> Places:
    """The typical points of e^{−tU}, as of one part."""
    x = energy.typical_points()
    try:
        return Places(x[None], t * energy.hessian_diagonal(x)[None])
    except ValueError:  # contains a disjunction, which has no values before it is aligned
        return Places(x[None], None)


def points_of_all(energies: Sequence[Energy]) -> Float[Tensor, "k d"]:
    """Typical points of several energies, the same number of each."""
    each = [energy.typical_points() for energy in energies]
    if len(each) == 1:
        return each[0]
    n = min(max(POINTS, *(len(points) for points in each)), MOST_POINTS)
    return torch.cat([_evenly(points, n) for points in each])


def _evenly(points: Tensor, n: int) -> Tensor:
    """n evenly spaced rows; repeated where there are fewer."""
    k = len(points)
    return points[torch.arange(n) % k if k <= n else torch.linspace(0, k - 1, n).long()]


def squared_norm(
    matrix: Float[Tensor, "*k d"], directions: Float[Tensor, "d r"] | None = None
) -> Float[Tensor, "*k"]:
    """‖Vᵀa‖² for every row a of `matrix`, and ‖a‖² where V is None; of one axis, in a column's time."""
    if directions is not None and directions.shape[1] == 1 and int(directions.count_nonzero()) == 1:
        j = int(directions.abs().argmax())
        return (matrix[..., j] * directions[j, 0].to(matrix.dtype)).square()
    return squares.squared_norm(matrix if directions is None else matrix @ directions.to(matrix.dtype))
