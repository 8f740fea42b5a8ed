"""Runs on a table of columns of every type: what is promised holds in the file that is written."""

import csv
import json
import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from order_tables import HEADER, scenario

import lem_safe
from lem_safe.errors import BadInput
from lem_safe.progress import Silent
from lem_safe.registry import load
from lem_safe.runs.more_samples import draw_into
from lem_safe.runs.problem import build

PATTERNS = {
    "kind": "new|used",
    "region": "south|north, far|east",
    "price": r"\d+\.\d\d",
    "items": r"\d+",
    "ordered": r"\d{4}-\d\d-\d\d",
    "sent": r"\d{4}-\d\d-\d\d",
    "days": r"\d+",
    "rating": "[1-5]?",
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> lem_safe.Run:
    directory = tmp_path_factory.mktemp("orders")
    return lem_safe.run(scenario(directory), out=directory / "run", with_report=False)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def inside(row: dict[str, str]) -> tuple[bool, bool, bool]:
    """The three rules in plain Python, on the cells as written."""
    ordered, sent = date.fromisoformat(row["ordered"]), date.fromisoformat(row["sent"])
    price, items = float(row["price"]), int(row["items"])
    return (
        sent < ordered + timedelta(3),
        row["kind"] == "new" and not price >= 10,
        price * items > 600 or (row["region"] == "north, far" and row["rating"] == ""),
    )


def test_the_file_is_one_of_the_program_that_wrote_the_data(done: lem_safe.Run) -> None:
    rows = rows_of(done.directory / "samples.csv")
    assert len(rows) == 300 and list(rows[0]) == HEADER.split(",")
    for name, pattern in PATTERNS.items():
        assert all(re.fullmatch(pattern, row[name]) for row in rows), name
    data = rows_of(done.directory.parent / "orders.csv")
    for name in ("price", "items", "days"):
        own = [float(row[name]) for row in data]
        assert all(min(own) <= float(row[name]) <= max(own) for row in rows), name
    share = np.mean([row["rating"] == "" for row in rows])
    assert 0.1 < share < 0.5  # which cells are missing is modelled


def test_the_filter_counts_what_a_stranger_counts_in_the_file(done: lem_safe.Run) -> None:
    rows = rows_of(done.directory / "samples.csv")
    counts = np.sum([inside(row) for row in rows], axis=0).tolist()
    assert counts == [c.violations for c in done.report.constraints]
    assert (done.trace["fraction"][-1] * 300).round().tolist() == counts
    assert counts[0] == 0 and counts[1] <= 6 and counts[2] <= 15
    assert done.report.passed and all(c.guarantee and c.guarantee.holds for c in done.report.constraints)
    free = np.load(done.directory / "reference.npz")["fraction"][-1]
    assert free[0] > 0.01  # without the filter rows are sent too early


def test_an_audit_of_the_file_is_the_audit_of_the_run(done: lem_safe.Run) -> None:
    """Also by itself, beside nothing but its facts: one filtered cloud, for which no bound is claimed."""
    again = lem_safe.audit(done.directory / "samples.csv", done.directory / "scenario.yaml", missing="keep")
    for ours, theirs in zip(again.constraints, done.report.constraints, strict=True):
        assert ours.violations == theirs.violations
        assert not ours.bound_claimed
    facts = json.loads((done.directory / "samples.csv.json").read_text())
    assert facts["coupled"] and facts["samples"] == 300
    moved = done.directory.parent / "moved.csv"
    moved.write_bytes((done.directory / "samples.csv").read_bytes())
    alone = lem_safe.audit(moved, done.directory / "scenario.yaml", missing="keep")
    assert [c.violations for c in alone.constraints] == [c.violations for c in done.report.constraints]


def test_a_frame_has_the_types_of_the_columns(done: lem_safe.Run) -> None:
    frame = done.to_pandas()
    assert list(frame.columns) == HEADER.split(",") and len(frame) == 300
    kinds = [str(kind) for kind in frame.dtypes]
    assert kinds[2] == "float64" and kinds[3] == "Int64" and kinds[4].startswith("datetime64")
    assert int(frame["rating"].isna().sum()) == sum(
        r["rating"] == "" for r in rows_of(done.directory / "samples.csv")
    )


@pytest.mark.simulation
@pytest.mark.parametrize("chosen", ["{kind: tilt, multipliers: [9, 2, 1]}", "{kind: reject}", "{kind: none}"])
def test_other_filters_count_rows_too(tmp_path: Path, chosen: str) -> None:
    start = ", init: {kind: data, outside: true}" if "reject" in chosen else ""
    run = lem_safe.run(scenario(tmp_path, chosen, init=start), out=tmp_path / "run", with_report=False)
    counts = np.sum([inside(row) for row in rows_of(run.directory / "samples.csv")], axis=0).tolist()
    assert counts == [c.violations for c in run.report.constraints]
    assert "reject" not in chosen or counts == [0, 0, 0]


@pytest.mark.simulation
def test_samples_have_the_values_that_are_given(tmp_path: Path) -> None:
    run = lem_safe.run(
        scenario(tmp_path, more="given: {region: east, rating: null}"),
        out=tmp_path / "run",
        with_report=False,
    )
    rows = rows_of(run.directory / "samples.csv")
    assert {(row["region"], row["rating"]) for row in rows} == {("east", "")}
    assert len({row["price"] for row in rows}) > 100


@pytest.mark.simulation
def test_parquet_holds_the_same_rows(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = scenario(tmp_path)
    text = lem_safe.run(path, out=tmp_path / "csv", with_report=False)
    path = scenario(tmp_path, more="output: parquet")
    run = lem_safe.run(path, out=tmp_path / "parquet", with_report=False)
    table = pq.read_table(run.directory / "samples.parquet").to_pydict()
    rows = rows_of(text.directory / "samples.csv")
    assert [str(v) for v in table["ordered"]] == [row["ordered"] for row in rows]
    assert [float(row["price"]) for row in rows] == table["price"]
    assert ["" if v is None else str(v) for v in table["rating"]] == [row["rating"] for row in rows]
    assert [c.violations for c in run.report.constraints] == [c.violations for c in text.report.constraints]


@pytest.mark.simulation
def test_replicas_are_clouds_of_rows(tmp_path: Path) -> None:
    path = scenario(tmp_path, more="audit: {replicas: 3}")
    run = lem_safe.run(path, out=tmp_path / "run", samples=100, with_report=True)
    rows = rows_of(run.directory / "samples.csv")
    assert len(rows) == 300
    assert run.report.passed and "clouds" in run.report.assumes
    again = lem_safe.audit(run.directory / "samples.csv", run.directory / "scenario.yaml", missing="keep")
    assert again.unit == "cloud"
    assert (run.directory / "report.html").is_file()


REFUSED = {
    "a drift filter": ("{kind: drift}", "", "", "use gate, tilt or reject"),
    "a step filter": ("{kind: step}", "", "", "'step' follows the distance"),
    "a chain of them": (
        "{kind: chain, filters: [{kind: drift}, {kind: gate}]}",
        "",
        "",
        "follows the distance",
    ),
    "a normal start": (
        "{kind: gate}",
        "",
        ", init: {kind: gaussian, mean: [0, 0, 0, 0, 0, 0, 0, 0], std: 1}",
        "no categories or digits",
    ),
    "an unknown column": ("{kind: gate}", "given: {regio: east}", "", "no column is named 'regio'"),
    "an unknown value": ("{kind: gate}", "given: {region: west}", "", "can be one of 'south', 'east'"),
    "a penalty": (
        "{kind: gate}",
        "penalties: [{weight: .1, energy: {kind: gaussian, mean: [0, 0, 0, 0, 0, 0, 0, 0], std: 1}}]",
        "",
        "cannot be subtracted",
    ),
    "another format": ("{kind: gate}", "output: xlsx", "", "must be csv or parquet"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_rows_cannot_do_is_refused_before_anything_runs(tmp_path: Path, case: str) -> None:
    chosen, more, init, said = REFUSED[case]
    with pytest.raises(BadInput, match=re.escape(said)):
        load(scenario(tmp_path, chosen, more, init))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: mixed", "kind: langevin", "moves numbers alone"),
        ("kind: mixture_base, components: 8, ", "kind: mlp, ", "use network: {kind: mixture_base}"),
        ("steps: 40, ", "steps: 40, smoothing: 0.1, ", "leave smoothing out"),
        ("missing: keep", "missing: error", "model them with missing: keep"),
        ("sent < ordered + 3", "snet < ordered", "did you mean"),
        ("kind == 'new'", "kind < 'new'", "is for numbers and dates"),
        ("missing: keep", "missing: keep, columns: {price: {kind: integer}}", "is not a whole number"),
    ],
)
def test_what_does_not_fit_the_table_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = scenario(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BadInput, match=re.escape(said)):
        load(path)


def test_a_composition_of_rows_is_refused(tmp_path: Path) -> None:
    path = scenario(tmp_path)
    text = path.read_text()
    inner = text[text.index("  kind: trained") : text.index("derived:")]
    member = "\n".join("    " + line for line in inner.splitlines())
    path.write_text(text.replace(inner, "  kind: conjunction\n  energies:\n    -\n" + member + "\n"))
    with pytest.raises(BadInput, match="cannot be part of a composition"):
        load(path)


@pytest.mark.simulation
def test_it_starts_at_rows_of_the_table(tmp_path: Path) -> None:
    path = scenario(tmp_path, init=", init: {kind: data}")
    problem = build(load(path), progress=Silent())
    from lem_safe.keys import Key
    from lem_safe.runs.starting import start

    x = problem.coordinates.saved(start(problem, Key(0)))
    data = problem.data
    assert data is not None
    known = {tuple(np.nan_to_num(row, nan=-1.0)[[0, 1, 3, 4, 5, 6, 7]]) for row in data.values.numpy()}
    mine = np.nan_to_num(x.numpy(), nan=-1.0)[:, [0, 1, 3, 4, 5, 6, 7]]
    assert all(tuple(row) in known for row in mine)


@pytest.mark.simulation
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_more_samples_are_rows_as_written(done: lem_safe.Run, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"more.{suffix}"
    draw_into(path, done.directory, 50, seed=7)
    report = lem_safe.audit(path, done.directory / "scenario.yaml")  # its facts say that cells may be missing
    assert report.rows == 50 and not any(c.bound_claimed for c in report.constraints)
    if suffix == "csv":
        rows = rows_of(path)
        assert list(rows[0]) == HEADER.split(",")
        counts = np.sum([inside(row) for row in rows], axis=0).tolist()
        assert counts == [c.violations for c in report.constraints]
