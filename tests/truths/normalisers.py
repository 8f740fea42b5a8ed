"""Normalisers and joined energies (C.3, C.4, O.4)."""

import math

import torch

from barriers.coordinates import Coordinates
from lem_safe import log_z as normalisers
from lem_safe.energies import (
    Banana,
    Disjunction,
    DoubleWell,
    Funnel,
    Gaussian,
    GaussianMixture,
    Mapped,
    Quadratic,
    Ring,
    Shifted,
    StudentT,
    Tempered,
    Tilted,
    Transported,
    WeightedSum,
    normaliser,
)  # fmt: skip
from lem_safe.keys import Key

MODES = [[2.0, 0.0], [-2.0, 0.5], [0.0, -2.0]]


def moved(by: float) -> Disjunction:
    """A mixture of three modes with log Z = by: every component of it shifted down."""
    terms = [Gaussian(m, 0.4) for m in MODES]
    return Disjunction(terms, [1.0, 2.0, 1.0], log_normalizers=[-by] * 3)


def log_z_of_a_mixture() -> None:
    """Three separate modes, log Z = 1.7, within 4 of its error bars, which are small; annealing agrees."""
    found = normalisers.log_z(moved(1.7), Key(3), islands=8, particles=512)
    assert 0 < found.error < 0.03
    assert abs(found.value - 1.7) < 4 * found.error
    assert abs(found.annealed - found.value) < 4 * found.error


def log_z_of_a_gaussian() -> None:
    """U = ½xᵀPx in three dimensions off the origin: log Z = (3/2)log 2π − ½ log det P."""
    P = torch.tensor([[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 0.7]], dtype=torch.float64)
    found = normalisers.log_z(Quadratic([1.0, -2.0, 0.5], P.tolist()), Key(5), islands=8, particles=256)
    expected = 1.5 * math.log(2 * math.pi) - 0.5 * float(torch.linalg.slogdet(P).logabsdet)
    assert abs(found.value - expected) < 4 * found.error < 0.1


def known_normalisers() -> None:
    """log Z without sampling (O.6): what a temperature, a sum and a change of coordinates make of families, by quadrature over the plane."""
    c = Coordinates(torch.tensor([0.3, 0.1]), torch.tensor([[1.2, 0.1], [0.0, 0.8]]))
    normal, two = Gaussian([0.3, -0.2], covariance=[[1.0, 0.4], [0.4, 0.7]]), GaussianMixture([[1.0, 0.2], [-0.9, 0.0]], 0.7)
    g = torch.linspace(-12, 12, 1201, dtype=torch.float64)
    for energy in (
        Tempered(normal, 1.4),
        Tempered(Funnel(2, 0.6), 0.5),
        Tempered(Banana(1.0, 0.5, 0.6), 0.7),
        Tempered(StudentT([0.3, -0.4], [0.6, 0.8], 20.0), 0.5),
        Tempered(DoubleWell(2, 2.0, 1.3, 0.7), 1.5),
        Tempered(Ring([0.1, -0.2], 1.5, 0.4), 1.5),
        Transported(Ring([0.0, 0.0], 1.0, 0.3), c),
        Shifted(Tempered(Mapped(normal, [0.2, 0.1], scale=1.3), 1.2), [0.5, -0.3]),
        WeightedSum([normal, two, Quadratic([0.2, -0.1], [[1.5, 0.3], [0.3, 0.8]])], [1.0, 2.0, -0.1]),
        Tilted(two, [0.4, 0.8]),
        Tempered(Disjunction([normal, two], [1.0, 2.0], log_normalizers=[0.5, -1.0]), 0.5),
        Disjunction([normal, two], [1.0, 2.0], log_normalizers=[0.5, -1.0]),
    ):
        exact = float((-energy(torch.cartesian_prod(g, g))).logsumexp(0)) + 2 * math.log(float(g[1] - g[0]))
        known = normaliser.known_log_z(energy)
        assert known is not None
        assert abs(known - exact) < 1e-5


def aligned_disjunction() -> None:
    """Joined with the log Z that is measured, an energy known up to a constant and a normal one are the mixture of their distributions.

    Two components on one another, at twice the temperature, are one of twice the variance; no closed form sees that.
    """
    flat = Tempered(GaussianMixture([[2.0, 0.0], [2.0, 0.0]], 0.5 / math.sqrt(2)), 2.0)
    joined = Disjunction([flat, Gaussian([-2.0, 0.0], 1.0)], weights=[1.0, 3.0])
    measured = normalisers.align(joined, Key(1))
    mixture = GaussianMixture(
        [[2.0, 0.0], [-2.0, 0.0]], covariances=[[[0.25, 0.0], [0.0, 0.25]], [[1.0, 0.0], [0.0, 1.0]]], weights=[1.0, 3.0]
    )
    x = torch.tensor([[2.0, 0.1], [-2.0, 0.3], [0.5, 0.0]], dtype=torch.float64)
    assert len(measured) == 1
    assert float((joined(x) - mixture(x)).abs().max()) < 4 * measured[0].error + 1e-9 < 0.1
