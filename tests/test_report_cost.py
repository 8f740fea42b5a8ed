"""The cost of a filter: sliced W₂ against closed forms and chance, the least KL against its definition."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from lem_safe.report.contents import Contents
from lem_safe.report.cost import _apart, _energy, _moved, costs, least_kl, neighbour_kl, sliced_w2


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
        return float(cost.value.split()[0]), float(cost.beside.split()[2])

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


def test_neighbours_tell_the_kl_of_two_gaussians():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(20_000, 2)), rng.normal(size=(20_000, 2)) * 1.5 + [0.5, 0]
    expected = 2 * (math.log(1.5) + (1 / 1.5**2 - 1) / 2) + 0.25 / (2 * 1.5**2)  # Σ log(σ₂/σ₁) + (σ₁² + Δ²)/2σ₂² − 1/2
    assert neighbour_kl(x, y) == pytest.approx(expected, abs=0.03)
    assert neighbour_kl(x, rng.normal(size=(20_000, 2))) == pytest.approx(0, abs=0.03)
    assert neighbour_kl(y, x) > 1.3 * expected  # which of the two is the reference matters


def test_clouds_that_share_their_noise_are_not_nearer_than_chance():
    law = np.random.default_rng(5).normal(size=(3000, 2))
    cost = _apart("x", law, law, law, np.random.default_rng(6))  # particle by particle the same: a filter that did nothing
    value, floor = float(cost.value.split()[0]), float(cost.beside.split()[2])
    assert 0.5 * floor < value < 2 * floor


def test_displacement_counts_the_particles_that_moved():
    free = np.random.default_rng(7).normal(size=(200, 3))
    ours = free.copy()
    ours[:10, 1] += 2.0
    cost = _moved(ours, free, np.random.default_rng(8))
    assert cost.value.replace("\N{NO-BREAK SPACE}", " ") == "0.1 standard deviations, 5 % moved"
    strangers = float(cost.beside.split()[-1])
    assert strangers == pytest.approx(math.sqrt(6), rel=0.2)  # two draws of a normal are about √2d apart


@pytest.mark.parametrize("n", [1, 2, 39])
def test_few_samples_have_no_distance_and_no_warning(n):
    x = np.random.default_rng(9).normal(size=(n, 2))
    contents = Contents(
        directory=Path("."), scenario={"unsafe": {"a": {"kind": "half_space", "normal": [1, 0], "offset": 9}}}, run={}, trace={},
        audit={"constraints": [{"set": "a", "beta": 0.1}]}, x=x, columns=("x0", "x1"), reference={"x": x},
        diagnostics={"energy": x[:, 0], "reference_energy": x[:, 1], "data": x},
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (only,) = costs(contents)
    assert only.name == "least KL any method pays for a" and only.value == "0 nats"
