"""The classifier of the scenario, the judge, and what the bench counts by them."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks")
import lem_safe
from benchmarks.gallery import digit_classifiers as classifiers
from benchmarks.gallery import never_a_seven as bench
from lem_safe.registry import load


def test_the_region_is_where_the_largest_output_is_that_of_a_seven() -> None:
    x, shown = classifiers.digits()
    mixed = (x + x[np.random.default_rng(0).permutation(len(x))]) / 2  # between digits, where classes meet
    unsafe = load(bench.NAME).unsafe
    for rows in (x, mixed):
        found = lem_safe.audit(rows, unsafe, beta=0, columns=classifiers.COLUMNS)
        assert found.constraints[0].violations == (bench.labels(rows) == 7).sum() > 50
    wider = {"seven": {**unsafe["seven"], "probability": bench.CAUTIOUS}}
    counted = lem_safe.audit(mixed, wider, beta=0, columns=classifiers.COLUMNS).constraints[0].violations
    assert counted > found.constraints[0].violations


def test_each_classifier_is_right_about_the_half_that_it_has_not_seen() -> None:
    x, shown = classifiers.digits()
    first, second = classifiers.halves()
    assert len(np.intersect1d(first, second)) == 0 and len(first) + len(second) == len(x)
    assert (bench.labels(x[second]) == shown[second]).mean() > 0.95
    assert (bench.judged(x[first]) == shown[first]).mean() > 0.97


def test_a_classifier_is_written_alike_each_time(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        classifiers.write(tmp_path / name)
    assert len({(tmp_path / name).read_bytes() for name in ("a", "b", "c")}) == 1
