"""The coverage benchmark in small: every bound keeps its promise, every planted method is seen to break it,
and the page is what was measured.
"""

import json
from pathlib import Path

import pytest

from benchmarks import coverage, coverage_page
from benchmarks.coverage_simulations import CONFIDENCE, RATES

pytestmark = pytest.mark.simulation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rows():
    return coverage.everything(400, 400)


def test_every_bound_keeps_its_promise(rows):
    honest = [r for r in rows if not r["planted"] and r["what"] != "diagnostic"]
    assert len({r["method"] for r in honest}) >= 14 and {r["p"] for r in honest} == set(RATES)
    assert [r for r in honest if not coverage.keeps(r)] == []
    exact = [r["exactly"] for r in honest if "exactly" in r]
    assert len(exact) == 36 and min(exact) >= CONFIDENCE  # no simulation, no slack


def test_every_planted_method_is_seen_to_fail(rows):
    planted = {r["method"] for r in rows if r["planted"]}
    assert len(planted) == 7
    assert {r["method"] for r in rows if r["planted"] and not coverage.keeps(r)} == planted


def test_the_page_is_what_was_measured():
    record = json.loads((ROOT / "benchmarks" / "results.json").read_text())["benchmarks"]["coverage"]
    assert coverage.PAGE.read_text() == coverage_page.page(record)
    assert min(r["runs"] for r in record["rows"] if "rho" not in r) >= 10_000
    assert [
        r for r in record["rows"] if not r["planted"] and r["what"] != "diagnostic" and not coverage.keeps(r)
    ] == []


def test_the_page_says_what_is_exact_what_is_noise_and_where_the_diagnostic_falls_short():
    record = json.loads((ROOT / "benchmarks" / "results.json").read_text())["benchmarks"]["coverage"]
    text = coverage_page.page(record)
    exact = [r["exactly"] for r in record["rows"] if "exactly" in r and not r["planted"]]
    assert f"the lowest of 36 numbers is {100 * min(exact):.2f} %" in text and min(exact) >= 0.95
    assert "At ρ = 0.98 the diagnostic falls short" in text and "At ρ = 0.9 the" not in text
    row = {"found": 0.9478, "promised": 0.95, "runs": 10_000, "what": "coverage"}
    assert abs(coverage_page.z(row, 0.95) + 0.0022 / (0.95 * 0.05 / 10_000) ** 0.5) < 1e-9
