"""The rules of the scenario are the geometry of the bench, and no real row breaks one."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks")
import lem_safe
from benchmarks.gallery import impossible_cells as bench
from benchmarks.gallery import measured_tables as tables
from benchmarks.gallery.likeness import trained_on
from lem_safe.registry import load


def test_rules_find_what_plain_geometry_finds(tmp_path: Path) -> None:
    """On rows with the cells of other rows in their place."""
    names, real = tables.cancer()
    rng = np.random.default_rng(0)
    mixed = np.column_stack([rng.permutation(column) for column in real.T])
    tables.write(tmp_path / "mixed.csv", names, mixed, words=tables.DIAGNOSES)
    assert (tables.read(tmp_path / "mixed.csv", tables.DIAGNOSES) == mixed).all()
    unsafe = load(bench.NAME).unsafe
    found = lem_safe.audit(tmp_path / "mixed.csv", unsafe, beta=0)
    counts = {c.set: c.violations for c in found.constraints}
    order = [*tables.FEATURES, "mean_outline", "worst_outline"]
    bad = bench.geometry(mixed) < 0
    assert {name: counts[name] for name in order} == dict(zip(order, bad.sum(0).tolist(), strict=True))
    assert counts["impossible"] == bad.any(1).sum() > 100 and not (bench.geometry(real) < 0).any()


def test_the_rule_of_blood_is_that_of_the_bench_and_holds_in_every_real_row() -> None:
    names, real = tables.diabetes()
    assert names[5:8] == ["s1", "s2", "s3"] and (bench.blood(real) > 0).all()
    mixed = np.column_stack([np.random.default_rng(j).permutation(c) for j, c in enumerate(real.T)])
    found = lem_safe.audit(mixed, bench.BLOOD, beta=0, columns=names)
    assert found.constraints[0].violations == (bench.blood(mixed) < 0).sum() > 10


def test_models_are_tested_on_the_rows_that_were_held_out() -> None:
    x = np.random.default_rng(0).normal(size=(600, 3))
    x[:, 0] = x[:, 1] > 0
    assert trained_on(x[:300], x[300:], 0, category=True) > 0.98
    x[:, 0] = 2 * x[:, 1]
    assert trained_on(x[:300], x[300:], 0, category=False) > 0.9
    assert trained_on(x[:300], x[300:], 2, category=False) < 0.1  # the third column is noise
    learned, others = tables.parted(np.arange(569)[:, None])
    assert len(learned) == 379 and len(np.intersect1d(learned, others)) == 0
