"""Runs on tables that nobody thinks of: each ends in rows of its own kind, or in a refusal by name."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import lem_safe
from lem_safe.errors import BadInput
from lem_safe.registry import load

TEXT = """
version: 1
name: t
energy:
  kind: trained
  data: {{kind: file, path: t.csv, missing: keep{more}}}
  network: {{kind: mixture_base, components: 4, hidden: 8, depth: 1}}
  training: {{steps: 3, batch_size: 32}}
unsafe: {{r: {{kind: rule, where: "{rule}"}}}}
constraints: [{{set: r, beta: 0.5}}]
sampler: {{kind: mixed, samples: 30, steps: 2, step_size: 0.05}}
filter: {{kind: gate}}
monitors: {{samples: 0}}
"""
TABLES: dict[str, tuple[str, Callable[[int], str], str, str]] = {
    "categories alone": ("a,b", lambda i: f"x{i % 2},y{i % 3}", "a == 'x1' and b == 'y2'", "x[01],y[012]"),
    "truth values": ("a,b", lambda i: f"{['TRUE', 'FALSE'][i % 2]},{i}", "a == true", r"(TRUE|FALSE),\d+"),
    "a constant": ("a,k", lambda i: f"{i % 13},7", "a > 5 and k == 7", r"\d+,7"),
    "names of every script": (
        "größe,名 前",
        lambda i: f"{i / 2},é{i % 3}",
        "`名 前` == 'é1'",
        r"\d+\.\d,é[012]",
    ),
    "mostly missing": ("a,b", lambda i: f"{'' if i % 9 else i},{i % 5}", "a > 50", r"(\"\"|\d*),[0-4]"),
    "leading zeros": ("zip,a", lambda i: f"{i % 20:05d},{i}", "zip == '00003'", r"\d{5},\d+"),
    "exponents": ("a,b", lambda i: f"{i * 1e-9:.3e},x{i % 2}", "a > 5e-8", r"\S+,x[01]"),
    "moments": (
        "t,a",
        lambda i: f"2020-01-{1 + i % 28:02d} 0{i % 9}:30,{i}",
        "t > '2020-01-09'",
        r".{16,19},\d+",
    ),
    "a column called replica": ("replica,a", lambda i: f"{i % 3},{i}", "a > 50", r"[012],\d+"),
    "few rows": ("a,b", lambda i: f"{i % 2},x{i % 2}", "a > 0", r"[01],x[01]"),
}


def written(tmp_path: Path, header: str, cells: Callable[[int], str], rule: str, more: str = "") -> Path:
    lines = [header, *(cells(i) for i in range(90))]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = tmp_path / "s.yaml"
    path.write_text(TEXT.format(rule=rule, more=more), encoding="utf-8")
    return path


@pytest.mark.simulation
@pytest.mark.parametrize("case", TABLES)
def test_rows_are_of_the_table_and_counted_as_written(tmp_path: Path, case: str) -> None:
    header, cells, rule, pattern = TABLES[case]
    run = lem_safe.run(written(tmp_path, header, cells, rule), out=tmp_path / "run", with_report=False)
    own, *lines = (run.directory / "samples.csv").read_text(encoding="utf-8").splitlines()
    assert own == header and len(lines) == 30
    assert all(re.fullmatch(pattern, line) for line in lines), lines[:3]
    again = lem_safe.audit(run.directory / "samples.csv", run.directory / "scenario.yaml")
    assert [c.violations for c in again.constraints] == [c.violations for c in run.report.constraints]


@pytest.mark.parametrize(
    ("header", "cells", "rule", "said"),
    [
        ("a,b", lambda i: f"{i},{['NULL', 'NA', 'x'][i % 3]}", "b == 'NA'", "reads as a missing cell"),
        ("a,b", lambda i: f"{i},", "a > 3", "every cell is missing"),
        ("a,b", lambda i: "1,x", "a > 3", "nothing to learn"),
        (
            "a,b",
            lambda i: f"{i},{'2020-01-01' if i else '01/02/2020'}",
            "a > 3",
            "most of its cells are dates",
        ),
        (
            "a,b,c",
            lambda i: f"{i if i else 'four'},x{i % 2},1",
            "a > 3",
            "'four', and most of its cells are numbers",
        ),
    ],
)
def test_what_is_no_table_to_learn_is_refused(
    tmp_path: Path, header: str, cells: Callable[[int], str], rule: str, said: str
) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        load(written(tmp_path, header, cells, rule))
