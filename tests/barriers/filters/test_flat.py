"""The mean of chances beside a flat boundary, its derivatives, and the steps towards a multiplier (Q.7)."""

import math

import numpy as np
import pytest
import torch
from scipy.special import ndtr, ndtri

from barriers.filters import several
from barriers.filters.flat import Flat, stepped, stepped_alone
from barriers.filters.normal import density
from lem_safe.keys import Key

F64 = torch.float64


def clouds(q: int = 5, n: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Depths, and by how much each chance falls."""
    t = Key(1).normal(torch.empty(q, n, dtype=F64)).numpy() - 0.5
    return t, density(t) * (0.2 + Key(2).uniform(torch.empty(q, n, dtype=F64)).numpy())


def largest_error() -> float:
    """Of the value and its derivatives, by central differences of the mean itself."""
    t, slope = clouds()
    found, ε = Flat(t, slope, 20), 1e-3
    μ = np.linspace(0.0, 2.0, 5)[:, None]

    def mean(at: np.ndarray) -> np.ndarray:
        return np.asarray(ndtr(-found.s - found.powers[0] * at).mean(1))

    m = [mean(μ + k * ε) for k in (-2, -1, 0, 1, 2)]
    expected = [
        m[2],
        (m[3] - m[1]) / (2 * ε),
        (m[3] - 2 * m[2] + m[1]) / ε**2,
        (m[4] - 2 * m[3] + 2 * m[1] - m[0]) / (2 * ε**3),
    ]
    first = [np.abs(Flat(t, slope, 20).at(0 * μ)[1][1 + k] - found.bends[k]).max() for k in (0, 1)]
    value, slopes = found.at(μ)
    gaps = [np.abs(a - b).max() for a, b in zip((value, *slopes), expected, strict=True)]
    return float(max(*gaps, *first, np.abs(found.value() - mean(0 * μ)).max()))


def test_the_derivatives_are_those_of_the_mean() -> None:
    assert largest_error() < 1e-5


def test_planted_fault_the_third_derivative_without_its_second_term(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Flat.at

    def faulty(self: Flat, μ: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slopes = honest(self, μ)
        s = self.s + self.powers[0] * μ
        slopes[2] += (self.powers[2] * s**2 * density(s)).mean(1)
        return value, slopes

    monkeypatch.setattr(Flat, "at", faulty)
    assert largest_error() > 1e-3


def test_one_particle_is_solved_in_closed_form() -> None:
    """Φ(t − bμ) = p at μ = (t − Φ⁻¹(p))/b, in a few steps."""
    t, b, p = np.array([1.0, 0.3, -0.5, 0.8]), np.array([1.0, 0.3, 2.0, 0.7]), np.array([0.4, 0.3, 0.1, 0.5])
    slope = b * np.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    made = Flat(t[:, None], slope[:, None], 1)
    μ = several._first(made, ndtr(t) - p, slope, 1e-9)
    assert np.allclose(μ, (t - ndtri(p)) / b, rtol=1e-7)


def test_the_third_order_needs_fewer_steps() -> None:
    """After two steps what is left is less than Halley's, of which the third derivative is not asked."""
    t, slope = clouds(40)
    made, falls = Flat(t, slope, 20), slope.mean(1)
    limit = 0.5 * made.value()

    def left(third: float) -> float:
        μ, f, first, (second, own) = np.zeros(40), made.value() - limit, -falls, made.bends
        for _ in range(2):
            μ, _ = stepped(μ, f, first, second, third * own + (1 - third) * 1.5 * second**2 / first, 1e-9)
            value, (first, second, own) = made.at(μ[:, None])
            f = value - limit
        return float(np.abs(f).max())

    assert left(1.0) < 0.2 * left(0.0)  # with that third derivative the step is Halley's


@pytest.mark.parametrize("seed", range(20))
def test_a_step_alone_has_the_bits_of_one_among_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(5, 50)) * 10.0 ** rng.integers(-9, 9, (5, 50))
    numbers[:, :6] = rng.choice([0.0, -0.0, math.nan, math.inf, -math.inf, 1e300], (5, 6))
    with np.errstate(all="ignore"):
        μ, done = stepped(*numbers, 1e-7)
    for k in range(50):
        alone = stepped_alone(*numbers[:, k].tolist(), 1e-7)
        assert np.array_equal([alone[0]], [μ[k]], equal_nan=True) and alone[1] == done[k]
