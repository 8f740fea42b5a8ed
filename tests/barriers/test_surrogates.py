"""Surrogates: majorants by law, derivatives by differences, the chain rule against automatic
differentiation.
"""

import math

import pytest
import torch

from barriers.derivatives import autodiff_jet
from barriers.sets import Ball
from barriers.surrogates import (
    SURROGATES,
    Exponential,
    Hinge,
    Sigmoid,
    SoftHinge,
    Surrogate,
    chain,
    for_drift,
)
from lem_safe.registry import make

EXAMPLES: dict[str, list[Surrogate]] = {
    "sigmoid": [Sigmoid(0.2), Sigmoid(0.1, 0.3)],
    "hinge": [Hinge(0.3)],
    "soft_hinge": [SoftHinge(0.3)],
    "exponential": [Exponential(0.4)],
}
EXAMPLES |= {
    kind: [make("surrogates", entry.example)] for kind, entry in SURROGATES.items() if kind not in EXAMPLES
}
S = torch.arange(-300, 301, dtype=torch.float64) / 100


@pytest.mark.parametrize("φ", [φ for group in EXAMPLES.values() for φ in group], ids=str)
def test_majorant_of_kappa_times_the_indicator(φ: Surrogate) -> None:
    assert (φ.value(S) >= φ.level * (S <= 0).double() - 1e-15).all()
    assert float(φ.value(torch.zeros(1, dtype=torch.float64))) == pytest.approx(φ.level, rel=1e-12)


@pytest.mark.parametrize("φ", [φ for group in EXAMPLES.values() for φ in group], ids=str)
def test_derivatives_are_the_differences(φ: Surrogate) -> None:
    s, ε = S[(S - φ.width).abs() > 1e-3], 1e-5
    p = φ.profile(s)
    first = (φ.value(s + ε) - φ.value(s - ε)) / (2 * ε)
    second = (φ.profile(s + ε).first - φ.profile(s - ε).first) / (2 * ε)
    scale = 1 + p.value.abs() / φ.width**2
    assert ((p.first - first).abs() / scale).max() < 1e-7
    assert ((p.second - second).abs() / scale).max() < 1e-7


def test_planted_fault_a_level_above_sigma_of_the_margin_is_no_majorant() -> None:
    φ = Sigmoid(0.1, 0.1)
    assert not (φ.value(S) >= (S <= 0).double()).all()  # κ forgotten


@pytest.mark.parametrize("φ", [Sigmoid(0.2, 0.1), SoftHinge(0.4), Exponential(0.5)], ids=str)
def test_chain_rule_through_the_distance(φ: Surrogate) -> None:
    ball = Ball([0.3, -0.2, 0.1], 0.7)
    x = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    jet = ball.jet(x)
    found, expected = chain(φ.profile(jet.value), jet), autodiff_jet(lambda y: φ.value(ball(y)), x)
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-9)


def test_the_automatic_width_is_twice_the_noise_of_a_step() -> None:
    assert for_drift(0.005).width == pytest.approx(2 * math.sqrt(0.01))
    assert for_drift(0.005).level == pytest.approx(1 / (1 + math.exp(-1)))


@pytest.mark.parametrize("width", [0.0, -1.0, math.inf, math.nan])
def test_a_width_that_is_none_is_refused(width: float) -> None:
    for kind in (Sigmoid, Hinge, SoftHinge, Exponential):
        with pytest.raises(ValueError, match="width must be > 0"):
            kind(width)
