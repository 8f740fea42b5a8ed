"""The truths, distances and chains of the time to an answer."""

import numpy as np
import pytest
import torch
from scipy.stats import norm, truncnorm

from benchmarks import answer_page, answer_truths, pd_lmc, time_to_answer
from benchmarks.answer_truths import INTERVAL, TRUTHS, beyond, exact, floor, total_variation
from benchmarks.time_to_answer import METHODS, Course, course, row

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def fewer_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_truths, "POINTS", {1: 240_000, 2: 400})


def test_the_masses_of_a_line_are_those_of_the_normal_distribution() -> None:
    truth = TRUTHS["line"]
    masses = exact(truth).reshape(-1, 2)  # outside, inside
    edges = np.concatenate([[-np.inf], truth.edges, [np.inf]])
    plain = np.diff(norm.cdf(edges))
    inside = edges[:-1] >= 0.5
    expected = plain * np.where(inside, 0.1 / norm.sf(0.5), 0.9 / norm.cdf(0.5))
    assert masses.sum() == pytest.approx(1)
    assert np.abs(masses.sum(1) - expected).max() < 1e-8
    assert masses[:, 1].sum() == pytest.approx(0.1, abs=1e-12)


def test_nothing_is_inside_where_nothing_is_tolerated() -> None:
    masses = exact(INTERVAL)
    cells = np.diff(truncnorm.cdf(INTERVAL.edges, 1, 3))
    assert np.abs(masses.reshape(-1, 2)[1:-1, 0] - cells).max() < 1e-8
    assert masses.reshape(-1, 2)[:, 1].sum() == 0


@pytest.mark.parametrize("part", ["hexagon", "overlapping"])
def test_every_tolerance_is_used_up(part: str) -> None:
    truth = TRUTHS[part]
    m = len(truth.sets)
    masses = exact(truth).reshape(-1, *[2] * m)
    for k, β in enumerate(truth.betas):
        assert np.moveaxis(masses, 1 + k, 1)[:, 1].sum() == pytest.approx(β, abs=1e-9)


def test_independent_draws_have_the_distance_of_the_floor() -> None:
    p = RNG.dirichlet(np.ones(30))
    draws = [total_variation(RNG.multinomial(2000, p), p) for _ in range(400)]
    assert np.mean(draws) == pytest.approx(floor(p, 2000), rel=4 * np.std(draws) / np.mean(draws) / 20 + 0.01)
    assert beyond(0.01, 0.02) == 0
    assert beyond(0.5, 0.3) == pytest.approx(0.4)


def test_a_distance_that_leaves_again_was_not_reached() -> None:
    found = Course([1, 2, 3, 4, 5], [0.9, 0.01, 0.06, 0.03, 0.01], [0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.reached(0.05) == (4, 0.4)
    assert found.reached(0.02) == (5, 0.5)
    assert found.reached(0.005) is None


def test_the_gate_arrives_and_no_filter_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_to_answer, "LOOKS", [1, 3, 6, 8])
    truth, found = TRUTHS["line"], {}
    masses = exact(truth)
    with torch.no_grad():
        for method in ("gate + MALA", "tilt + MALA", "thinning", "none"):
            own = course(truth, masses, METHODS[method]["h 1"], n=2000, clouds=3)
            found[method] = row("line", truth, method, {"h 1": own}, floor(masses, 6000))
    for method in ("gate + MALA", "tilt + MALA", "thinning"):
        assert found[method]["settled"] < 0.04
        assert found[method]["0.05"]["steps"] < 10
    assert found["none"]["settled"] == pytest.approx(norm.sf(0.5) - 0.1, abs=0.03)
    assert found["none"]["0.05"]["ms"] is None
    assert "| never | never |" in " ".join(answer_page.section([found["none"]]))


def test_both_forms_of_pd_lmc_take_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pd_lmc, "EVERY", 1)
    one = pd_lmc.one_chain(3000, 0.2, seed=4).x
    many = np.array([x[0] for _, x in pd_lmc.many_chains(3000, 0.2, 1, seed=4)])
    assert np.abs(one - many).max() < 1e-9
    assert one[-1000:].mean() > 1  # it has found the interval


def test_correlated_draws_are_worth_fewer_independent_ones() -> None:
    noise, x = RNG.normal(size=100_000), [0.0]
    for ξ in noise:
        x.append(0.9 * x[-1] + ξ)
    assert pd_lmc.independent(np.array(x)) == pytest.approx(100_000 / 19, rel=4 * (2 / 99) ** 0.5)
