"""The same energy over sampler coordinates: z ↦ U(x(z)) with x = m + Lz, ∇ = Lᵀ∇U and Δ_z = tr(Lᵀ∇²U L).

An energy that was learned in exactly these coordinates is unwrapped instead of mapped there and back: no
work, and no rounding. The terms of a composition are pulled one by one, so that the one whose coordinates the
sampler moves in costs nothing.
"""

import copy
from functools import singledispatch

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.coordinates import Coordinates
from lem_safe.energies.adjusted import Tempered
from lem_safe.energies.base import Energy
from lem_safe.energies.composed import Combination, WeightedSum
from lem_safe.energies.disjunction import Disjunction
from lem_safe.energies.gaussian_sum import GaussianSum, gaussian_sum
from lem_safe.energies.normaliser import log_power
from lem_safe.energies.transported import Transported


class Pulled(Energy):
    """`original`, an energy over x, as an energy over z."""

    def __init__(self, original: Energy, coordinates: Coordinates):
        super().__init__()
        self.original, self.dimension = original, original.dimension
        self.coordinates = copy.deepcopy(
            coordinates
        )  # its own, so that casting this energy never rounds anyone else's map

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.original(self.coordinates(x))

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        value, gradient = self.original.value_and_gradient(self.coordinates(x.detach()))
        return value, gradient @ self.coordinates.matrix.to(x.dtype)

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        L = self.coordinates.matrix
        return self.original.laplacian(
            self.coordinates(x), L if directions is None else L @ directions.to(L.dtype)
        )


@log_power.register
def _power(energy: Pulled, t: float) -> float | None:
    inner = log_power(energy.original, t)
    return (
        None
        if inner is None
        else inner - float(torch.linalg.slogdet(energy.coordinates.matrix.double()).logabsdet)
    )


@gaussian_sum.register
def _gaussian_terms(energy: Pulled) -> GaussianSum | None:
    found, x = gaussian_sum(energy.original), energy.coordinates
    return found and found.shifted(-x.offset.double().cpu()).linear(x.matrix.double().cpu())


@singledispatch
def in_coordinates(energy: Energy, coordinates: Coordinates) -> Energy:
    """`energy` as an energy over the sampler's z, by the shortest way."""
    if energy.dimension != coordinates.dimension:
        raise ValueError(
            f"in_coordinates: energy has {energy.dimension} dimensions, the coordinates "
            f"{coordinates.dimension}"
        )
    return energy if coordinates.identity else Pulled(energy, coordinates)


@in_coordinates.register
def _transported(energy: Transported, coordinates: Coordinates) -> Energy:
    return energy.inner if _same(energy.coordinates, coordinates) else Pulled(energy, coordinates)


@in_coordinates.register
def _sum(energy: Combination, coordinates: Coordinates) -> Energy:
    return WeightedSum([in_coordinates(term, coordinates) for term in energy.members()], list(energy.weights))


@in_coordinates.register
def _either(energy: Disjunction, coordinates: Coordinates) -> Energy:
    return energy.joining([in_coordinates(term, coordinates) for term in energy.members()])


@in_coordinates.register
def _tempered(energy: Tempered, coordinates: Coordinates) -> Energy:
    return Tempered(in_coordinates(energy.energy, coordinates), energy.temperature)


def _same(a: Coordinates, b: Coordinates) -> bool:
    return a is b or bool(torch.equal(a.offset, b.offset) and torch.equal(a.matrix, b.matrix))
