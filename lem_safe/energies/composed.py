"""Sums of energies: U = Σ w_i U_i, with ∇U = Σ w_i∇U_i and ΔU = Σ w_iΔU_i (C.1, C.2). U₊ − λU₋ is what `penalties:` makes."""

import math
from collections.abc import Iterable, Sequence
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lem_safe.energies.base import Energy


class WeightedSum(Energy):
    """Σ weight · energy; a negative weight repels, and may leave nothing to sample (C.4)."""

    def __init__(self, terms: Sequence[Energy], weights: Sequence[float]):
        super().__init__()
        if not terms or len(terms) != len(weights):
            raise ValueError(f"WeightedSum: needs one weight a term and at least one term; got {len(terms)} and {len(weights)}")
        for weight in weights:
            if not math.isfinite(weight):
                raise ValueError(f"WeightedSum: weights must be finite; got {list(weights)!r}")
        dimensions = sorted({term.dimension for term in terms})
        if len(dimensions) > 1:
            raise ValueError(f"WeightedSum: terms must share one dimension; got {dimensions}")
        self.terms = nn.ModuleList(terms)
        self.weights = tuple(float(w) for w in weights)
        self.dimension = dimensions[0]

    def members(self) -> list[Energy]:
        return list(self.terms)  # type: ignore[arg-type]  # nn.ModuleList forgets what it holds

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return _sum(w * term(x) for w, term in zip(self.weights, self.terms, strict=True))

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        values, gradients = zip(*(term.value_and_gradient(x) for term in self.members()), strict=True)
        return (
            _sum(w * v for w, v in zip(self.weights, values, strict=True)),
            _sum(w * g for w, g in zip(self.weights, gradients, strict=True)),
        )

    def laplacian(self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None) -> Float[Tensor, "n"]:
        return _sum(w * term.laplacian(x, directions) for w, term in zip(self.weights, self.members(), strict=True))


def _sum(parts: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, parts)
