"""Columns that others determine are found, and nothing else."""

import csv
from pathlib import Path

import numpy as np
import pytest

from lem_safe import cli
from lem_safe.authoring.relations import Relation, in_file
from lem_safe.registry import equal_in, load


def written(path: Path, columns: dict[str, list[str]]) -> Path:
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *map(",".join, rows)]) + "\n")
    return path


def table(directory: Path, n: int = 2000, wrong: int = 1) -> Path:
    rng = np.random.default_rng(0)
    a, b = rng.integers(20, 300, n), rng.integers(1, 90, n)
    price, flag = rng.gamma(2, 9, n).round(2), rng.integers(0, 2, n)
    total = a + b
    total[:wrong] += 1
    columns = {
        "a": a,
        "first part": b,
        "total": total,
        "flag": flag,
        "other": 1 - flag,
        "price": [f"{v:.2f}" for v in price],
        "worth": [f"{v:.2f}" for v in np.floor(price * b * 100 + 0.5) / 100],
        "mean": [f"{v:.4f}" for v in a / b],
        "most": np.maximum(a, 3 * b),
        "near": total + rng.integers(-1, 2, n),
        "kind": np.where(rng.random(n) < 0.5, "x", "y"),
        "rare": (rng.random(n) < 0.004).astype(int),
    }
    return written(directory / "t.csv", {name: list(map(str, values)) for name, values in columns.items()})


def test_what_others_determine_is_found_with_the_line_that_computes_it(tmp_path: Path) -> None:
    found = in_file(table(tmp_path), None, None)
    assert {(r.column, r.formula, r.equal) for r in found} == {
        ("total", "a + `first part`", 1999),
        ("flag", "1 - other", 2000),
        ("worth", "`first part` * price", 2000),
        ("mean", "a / `first part`", 2000),
    }


def test_too_many_rows_that_differ_are_no_relation(tmp_path: Path) -> None:
    assert "total" not in {r.column for r in in_file(table(tmp_path, wrong=3), None, None)}


def test_new_says_them_and_its_scenario_takes_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, path = table(tmp_path), tmp_path / "s.yaml"
    assert cli.main(["new", str(path), "--data", str(data)]) == 0
    said = capsys.readouterr().out
    assert "column 'mean' is a / `first part` in all 2,000 rows; derived: {mean: a / `first part`}" in said
    path.write_text(path.read_text().replace("unsafe:", "derived: {total: a + `first part`}\nunsafe:", 1))
    assert cli.main(["validate", str(path)]) == 0
    assert "computed: total = a + `first part`, true in 1,999 of 2,000 rows" in capsys.readouterr().out


def test_a_file_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    assert in_file(tmp_path / "none.csv", None, None) == []
    assert Relation("t", "a", 3, 4).in_words().startswith("column 't' is a in 3 of 4 rows")


NAMES = [
    "unit price",
    "sum, all",
    "a: b",
    "größe",
    "max",
    "e",
    "pi",
    "true",
    "h #",
    "null",
    "yes",
    "2nd",
    "if",
    "- k",
    "x`y",
]


def scenario_of(data: Path, line: str) -> Path:
    path = data.with_suffix(".yaml")
    path.write_text(f"""
version: 1
name: t
energy: {{kind: trained, data: {{kind: file, path: t.csv}}, network: {{kind: mixture_base}}}}
{line}
unsafe: {{r: {{kind: rule, where: "kind == 'x'"}}}}
constraints: [{{set: r, beta: 0.9}}]
sampler: {{kind: mixed, samples: 10, steps: 2, step_size: 0.05}}
""")
    return path


@pytest.mark.parametrize("first", range(0, len(NAMES), 2))
def test_every_line_that_is_said_is_taken_and_true(tmp_path: Path, first: int) -> None:
    """Whatever the columns are called: those that make others, and those that are made."""
    rng = np.random.default_rng(1)
    a, b, c = rng.integers(1, 900, (3, 300))
    one, other, made = ((NAMES * 2)[first + i] for i in range(3))
    kind = np.where(a > 400, "x", "y")
    parts = {one: a, "kind": kind, other: b, made: np.minimum(a, b), "c": c, "less": 12345678901234 - c}
    data = tmp_path / "t.csv"
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([list(parts), *zip(*parts.values(), strict=True)])
    found = in_file(data, None, None)
    assert {relation.column for relation in found} == {made, "c"}
    for relation in found:
        line = relation.in_words().partition("; ")[2]
        (equal,) = equal_in(load(scenario_of(data, line)).energy)
        assert (equal.column, equal.differ, equal.apart) == (relation.column, 0, 0)


def test_what_new_writes_of_a_table_with_a_word_of_rules_for_a_name_is_taken(tmp_path: Path) -> None:
    a = list(map(str, range(300)))
    data = written(tmp_path / "t.csv", {"if": a, "kind": ["x", "y", "z"] * 100})
    assert cli.main(["new", str(tmp_path / "s.yaml"), "--data", str(data)]) == 0


def test_a_copy_is_said_to_be_the_other_column_and_constants_are_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(1, 900, 300), rng.integers(1, 90, 300)
    columns = {
        "a": a.tolist(),
        "same": a.tolist(),
        "b": [f"{v / 10:.1f}" for v in b],
        "rest": [f"{(3 - int(v)) / 10:.1f}" for v in b],
    }
    path = written(tmp_path / "t.csv", {name: list(map(str, cells)) for name, cells in columns.items()})
    found = {(r.column, r.formula) for r in in_file(path, None, None)}
    assert found == {("a", "same"), ("b", "0.3 - rest")}
