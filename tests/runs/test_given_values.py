"""Runs under values that are given of ordered columns: every written row has them, under every filter."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from order_tables import scenario

import lem_safe
from lem_safe.errors import BadInput
from lem_safe.registry import load
from lem_safe.runs.more_samples import draw_into

GIVEN = "given: {price: 20.5, ordered: 2021-03-01, kind: new, items: 4}"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def shown(rows: list[dict[str, str]], *names: str) -> set[tuple[str, ...]]:
    return {tuple(row[name] for name in names) for row in rows}


@pytest.mark.simulation
@pytest.mark.parametrize("chosen", ["{kind: gate}", "{kind: tilt, multipliers: [9, 2, 1]}"])
def test_every_row_has_the_values_and_the_rules_hold(tmp_path: Path, chosen: str) -> None:
    path = scenario(tmp_path, chosen, GIVEN)
    run = lem_safe.run(path, out=tmp_path / "run", with_report=False)
    rows = rows_of(run.directory / "samples.csv")
    held = {("20.50", "2021-03-01", "new", "4")}
    assert shown(rows, "price", "ordered", "kind", "items") == held
    assert len(shown(rows, "region", "sent", "rating")) > 20
    early = sum(np.datetime64(row["sent"]) < np.datetime64("2021-03-04") for row in rows)
    assert early == run.report.constraints[0].violations and ("tilt" in chosen or early == 0)
    draw_into(tmp_path / "more.csv", run.directory, 40, seed=5)
    assert shown(rows_of(tmp_path / "more.csv"), "price", "ordered", "kind", "items") == held


NUMBERS = """
version: 1
name: numbers
energy:
  kind: trained
  data: {{kind: file, path: numbers.csv, columns: {{a: {{digits: 2}}, b: {{digits: 2}}}}}}
  network: {{kind: mixture_base, components: 4, hidden: 16, depth: 2}}
  training: {{steps: 40, batch_size: 64}}
unsafe: {{far: {{kind: rule, where: "a + b > 2"}}}}
constraints: [{{set: far, beta: 0.02}}]
sampler: {{kind: {sampler}, samples: 200, steps: 30, step_size: 0.05}}
filter: {{kind: step}}
given: {{a: 1.25}}
"""


@pytest.mark.simulation
@pytest.mark.parametrize("sampler", ["mixed", "langevin"])
def test_a_filter_that_moves_points_leaves_them(tmp_path: Path, sampler: str) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    b = 0.8 * a + 0.6 * rng.normal(size=400)
    lines = ["a,b", *(f"{x:.2f},{y:.2f}" for x, y in zip(a, b, strict=True))]
    (tmp_path / "numbers.csv").write_text("\n".join(lines) + "\n")
    path = tmp_path / "numbers.yaml"
    path.write_text(NUMBERS.format(sampler=sampler))
    run = lem_safe.run(path, out=tmp_path / "run", with_report=False)
    rows = rows_of(run.directory / "samples.csv")
    assert shown(rows, "a") == {("1.25",)}
    b = np.array([float(row["b"]) for row in rows])
    assert b.std() > 0.1 and (b > 0.75).sum() == run.report.constraints[0].violations <= 4


REFUSED = {
    "given: {price: 900}": "is outside the column's range, from",
    "given: {price: 20.555}": "is written as 20.56 in this column",
    "given: {price: cheap}": "must be a number; got 'cheap'",
    "given: {price: true}": "must be a number; got True",
    "given: {price: null}": "no cell of 'price' is missing",
    "given: {ordered: 1999-01-01}": "is outside the column's range, from 2021-01-",
    "given: {ordered: 17}": "must be a date, such as 2021-03-01; got 17",
    "given: {items: 2.5}": "can be one of '1', '2'",
    "given: {rating: 9}": "can be one of",
}


@pytest.mark.parametrize("given", REFUSED)
def test_values_that_a_column_cannot_have_are_refused_by_name(tmp_path: Path, given: str) -> None:
    with pytest.raises(BadInput, match=re.escape(REFUSED[given])) as bad:
        load(scenario(tmp_path, more=given))
    (name,) = re.findall(r"{(\w+):", given)
    assert f"given.{name}" in str(bad.value)
