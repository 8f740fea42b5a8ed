"""The bench's distances and its attack against known answers, and the scenario's region against the bench."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks")
import lem_safe
from benchmarks.gallery import measured_tables as tables
from benchmarks.gallery import nobodys_record as bench
from lem_safe.registry import load

pytestmark = pytest.mark.simulation


def test_the_region_is_near_the_patients_whom_the_energy_is_learned_from() -> None:
    real, strangers = tables.parted(tables.patients()[1])
    unsafe = load(bench.NAME).unsafe
    assert unsafe["near_a_patient"]["radius"] == bench.RADIUS
    for x in (real, strangers, bench.jittered(real, 500)):
        found = lem_safe.audit(x, unsafe, beta=0, columns=list(tables.PATIENTS))
        assert found.constraints[0].violations == bench.near_a_patient(x, real)
    share = bench.near_a_patient(strangers, real) / len(strangers)
    assert abs(share - 0.05) < 0.01, "nineteen in twenty strangers are farther"


def test_an_attack_finds_who_was_copied_and_nobody_among_strangers() -> None:
    rng = np.random.default_rng(0)
    members, others, x = rng.normal(size=(3, 300, 6))
    assert bench.attack(members + 1e-3, members, others) == 1.0
    assert abs(bench.attack(x, members, others) - 0.5) < 4 * (1 / 6 / 300) ** 0.5
    away = others + 0.01  # rows around others alone
    assert bench.attack(away, members, others) < 0.01


def test_a_short_run_keeps_away_in_the_file_that_it_writes(tmp_path: Path) -> None:
    small = {"energy.training.steps": 5, "monitors.samples": 0}
    run = lem_safe.run(load(bench.NAME, small), out=tmp_path, samples=300, steps=5, with_report=False)
    x = tables.read(tmp_path / "samples.csv")
    assert run.report.passed and len(x) == 300
    assert bench.near_a_patient(x, tables.parted(tables.patients()[1])[0]) == 0
