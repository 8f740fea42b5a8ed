"""The attack sees what is wrong, runs what it says, and its families are as many cases as are claimed."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("benchmarks")
from benchmarks.attack import FAMILIES, running
from benchmarks.attack.case import DONE, Case, Outcome, Surroundings, wrong
from benchmarks.attack.processes import called, forked

GOOD = Outcome(2, "", "s.yaml: is a pipe; check the path\n", 0.1)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (GOOD._replace(status=None), "not done after"),
        (GOOD._replace(status=4), "an internal error"),
        (GOOD._replace(err="Traceback (most recent call last):\nKeyError"), "a traceback"),
        (GOOD._replace(err="Exception ignored in: <x>"), "a traceback"),
        (GOOD._replace(status=0), r"exit 0, allowed \[2\]"),
        (GOOD._replace(err=""), "exit 2 without a word"),
        (GOOD._replace(err="something else"), "does not say 'PIPE'"),
        (GOOD._replace(seconds=99.0), "99.0 s, allowed 20"),
    ],
)
def test_what_is_wrong_is_seen(outcome: Outcome, words: str, tmp_path: Path) -> None:
    case = Case("c", lambda folder: outcome, says="PIPE")
    assert wrong(case, GOOD, tmp_path) is None
    assert re.search(words, wrong(case, outcome, tmp_path) or "")
    assert (
        wrong(Case("c", case.run, holds=lambda folder, found: "half a file"), GOOD, tmp_path) == "half a file"
    )


def test_a_child_that_waits_is_stopped_and_one_that_is_told_to_end_ends(tmp_path: Path) -> None:
    assert called(lambda: time.sleep(60) or 0, tmp_path, seconds=0.2).status is None
    killed = called(lambda: os.kill(os.getpid(), signal.SIGKILL) or 0, tmp_path)
    assert killed.status == 137


def test_a_fork_is_the_command_line(tmp_path: Path) -> None:
    found = forked("validate", "nowhere.yaml")(tmp_path)
    assert found.status == 2 and found.err.startswith("nowhere.yaml: no such file") and found.out == ""
    closed = forked("--version", around=Surroundings(stdout=None))(tmp_path)
    assert closed.status == 3 and "stdout: what was to be printed is lost: it is closed" in closed.err
    full = forked("--help", around=Surroundings(stdout="/dev/full"))(tmp_path)
    assert full.status == 3 and "No space left" in full.err
    ascii_ = forked("explain", "ring_keep_out", around=Surroundings(encoding="ascii"))(tmp_path)
    assert ascii_.status in DONE and ascii_.out.isascii()


def test_a_family_is_counted_and_its_wrong_cases_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [Case("right", lambda folder: GOOD), Case("bad", lambda folder: GOOD._replace(status=4))]
    monkeypatch.setitem(FAMILIES, "two", lambda shared: iter(cases))
    row = running.family("two")
    assert (row["cases"], row["right"]) == (2, 1) and row["wrong"][0].startswith("bad: an internal error")
