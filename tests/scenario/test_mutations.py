"""Broken scenario files of every shape end in exit 2 with a place, or are valid: never a traceback, never
slowly (benchmarks.mutations: 500).
"""

from pathlib import Path

import pytest

from benchmarks import mutations
from benchmarks.mutations import GOOD, Outcome, handmade, outcome, wrong

SMALL = handmade(0.02)
"""Shorter, as shapes are checked in every call of a test run; still too deep and too wide where they must be.
"""


@pytest.mark.parametrize("name", SMALL)
def test_files_made_by_hand(name: str, tmp_path: Path):
    found = outcome(SMALL[name], tmp_path / "mutated.yaml")
    assert found.status == 2 and wrong(found._replace(seconds=0)) is None, found


def test_files_drawn_at_random(tmp_path: Path):
    broken = 0
    for content in mutations.mutations(60)[len(handmade()) :]:
        found = outcome(content, tmp_path / "mutated.yaml")
        assert wrong(found._replace(seconds=0)) is None, (found, content)
        broken += found.status == 2
    assert broken > 50


def test_the_good_file_is_good_and_every_rule_finds_its_fault(tmp_path: Path):
    good = outcome(GOOD.encode(), tmp_path / "mutated.yaml")
    assert good.status == 0 and wrong(good._replace(seconds=0)) is None
    bad = Outcome(2, 0.1, None, "")
    assert wrong(bad) is None
    faults = (
        bad._replace(status=4),
        bad._replace(unlocated="x"),
        bad._replace(said="Traceback"),
        bad._replace(seconds=2.0),
    )
    assert all(wrong(fault) is not None for fault in faults)


def test_the_figure_counts_what_it_draws(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mutations, "handmade", lambda: {"empty": b"", "list": b"- 1\n"})
    (row,) = mutations.measure(8)
    assert row["broken_files"] == 8 and row["exit_2_located_within_a_second"] in range(6, 9)
