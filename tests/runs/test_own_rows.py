"""How many of one's own rows are inside each region, and a start at the others."""

from pathlib import Path

import numpy as np
import pytest

from lem_safe import cli
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import load, loads
from lem_safe.runs.own_rows import own_rows
from lem_safe.runs.problem import build
from lem_safe.runs.starting import start

TEXT = """\
version: 1
name: own
energy:
  kind: trained
  data: {{kind: file, path: rows.csv}}
  network: {{kind: mlp, hidden: 4, depth: 1}}
  training: {{steps: 2, batch_size: 8}}
unsafe: {{high: {{kind: rule, where: a >= {high}}}, low: {{kind: rule, where: b > 99}}}}
constraints: [{{set: high, beta: 0.1}}, {{set: low, beta: 0.1}}]
sampler: {{kind: langevin, samples: 60, steps: 2, step_size: 0.001, init: {init}}}
filter: {{kind: gate}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.arange(40.0), rng.normal(size=40)])
    np.savetxt(tmp_path / "rows.csv", rows, "%.3f", ",", header="a,b", comments="")
    return tmp_path


def scenario(folder: Path, high: float, init: str = "{kind: data, outside: true}"):
    (folder / "s.yaml").write_text(TEXT.format(high=high, init=init))
    return load(folder / "s.yaml")


def test_counts_and_shares_are_those_of_the_rows(folder):
    told = own_rows(scenario(folder, 31))
    assert told == ["9 of 40 rows of the data (22.5 %) are inside high, of which 10 % is tolerated"]
    assert own_rows(scenario(folder, 39)) == [
        "1 of 40 rows of the data (2.5 %) is inside high, of which 10 % is tolerated"
    ]
    assert own_rows(scenario(folder, 40)) == []


def test_a_start_outside_is_at_the_other_rows_alone(folder):
    problem = build(scenario(folder, 31), progress=Silent())
    assert problem.rows is not None and len(problem.rows) == 31 and float(problem.rows[:, 0].max()) == 30
    x = problem.coordinates.saved(start(problem, Key(0)))
    assert set(x[:, 0].round().tolist()) == set(range(31))
    whole = build(scenario(folder, 31, "{kind: data}"), progress=Silent())
    assert whole.rows is not None and len(whole.rows) == 40


def test_a_region_that_holds_every_row_is_refused_with_a_way_out(folder):
    with pytest.raises(BadInput, match=r"sampler\.init\.outside: all 40 rows .* make the regions smaller"):
        build(scenario(folder, -1), progress=Silent())


def test_a_run_says_it_before_it_samples(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "s.yaml").write_text(TEXT.format(high=31, init="{kind: data}"))
    assert cli.main(["run", "s.yaml", "--out", "o", "--no-report"]) in (0, 1)
    err = capsys.readouterr().err
    assert err.index("9 of 40 rows of the data (22.5 %) are inside high") < err.index("unfiltered")


@pytest.mark.parametrize(
    ("columns", "message"), [("['  ', b]", "no usable name"), ("[a b, a_b]", "column names must differ")]
)
def test_names_that_could_not_be_read_back_are_refused_before_anything_is_sampled(columns, message):
    text = f"""\
version: 1
name: unreadable
columns: {columns}
energy: {{kind: gaussian, mean: [0, 0], std: 1}}
unsafe: {{near: {{kind: ball, center: [0, 0], radius: 1}}}}
constraints: [{{set: near, beta: 0.1}}]
sampler: {{kind: langevin, samples: 60, steps: 2, step_size: 0.001}}
"""
    with pytest.raises(BadInput, match=message):
        build(loads(text), progress=Silent())
