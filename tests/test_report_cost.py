"""The cost of a filter: sliced W₂ against closed forms and chance, the least KL against its definition."""

import math

import numpy as np
import pytest

from lem_safe.report.cost import _apart, _energy, least_kl, sliced_w2


def test_a_shift_costs_its_length_over_root_d():
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(300, 4)), np.array([0.3, -0.1, 0.0, 0.7])
    assert sliced_w2(x, x + v, rng) == pytest.approx(np.linalg.norm(v) / 2)
    assert sliced_w2(x, x[::-1].copy(), rng) == 0


def test_a_stretch_of_a_gaussian_costs_the_difference_of_widths():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40_000, 2)), 1.5 * rng.normal(size=(40_000, 2))
    assert sliced_w2(x, y, rng) == pytest.approx(0.5, abs=0.02)


def test_one_law_is_no_farther_than_its_floor_and_another_is():
    rng = np.random.default_rng(2)
    law = rng.normal(size=(4000, 3))

    def found(x):
        cost = _apart("x", x, law, law, np.random.default_rng(3))
        return float(cost.value.split()[0]), float(cost.beside.split()[-1])

    value, floor = found(rng.normal(size=(4000, 3)))
    assert value < 1.6 * floor
    value, floor = found(rng.normal(size=(4000, 3)) + 0.3)
    assert value > 3 * floor


def test_least_kl_is_the_divergence_of_two_coins():
    β, p = 0.01, 0.05
    assert least_kl(β, p) == pytest.approx(sum(a * math.log(a / b) for a, b in ((β, p), (1 - β, 1 - p))))
    assert least_kl(0.0, p) == pytest.approx(-math.log(1 - p)) and least_kl(0.1, p) == 0 and least_kl(0.1, 1.0) == math.inf


def test_energy_shift_has_its_standard_error():
    cost = _energy(np.array([1.0, 3.0]), np.array([0.0, 0.0]))
    assert cost.value == "+2 nats" and cost.beside == f"standard error {math.sqrt(1 / 2):.2g}"
