"""The cost of a filter: sliced W₂ against closed forms and chance, and what the price of a tolerance says in
words.
"""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from barriers.projection import facts
from lem_safe.bounds.clopper_pearson import lower_bound
from lem_safe.report.contents import Contents
from lem_safe.report.cost import _apart, _energy, _moved, costs, sliced_w2
from lem_safe.report.prices import Cost, prices


def test_a_shift_costs_its_length_over_root_d():
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(300, 4)), np.array([0.3, -0.1, 0.0, 0.7])
    assert sliced_w2(x, x + v, rng) == pytest.approx(np.linalg.norm(v) / 2)
    assert sliced_w2(x, x[::-1].copy(), rng) == 0


def test_a_stretch_of_a_gaussian_costs_the_difference_of_widths():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40_000, 2)), 1.5 * rng.normal(size=(40_000, 2))
    assert sliced_w2(x, y, rng) == pytest.approx(0.5, abs=0.02)


def test_the_sliced_distance_in_many_columns_is_estimated_from_fewer_directions():
    rng, d = np.random.default_rng(0), 600
    x, v = rng.normal(size=(30, d)), rng.normal(size=d)
    assert sliced_w2(x, x + v, rng) == pytest.approx(np.linalg.norm(v) / d**0.5, rel=0.1)


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


def test_energy_shift_has_its_standard_error():
    cost = _energy(np.array([1.0, 3.0]), np.array([0.0, 0.0]))
    assert cost.value == "+2 nats" and cost.beside == f"standard error {math.sqrt(1 / 2):.2g}"


def test_clouds_that_share_their_noise_are_not_nearer_than_chance():
    law = np.random.default_rng(5).normal(size=(3000, 2))
    cost = _apart(
        "x", law, law, law, np.random.default_rng(6)
    )  # particle by particle the same: a filter that did nothing
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


def compared(x: np.ndarray, free: np.ndarray, **betas: float) -> Contents:
    """A run whose samples are x beside unfiltered ones, over half-spaces of the first column from `beyond`
    on, or both sides of 0.
    """
    d = x.shape[1]
    unsafe = {
        "beyond": {"kind": "half_space", "normal": [1] + [0] * (d - 1), "offset": 1},
        "right": {"kind": "half_space", "normal": [1] + [0] * (d - 1), "offset": 0},
        "left": {"kind": "half_space", "normal": [-1] + [0] * (d - 1), "offset": 0},
    }
    return Contents(
        directory=Path("."),
        scenario={"unsafe": unsafe},
        run={"seed": 0},
        trace={},
        x=x,
        columns=tuple(f"x{i}" for i in range(d)),
        audit={"constraints": [{"set": name, "beta": β} for name, β in betas.items()], "confidence": 0.95},
        reference={"x": free},
        diagnostics={},
    )


def told(rows: list[Cost]) -> dict[str, tuple[str, str]]:
    return {row.name: (row.value, row.beside.replace("\N{NO-BREAK SPACE}", " ")) for row in rows}


def number(value: str) -> tuple[float, float]:
    """0.058 and 0.004 of '0.058 ± 0.004 nats'."""
    value, _, error, unit = value.split()
    assert unit == "nats"
    return float(value), float(error)


def normal_and_projected(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws of N(0, I), and others of its projection onto ρ(x0 ≥ 1) ≤ .05 with exactly so many inside."""
    rng = np.random.default_rng(d)
    free, x = rng.normal(size=(n, d)), rng.normal(size=(8 * n, d))
    k = int(0.05 * n)
    return np.concatenate([x[x[:, 0] >= 1][:k], x[x[:, 0] < 1][: n - k]])[rng.permutation(n)], free


@pytest.mark.parametrize("d", [1, 20, 50])
def test_the_kl_of_a_projection_is_told_in_any_dimension(d):
    """.0577 nats are needed and paid for x0 ≥ 1 and β = .05, where neighbours told -1.2 for 1.3."""
    ours, free = normal_and_projected(3000, d)
    rows = told(prices(compared(ours, free, beyond=0.05)))
    assert list(rows) == ["least KL any method pays", "KL this filter paid, at least", "gap to the least KL"]
    p = float((free[:, 0] >= 1).mean())
    for name in list(rows)[:2]:
        value, error = number(rows[name][0])
        assert abs(value - 0.0577) < 4 * error + 1e-4 < 0.04
    at_least = facts(lower_bound(p * 3000, 3000, 0.95), 0.05).kl
    assert (
        rows["least KL any method pays"][1]
        == f"moves {100 * (p - 0.05):.3g} % of the mass; at least {at_least:.3g} nats with 95 % confidence"
    )
    gap, error = number(rows["gap to the least KL"][0])
    assert abs(gap) < 4 * error and float(rows["gap to the least KL"][1].split()[0]) == pytest.approx(
        1, abs=0.15
    )


def test_several_tolerances_are_priced_together_and_alone():
    """Disjoint sets at 0: together Σβ log(β/p) + (1 − Σβ) log((1 − Σβ)/(1 − Σp)), which is more than any of
    them alone.
    """
    rng = np.random.default_rng(3)
    free = rng.normal(size=(4000, 2))
    rows = told(prices(compared(free, free, beyond=0.05, left=0.3)))
    both, _ = number(rows["least KL any method pays"][0])
    p, q = (free[:, 0] >= 1).mean(), (free[:, 0] <= 0).mean()
    exact = 0.05 * math.log(0.05 / p) + 0.3 * math.log(0.3 / q) + 0.65 * math.log(0.65 / (1 - p - q))
    assert both == pytest.approx(exact, abs=2e-3)
    for name, β, mass in (("beyond", 0.05, p), ("left", 0.3, q)):
        alone, _ = number(rows[f"of it for {name} alone"][0])
        assert alone == pytest.approx(facts(mass, β).kl, abs=2e-3) and alone < both
        assert rows[f"of it for {name} alone"][1] == f"moves {100 * (mass - β):.3g} % of the mass"
    assert rows["KL this filter paid, at least"][0] in ("0 nats", "0.000 ± 0.000 nats")
    assert rows["gap to the least KL"] == ("none", "over a tolerance, so it need not pay the least")


def test_nothing_needed_is_0_and_nobody_is_told_a_ratio():
    ours, free = normal_and_projected(3000, 2)
    rows = told(prices(compared(ours, free, beyond=0.3)))
    assert rows["least KL any method pays"] == (
        "0 nats",
        "moves 0 % of the mass; at least 0 nats with 95 % confidence",
    )
    assert rows["gap to the least KL"][1] == "nothing was needed"


def test_unfiltered_samples_wholly_inside_tell_a_bound_and_no_more():
    rng = np.random.default_rng(4)
    free = np.abs(rng.normal(size=(500, 2))) + 0.1
    rows = told(prices(compared(-free, free, right=0.05)))
    (name,) = rows  # what was paid cannot be told either
    assert rows[name][0] == f"more than {facts(0.05 ** (1 / 500), 0.05).kl:.3g} nats"


@pytest.mark.parametrize("n", [1, 2, 39])
def test_few_samples_have_no_distance_and_no_warning(n):
    x = np.random.default_rng(9).normal(size=(n, 2))
    contents = Contents(
        directory=Path("."),
        scenario={"unsafe": {"a": {"kind": "half_space", "normal": [1, 0], "offset": 9}}},
        run={},
        trace={},
        audit={"constraints": [{"set": "a", "beta": 0.1}], "confidence": 0.95},
        x=x,
        columns=("x0", "x1"),
        reference={"x": x},
        diagnostics={"energy": x[:, 0], "reference_energy": x[:, 1], "data": x},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (only,) = costs(contents)
    assert only.name == "least KL any method pays" and only.value == "0 nats"
