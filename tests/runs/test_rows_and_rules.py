"""Where what a filter counts and what an audit counts in the file could part: each case once did."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from row_energies import mixture

import lem_safe
from lem_safe.auditor.opening import open_samples
from lem_safe.errors import BadInput
from lem_safe.registry import load

TEXT = """
version: 1
name: t
{columns}
energy:
  kind: trained
  data: {{kind: file, path: t.csv, missing: keep{more}}}
  network: {{kind: mixture_base, components: 4, hidden: 8, depth: 1}}
  training: {{steps: 3, batch_size: 32}}
unsafe: {{r: {{kind: rule, where: "{rule}"}}}}
constraints: [{{set: r, beta: 0.4}}]
sampler: {{kind: mixed, samples: 60, steps: 3, step_size: 0.05{init}}}
filter: {{kind: gate}}
monitors: {{samples: 0}}
"""
Cells = Callable[[int], str]


def written(
    tmp_path: Path, head: str, cells: Cells, rule: str, more: str = "", columns: str = "", init: str = ""
) -> Path:
    lines = [head, *(cells(i) for i in range(120))]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = tmp_path / "s.yaml"
    path.write_text(TEXT.format(rule=rule, more=more, columns=columns, init=init), encoding="utf-8")
    return path


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("head", "cells", "rule", "more", "columns"),
    [
        ("min,k", lambda i: f"{i % 40 if i % 5 else ''},x{i % 2}", "min is not missing and min > 25", "", ""),
        ("e,k", lambda i: f"{i % 40},x{i % 2}", "e > 25", "", ""),
        (
            "code,price",
            lambda i: f"{i % 3},{i}.5",
            "Nr <= 0",
            ", columns: {code: {kind: category}}",
            "columns: [Nr, cost]",
        ),
        ("k,a", lambda i: f'"#{i % 3}",{i}', "k == '#1'", "", ""),
        (
            "t,a",
            lambda i: f"2021-01-{1 + i % 28:02d}T10:00:0{i % 9}.{i % 2}5,{i}",
            "t > '2021-01-20'",
            "",
            "",
        ),
        ("replica,a", lambda i: f"{i % 3},{i if i % 4 else ''}", "a > 90", "", ""),
        ("flag,a", lambda i: f"{i % 2},{i}.5", "flag == true", "", ""),
    ],
)
def test_the_filter_counts_what_the_audit_counts_in_the_file(
    tmp_path: Path, head: str, cells: Cells, rule: str, more: str, columns: str
) -> None:
    path = written(tmp_path, head, cells, rule, more, columns)
    run = lem_safe.run(path, out=tmp_path / "run", with_report=False)
    (constraint,) = run.report.constraints
    assert round(float(run.trace["fraction"][-1, 0]) * 60) == constraint.violations
    again = lem_safe.audit(run.directory / "samples.csv", run.directory / "scenario.yaml")
    assert again.constraints[0].violations == constraint.violations and not again.constraints[0].bound_claimed
    assert len(run.to_pandas()) == 60


@pytest.mark.parametrize(
    ("cells", "rule", "said"),
    [
        (lambda i: f"{i % 3},x{i % 2}", "a == '1'", "takes column 'a' for text, and it holds integers"),
        (lambda i: f"{i % 3},x{i % 2}", "a == true", "for boolean, and it holds integers"),
        (lambda i: f"{i},x{i % 2}", "a >= '2020-01-01'", "for date, and it holds integers"),
        (lambda i: f"{i},x{i % 2}", "b < 3", "'x0' is not number"),
    ],
)
def test_rules_that_take_a_column_for_something_else_are_refused(
    tmp_path: Path, cells: Cells, rule: str, said: str
) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        load(written(tmp_path, "a,b", cells, rule))


@pytest.mark.simulation
def test_missing_cells_are_bare_and_facts_are_of_one_file(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b", lambda i: f"{i if i % 3 else ''},x{i % 2}", "a > 60")
    run = lem_safe.run(path, out=tmp_path / "run", with_report=False)
    file = run.directory / "samples.csv"
    lines = file.read_text().splitlines()
    assert any(line.startswith(",") for line in lines) and not any('""' in line for line in lines)
    assert open_samples(file).coupled and open_samples(file).gaps == "keep"
    file.write_text("\n".join(lines[:-1]) + "\n")  # another file of the same name
    assert json.loads((run.directory / "samples.csv.json").read_text())["coupled"]
    assert not open_samples(file).coupled and open_samples(file).gaps == "error"


@pytest.mark.simulation
def test_no_start_at_a_row_is_rounded_into_a_region(tmp_path: Path) -> None:
    """Prices finer than float32: a row just outside stays outside, or another row starts in its place."""

    def cells(i: int) -> str:
        return f"{302769.47 + 0.37 * i:.2f},x{i % 2}"

    path = written(
        tmp_path, "price,b", cells, "price < 302790.00", init=", init: {kind: data, outside: true}"
    )
    run = lem_safe.run(path, out=tmp_path / "run", with_report=False)
    assert float(run.trace["start"][0]) == 0.0


def test_a_code_without_mass_is_never_drawn() -> None:
    conditioned = mixture().given({0: 1})
    n = 50
    x = conditioned.draws(
        torch.full((n,), 0.5, dtype=torch.float64), torch.zeros(n, 1).double(), torch.zeros(n, 2).double()
    )
    assert bool((x[:, 1] == 1).all()) and bool(conditioned(x).isfinite().all())
