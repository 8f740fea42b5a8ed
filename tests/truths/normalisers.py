"""Normalisers and joined energies (C.3, C.4, O.4)."""

import math

import torch

from lem_safe import log_z as normalisers
from lem_safe.energies import Disjunction, Gaussian, GaussianMixture, Quadratic
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


def aligned_disjunction() -> None:
    """Joined with the log Z that is measured, two energies known up to a constant are the mixture of their distributions."""
    stiff = (torch.eye(2) / 0.25).tolist()
    joined = Disjunction([Quadratic([2.0, 0.0], stiff), Gaussian([-2.0, 0.0], 1.0)], weights=[1.0, 3.0])
    measured = normalisers.align(joined, Key(1))
    mixture = GaussianMixture(
        [[2.0, 0.0], [-2.0, 0.0]], covariances=[[[0.25, 0.0], [0.0, 0.25]], [[1.0, 0.0], [0.0, 1.0]]], weights=[1.0, 3.0]
    )
    x = torch.tensor([[2.0, 0.1], [-2.0, 0.3], [0.5, 0.0]], dtype=torch.float64)
    assert len(measured) == 1
    assert float((joined(x) - mixture(x)).abs().max()) < 4 * measured[0].error + 1e-9 < 0.1
