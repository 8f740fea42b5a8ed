"""Samples beside the data their energy was learned from: what is told before training, and after, in the
terminal, the page and run.json.
"""

import json
import warnings

import numpy as np
import pytest

from lem_safe import cli
from lem_safe.data.concerns import Concern, concerns
from lem_safe.data.images import NoisePictures
from lem_safe.data.sources import FileTable
from lem_safe.runs.fidelity import fidelity

pytestmark = pytest.mark.simulation


def table(tmp_path, x, names):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([",".join(names), *(",".join(map(repr, row)) for row in x.tolist())]) + "\n")
    return FileTable(path)


@pytest.mark.parametrize(
    ("n", "d", "few"), [(39, 4, True), (40, 4, False), (9, 1, True), (10, 1, False), (599, 60, True)]
)
def test_few_rows_are_told(tmp_path, n, d, few):
    source = table(tmp_path, np.random.default_rng(0).normal(size=(n, d)), [f"c{i}" for i in range(d)])
    said = concerns(source, source.load(0))
    assert len(said) == few and (not few or f"{n:,} rows are few for {d} columns" in said[0].text)


def test_pictures_are_no_columns():
    source = NoisePictures(size=8, samples=4)
    rows = source.load(0)
    assert len(source.columns) > 4 and concerns(source, rows) == ()


def test_a_column_that_turns_negative_is_named_with_its_cause():
    rng = np.random.default_rng(1)
    rows, x = rng.exponential(1.0, (500, 2)), rng.exponential(1.0, (500, 2))
    x[:, 1] = rng.normal(1.0, 1.0, 500)
    (said,) = fidelity(rows, x, ["a", "b"]).warnings()
    assert "Column 'b'" in said and "never negative in the data and negative in" in said and "'a'" not in said
    few = (Concern("data: 12 rows are few", "the data have few rows for so many columns", None),)
    assert "few rows for so many columns" in fidelity(rows, x, ["a", "b"]).warnings(few)[0]


@pytest.mark.parametrize("d", [1, 60])
def test_draws_of_one_distribution_are_like_each_other(d):
    y, x = np.random.default_rng(2).normal(size=(2, 700, d))
    found = fidelity(y, x, [f"c{i}" for i in range(d)])
    assert (
        found.warnings() == [] and "like the data" in found.line and (found.correlation is None) == (d == 1)
    )


def test_a_column_without_spread_has_no_ratio():
    y, x = np.ones((50, 2)), np.random.default_rng(3).normal(1.0, 1.0, (50, 2))
    found = fidelity(y, x, ["a", "b"])
    assert (
        [c.spread for c in found.columns] == [None, None]
        and found.correlation is None
        and "outside" in found.columns[0].bad
    )


SCENARIO = """\
version: 1
name: weather
energy: {kind: trained, data: {kind: file, path: t.csv},
  network: {kind: mlp, hidden: 16, depth: 2}, loss: {kind: denoising}, training: {steps: 40}}
unsafe: {hot: {kind: rule, where: "temp > 35"}}
constraints: [{set: hot, beta: 0.1}]
sampler: {kind: langevin, samples: 300, steps: 20, step_size: 0.01, init: {kind: data}}
filter: {kind: gate}
"""


def test_a_code_for_a_missing_value_from_validate_to_the_page(tmp_path, capsys):
    rng = np.random.default_rng(4)
    x = np.column_stack([rng.normal(20.0, 3.0, 400), rng.normal(50.0, 9.0, 400)]).round(1)
    x[:12, 0] = -9999.0
    table(tmp_path, x, ["temp", "hum"])
    path, code = tmp_path / "s.yaml", "12 of 400 rows (3 %) are exactly -9999"
    path.write_text(SCENARIO)
    assert cli.main(["validate", str(path)]) == 0
    assert f"{path}: warning: data: column 'temp': {code}" in capsys.readouterr().out
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        status = cli.main(["run", str(path), "--out", str(tmp_path / "out")])
    said = capsys.readouterr()
    assert status in (0, 1) and said.err.index(code) < said.err.index("training the energy")
    assert (
        "Fidelity: unfiltered samples are far from the data: " in said.out
        and f"the likely cause: {code}" in said.out
    )
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    found = about["fidelity"]
    assert (
        [c["column"] for c in found["columns"]] == ["temp", "hum"]
        and found["line"] in said.out
        and code in about["data"][0]
    )
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Is the energy like its data?" in page and code in page
    assert (
        np.isfinite([c["distance"] for c in found["columns"]]).all()
        and "distance" in found["columns"][0]["bad"]
    )


def test_an_energy_without_data_has_no_line(tmp_path, capsys):
    assert cli.main(
        ["run", "ring_keep_out", "--samples", "40", "--steps", "2", "--out", str(tmp_path / "out")]
    ) in (0, 1)
    assert (
        "Fidelity" not in capsys.readouterr().out
        and "fidelity" not in (tmp_path / "out" / "run.json").read_text()
    )


@pytest.mark.parametrize(("n", "words"), [(100, "below 60 rows"), (120, None), (19, "rows are few")])
def test_few_rows_for_the_correlations_of_a_table_are_told(tmp_path, n, words):
    x = np.random.default_rng(0).normal(size=(n, 2))
    table(tmp_path, x, ["a", "b"])
    source = FileTable(tmp_path / "t.csv", missing="keep")
    said = concerns(source, source.load(0))
    assert [words in concern.text for concern in said] == ([True] if words else [])


@pytest.mark.parametrize("constant", [0.524928, 0.1, 1e-30, 7e12])
def test_columns_that_are_constant_but_for_rounding_have_no_spread_and_no_correlation(constant):
    y = np.random.default_rng(0).normal(size=(96, 3))
    y[:, 1] = constant
    found = fidelity(y, np.float32(y[:50]).astype(np.float64), ["a", "b", "c"])
    assert found.columns[1].spread is None
    assert found.correlation is not None and "b" not in found.correlation[:2]
    json.dumps(found.to_dict(()), allow_nan=False)
