"""The coverage benchmark in small: every bound keeps its promise, every planted method is seen to break it, and the page is what was measured."""

import json
from pathlib import Path

import pytest

from benchmarks import coverage

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def rows():
    return coverage.everything(400, 400)


def test_every_bound_keeps_its_promise(rows):
    honest = [r for r in rows if not r["planted"] and r["what"] != "diagnostic"]
    assert len({r["method"] for r in honest}) >= 14 and {r["p"] for r in honest} == set(coverage.RATES)
    assert [r for r in honest if not coverage.keeps(r)] == []
    exact = [r["exactly"] for r in honest if "exactly" in r]
    assert len(exact) == 36 and min(exact) >= coverage.CONFIDENCE  # no simulation, no slack


def test_every_planted_method_is_seen_to_fail(rows):
    planted = {r["method"] for r in rows if r["planted"]}
    assert len(planted) == 7
    assert {r["method"] for r in rows if r["planted"] and not coverage.keeps(r)} == planted


def test_the_page_is_what_was_measured():
    record = json.loads((ROOT / "benchmarks" / "results.json").read_text())["benchmarks"]["coverage"]
    assert coverage.PAGE.read_text() == coverage.page(record)
    assert min(r["runs"] for r in record["rows"] if "rho" not in r) >= 10_000
    assert [r for r in record["rows"] if not r["planted"] and r["what"] != "diagnostic" and not coverage.keeps(r)] == []
