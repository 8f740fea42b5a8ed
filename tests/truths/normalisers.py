"""Normalisers and joined energies (C.3, C.4, O.4)."""

import math
from collections.abc import Callable

import torch

from barriers.coordinates import Coordinates
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
)
from lem_safe.errors import NumericalFailure
from lem_safe.keys import Key
from lem_safe.normalization import log_z as normalisers
from lem_safe.normalization.annealed_smc import Level
from lem_safe.normalization.equilibrium import must_balance

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
    """log Z without sampling (O.6): what a temperature, a sum and a change of coordinates make of families,
    by quadrature over the plane.
    """
    c = Coordinates(torch.tensor([0.3, 0.1]), torch.tensor([[1.2, 0.1], [0.0, 0.8]]))
    normal, two = (
        Gaussian([0.3, -0.2], covariance=[[1.0, 0.4], [0.4, 0.7]]),
        GaussianMixture([[1.0, 0.2], [-0.9, 0.0]], 0.7),
    )
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
        WeightedSum([normal, Shifted(two, [1.0, -0.5])]),
        Tempered(two, 0.5),
        Tilted(two, [0.4, 0.8]),
        Tempered(Disjunction([normal, two], [1.0, 2.0], log_normalizers=[0.5, -1.0]), 0.5),
        Disjunction([normal, two], [1.0, 2.0], log_normalizers=[0.5, -1.0]),
    ):
        exact = float((-energy(torch.cartesian_prod(g, g))).logsumexp(0)) + 2 * math.log(float(g[1] - g[0]))
        known = normaliser.known_log_z(energy)
        assert known is not None
        assert abs(known - exact) < 1e-5


def quadrature_is_of_fourth_order() -> None:
    """−∫g for a Gaussian's g = log-derivative in closed form: the error falls sixteenfold when levels are
    twice as close (O.4).
    """

    def error(k: int) -> float:
        levels = []
        for s in torch.linspace(
            0, 1, k + 1, dtype=torch.float64
        ).tolist():  # U₀ = x²/2, U = 5x²: D = 4.5x², variance 1/(1 + 9s)
            v = 1 / (1 + 9 * s)
            levels.append(
                Level(s, torch.tensor([4.5 * v]).double(), torch.tensor([2 * (4.5 * v) ** 2]).double())
            )
        return float(normalisers.integrate(levels)[0]) + 0.5 * math.log(10)

    assert abs(error(32)) < 1e-4
    assert abs(error(32) / error(64) / 16 - 1) < 0.15


def runs_of_different_starts() -> None:
    """Weights 1/e²; a bar times √(Σz²/(k − 1)) where that is above 1, and no less than k runs like the second
    best give; or a refusal (O.5).
    """
    value, error = normalisers.together([(1.0, 0.01), (1.04, 0.02)])
    assert abs(value - (1.0 / 1e-4 + 1.04 / 4e-4) / 12500) < 1e-12
    assert abs(error - 12500**-0.5 * (0.04**2 / 5e-4) ** 0.5) < 1e-12
    assert abs(normalisers.together([(1.0, 0.001), (1.001, 0.04), (1.0, 0.4)])[1] - 0.04 / 3**0.5) < 1e-12
    for runs, words in (
        (
            [(1.0, 0.01), (1.15, 0.01)],
            "1.000 ± 0.010, 1.150 ± 0.010 from runs that start from different distributions",
        ),
        ([(1.0, 0.5), (1.1, 0.5)], "known to 0.35 nats at best"),
    ):
        assert words in _refusal(lambda runs=runs: normalisers.together(runs))


def necks_are_missed_aloud() -> None:
    """Islands' means of what should be 0, by .2 ± .01, are refused; and by no more than chance are not
    (O.5).
    """
    ξ = Key(0).normal(torch.empty(16, 4, dtype=torch.float64))
    must_balance([0.1 * ξ, 0.2 * ξ])
    assert "missed a narrow neck" in _refusal(
        lambda: must_balance([0.1 * ξ, 0.05 * ξ + torch.tensor([0.0, 0.0, 0.3, 0.0])])
    )


def _refusal(call: Callable[[], object]) -> str:
    """What a refusal says; nothing where there is none."""
    try:
        call()
    except NumericalFailure as error:
        return str(error)
    return ""


def aligned_disjunction() -> None:
    """Joined with the log Z that is measured, an energy known up to a constant and a normal one are the
    mixture of their distributions.

    Two components on one another, at twice the temperature, are one of twice the variance; no closed form
    sees that.
    """
    flat = Tempered(GaussianMixture([[2.0, 0.0], [2.0, 0.0]], 0.5 / math.sqrt(2)), 2.0)
    joined = Disjunction([flat, Gaussian([-2.0, 0.0], 1.0)], weights=[1.0, 3.0])
    measured = normalisers.align(joined, Key(1))
    mixture = GaussianMixture(
        [[2.0, 0.0], [-2.0, 0.0]],
        covariances=[[[0.25, 0.0], [0.0, 0.25]], [[1.0, 0.0], [0.0, 1.0]]],
        weights=[1.0, 3.0],
    )
    x = torch.tensor([[2.0, 0.1], [-2.0, 0.3], [0.5, 0.0]], dtype=torch.float64)
    assert len(measured) == 1
    assert float((joined(x) - mixture(x)).abs().max()) < 4 * measured[0].error + 1e-9 < 0.1
