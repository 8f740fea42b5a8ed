"""The program on rare events, and the methods beside it, against the exact probability."""

import runpy
from typing import Any

import numpy as np
import pytest

pytest.importorskip("benchmarks")
from benchmarks.gallery import rare_and_unsafe as bench
from lem_safe.scenario import bundled_programs

pytestmark = pytest.mark.simulation


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    return runpy.run_path(str(bundled_programs()["rare_and_unsafe"]))


def test_estimates_are_near_the_exact_value_which_is_that_of_draws(program: dict[str, Any]) -> None:
    estimates = np.array([program["estimate"](seed).probability for seed in range(10)])
    assert abs(estimates.mean() - program["exact"]()) < 4 * estimates.std() / 3
    asked = program["exact"].__globals__
    limit, asked["LIMIT"] = asked["LIMIT"], 3.0
    x = np.random.default_rng(0).normal(size=(200_000, program["AXES"]))
    p, asked["LIMIT"] = asked["exact"](), limit
    assert abs((np.linalg.norm(x, axis=1) > 3.0).mean() - p) < 4 * (p / 200_000) ** 0.5


def test_the_filter_lets_none_in_and_the_bound_does_not_certify(program: dict[str, Any]) -> None:
    report = program["generate"](samples=400, with_report=False).report
    assert report.passed and report.verdict == "inconclusive" and report.constraints[0].violations == 0


def test_what_stands_beside_is_counted(program: dict[str, Any]) -> None:
    rows = 2000 * (1 + 4 * (len(program["estimate"]().levels) - 1))
    assert bench._evaluations(program) == rows and program["estimate"].__globals__["margin"]
    row = bench._counted(5, 2.0, 1000, 0.5, "today")
    hits = int((np.linalg.norm(np.random.default_rng(0).normal(size=(1000, 5)), axis=1) > 2.0).sum())
    assert row.inside == hits and row.measures["over exact"] == hits / 500
