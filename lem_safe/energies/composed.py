"""Sums of energies: U = Σ w_i U_i, with ∇U = Σ w_i∇U_i and ΔU = Σ w_iΔU_i (C.1, C.2).

With weights 1 this is the conjunction U_A + U_B; U₊ − λU₋ is the negation, used by `penalties:`.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Annotated, ClassVar

from annotated_types import MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.derivatives import Scalar
from barriers.members import Members
from lem_safe.energies.base import Energy
from lem_safe.energies.numbers import finite
from lem_safe.energies.pulled import in_coordinates
from lem_safe.energies.weighted import Weighted


class Combination(Weighted):
    """Σ w_i U_i: the base of the sums below."""

    def __init__(self, energies: Sequence[Energy], weights: Sequence[float]):
        super().__init__()
        owner = type(self).__name__
        self.dimension = common_dimension(owner, energies)
        if len(weights) != len(energies):
            raise ValueError(f"{owner}: needs one weight an energy: {len(energies)}; got {len(weights)}")
        self.weights = tuple(finite(owner, "a weight", w) for w in weights)
        self.energies = Members(energies)

    def members(self) -> list[Energy]:
        """The energies as given, including those of weight 0."""
        return list(self.energies)

    def weighted(self) -> list[tuple[float, Energy]]:
        return [(float(w), term) for w, term in zip(self.weights, self.members(), strict=True) if w != 0]

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return _sum((w * term(x) for w, term in self._pairs()), x[:, 0])

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        found = [(w, *term.value_and_gradient(x)) for w, term in self._pairs()]
        return (
            _sum((w * value for w, value, _ in found), x.detach()[:, 0]),
            _sum((w * gradient for w, _, gradient in found), x.detach()),
        )

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        return _sum((w * term.laplacian(x, directions) for w, term in self._pairs()), x[:, 0])

    def _pairs(self) -> list[tuple[Scalar, Energy]]:
        """Weights as given, so that derivatives flow to a tensor, with their energies; without weights that
        are the number 0.
        """
        pairs = zip(self.weights, self.members(), strict=True)
        return [(w, term) for w, term in pairs if isinstance(w, Tensor) or w != 0]

    def unwrapped(self, coordinates: Coordinates) -> Energy | None:
        each = [in_coordinates(term, coordinates) for term in self.members()]
        return WeightedSum(each, list(self.weights))


class WeightedSum(Combination):
    """Σ weight · energy. A negative weight repels samples, and may leave nothing that can be normalised and
    sampled (C.4).
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "composed",
        "energies": [
            {"kind": "gaussian", "mean": [0.0, 0.0], "std": 1.2},
            {"kind": "ring", "center": [0.0, 0.0], "radius": 1.0, "std": 0.6},
            {"kind": "gaussian", "mean": [1.0, 0.0], "std": 1.5},
        ],
        "weights": [1.0, 0.5, -0.3],
    }

    def __init__(
        self,
        energies: Annotated[list[Energy], MinLen(1), Doc("The energies that are summed.")],
        weights: Annotated[list[float] | None, Doc("One weight per energy; 1 by default.")] = None,
    ):
        super().__init__(energies, [1.0] * len(energies) if weights is None else weights)


class Conjunction(Combination):
    """U_A + U_B + …: the product of the densities; samples lie where all of them are high."""

    example: ClassVar[dict[str, object]] = {
        "kind": "conjunction",
        "energies": [
            {"kind": "ring", "center": [0.0, 0.0], "radius": 1.5, "std": 0.5},
            {"kind": "gaussian", "mean": [1.0, 0.5], "std": 1.0},
        ],
    }

    def __init__(
        self,
        energies: Annotated[
            list[Energy], MinLen(1), Doc("The energies that samples must follow, all at the same time.")
        ],
    ):
        super().__init__(energies, [1.0] * len(energies))


class Negation(Combination):
    """U₊ − λU₋: samples follow U₊ and keep away from the modes of U₋. It lowers the mass there but bounds
    nothing (C.5); a λ that is too large is refused (C.4).
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "negation",
        "energy": {"kind": "gaussian", "mean": [0.0, 0.0], "std": 1.2},
        "away_from": {"kind": "gaussian_mixture", "means": [[1.5, 0.0], [0.0, 1.5]], "std": 1.3},
        "weight": 0.5,
    }

    def __init__(
        self,
        energy: Annotated[Energy, Doc("U₊, what samples follow.")],
        away_from: Annotated[Energy, Doc("U₋, what they keep away from.")],
        weight: Annotated[float, Doc("λ, how strongly samples keep away from U₋.")] = 0.35,
    ):
        super().__init__([energy, away_from], [1.0, -weight])


def common_dimension(owner: str, energies: Sequence[object]) -> int:
    """The common dimension of several energies; ValueError where they differ, or where a term is not a
    complete energy.
    """
    if not energies:
        raise ValueError(f"{owner}: needs at least one energy; got an empty list")
    dimensions = set()
    for energy in energies:
        if not isinstance(energy, Energy):
            raise ValueError(
                f"{owner}: a term must be an Energy; got {type(energy).__name__}; train or load it first"
            )
        dimensions.add(energy.dimension)
    if len(dimensions) > 1:
        raise ValueError(f"{owner}: energies must share one dimension; got {sorted(dimensions)}")
    return dimensions.pop()


def _sum(parts: Iterable[Tensor], like: Tensor) -> Tensor:
    """The sum of the parts; zeros like `like` where there are none."""
    each = list(parts)
    return reduce(torch.add, each) if each else torch.zeros_like(like)


def compose(energy: Energy, penalties: Sequence[tuple[float, Energy]]) -> Energy:
    """U_safe = U − Σ weight · U₋, with exact gradients (C.1). A penalty lowers ρ(𝒰) and bounds nothing (C.5);
    only a filter with β does.
    """
    if not penalties:
        return energy
    return WeightedSum([energy, *(u for _, u in penalties)], [1.0, *(-weight for weight, _ in penalties)])
