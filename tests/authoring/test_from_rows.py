"""Regions of a new scenario that rows place: a few per cent are inside; and what `lem-safe new` makes of
rules.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from lem_safe import cli
from lem_safe.authoring.from_rows import KINDS, LEAST, MOST, region_of, threshold
from lem_safe.registry import load, regions
from lem_safe.runs.runner import run

pytestmark = pytest.mark.simulation

TRAINING = {
    "energy.training.steps": 20,
    "energy.network.hidden": 8,
    "sampler.samples": 200,
    "sampler.steps": 20,
}


def tables():
    rng = np.random.default_rng(0)
    yield "normal", rng.normal(size=(500, 3))
    yield "far from 0", rng.normal(1.7e9, 600.0, (400, 2))
    yield "tiny", rng.normal(0, 1e-9, (300, 1))
    yield "skewed", rng.lognormal(10, 2, (400, 2))
    yield (
        "few values",
        np.column_stack([rng.integers(0, 2, 400), rng.choice(5, 400, p=[0.5, 0.3, 0.1, 0.06, 0.04])]) * 1.0,
    )
    yield "a constant first", np.column_stack([np.ones(300), rng.normal(size=300)])
    yield "nothing above", -np.minimum(rng.exponential(size=(400, 1)), 1.5)


@pytest.mark.parametrize(("what", "rows"), list(tables()), ids=[what for what, _ in tables()])
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_per_cent_of_the_rows_are_inside(kind, what, rows):
    columns = tuple(f"c{j}" for j in range(rows.shape[1]))
    (unsafe,) = regions({"r": region_of(kind, rows, columns)}, columns).values()
    share = float(unsafe.contains(torch.from_numpy(rows.astype(float))).double().mean())
    assert LEAST <= share <= MOST or (kind == "ball" and what == "few values"), (kind, what, share)


def test_a_kind_that_rows_do_not_place_and_the_first_column_that_will_do():
    assert region_of("polygon", np.zeros((3, 2)), ("a", "b")) is None
    rows = np.column_stack([np.zeros(100), np.arange(100.0)])
    assert threshold(rows)[:2] == (1, 1)


def written(tmp_path: Path, *arguments: str):
    rng = np.random.default_rng(1)
    rows = np.column_stack([rng.normal(50, 9, 300), rng.lognormal(3.6, 0.4, 300)])
    np.savetxt(tmp_path / "loans.csv", rows, "%.1f", ",", header="income,loan", comments="")
    return cli.main(["new", str(tmp_path / "s.yaml"), "--data", str(tmp_path / "loans.csv"), *arguments])


@pytest.mark.parametrize("arguments", [(), ("--rule", "loan > income", "--rule", "income < 30")])
def test_what_is_written_over_data_says_how_many_rows_break_it_and_passes(
    arguments, tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    assert written(tmp_path, *arguments) == 0
    scenario = load(tmp_path / "s.yaml", TRAINING)
    assert scenario.sampler.init == {"kind": "data", "outside": True}
    assert list(scenario.unsafe) == (["rule_1", "rule_2"] if arguments else ["keep_out"])
    done = run(scenario, out=tmp_path / "run", with_report=False)
    assert done.report.passed
    for command in ("validate", "explain"):
        capsys.readouterr()
        assert cli.main([command, str(tmp_path / "s.yaml")]) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert "of 300 rows of the data (" in told and told.count("is tolerated") == len(scenario.unsafe)


def test_what_is_wrong_with_a_rule_or_a_row_is_told_where_it_is(tmp_path: Path, capsys):
    assert written(tmp_path, "--rule", "loan > incom") == 2
    assert "--rule: rule: unknown column 'incom'" in capsys.readouterr().err
    assert written(tmp_path, "--rule", "loan > income", "--set-kind", "ball") == 2
    assert "--rule: goes with --set-kind rule alone; got ball" in capsys.readouterr().err
    (tmp_path / "bad.csv").write_text("income,loan\n1.5,2\n3.5,x\n")
    assert cli.main(["new", str(tmp_path / "t.yaml"), "--data", str(tmp_path / "bad.csv")]) == 2
    assert "bad.csv:3: column 'loan': 'x' is not a number" in capsys.readouterr().err
    (tmp_path / "flat.csv").write_text("a,b\n" + "".join(f"{i}.5,1\n" for i in range(50)))
    assert cli.main(["new", str(tmp_path / "t.yaml"), "--data", str(tmp_path / "flat.csv")]) == 2
    assert "column 'b' is constant" in capsys.readouterr().err
