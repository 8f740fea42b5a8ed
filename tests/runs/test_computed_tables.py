"""Runs on a table whose columns determine one another: rules see what is written, and so does any audit."""

import csv
from pathlib import Path

import pytest
import torch
from computed_tables import broken, houses, scenario

import lem_safe
from lem_safe import cli
from lem_safe.authoring.explain import explain
from lem_safe.data.typed import RowCoordinates
from lem_safe.errors import BadInput
from lem_safe.progress import Silent
from lem_safe.registry import load, loads
from lem_safe.report.contents import read
from lem_safe.runs.more_samples import draw_into
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.table_files import write_rows


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def points(problem: Problem, n: int = 2000) -> torch.Tensor:
    codec = problem.coordinates.codec
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(n, codec.numbers, generator=generator)
    return torch.cat([z, *(torch.randint(0, k, (n, 1), generator=generator) for k in codec.sizes)], 1)


@pytest.mark.parametrize("digits", [0, 2])
@pytest.mark.parametrize("output", ["csv", "parquet"])
def test_an_audit_of_the_file_counts_what_the_filter_counts(
    tmp_path: Path, cache: Path, digits: int, output: str
) -> None:
    """Row by row, at points all over the space: of the regions over latent points, and of the file."""
    houses(tmp_path, digits)
    path = scenario(tmp_path, more=f"output: {output}")
    problem = build(load(path), progress=Silent(), cache=cache)
    assert isinstance(problem.coordinates, RowCoordinates)
    x = points(problem)
    inside = [unsafe.contains(x) for unsafe in problem.sets]
    rows = problem.coordinates.codec.rows(x).numpy()
    write_rows(tmp_path, problem, rows, moved=1.0, replicas=1, coupled=False)
    file = tmp_path / f"samples.{output}"
    for chosen in (path, _to_audit(path)):  # with the energy, and regions alone
        report = lem_safe.audit(file, chosen, missing="keep")
        assert [c.violations for c in report.constraints] == [int(part.sum()) for part in inside]
        assert report.unequal == ()
        for c, part in zip(report.constraints, inside, strict=True):
            assert all(bool(part[worst.row]) == worst.inside for worst in c.worst)
    assert all(0 < int(part.sum()) < len(x) for part in inside)


def _to_audit(path: Path) -> Path:
    """The same scenario without an energy and a sampler."""
    lines, kept, skipped = path.read_text().splitlines(), [], False
    for line in lines:
        skipped = line.startswith("energy") or (skipped and line.startswith(" "))
        if not skipped and not line.startswith(("sampler", "filter", "monitors", "output")):
            kept.append(line)
    other = path.with_name("alone.yaml")
    other.write_text("\n".join(kept) + "\n")
    return other


@pytest.mark.simulation
def test_the_run_writes_what_is_computed_and_keeps_its_promise(tmp_path: Path) -> None:
    run = lem_safe.run(scenario(tmp_path), out=tmp_path / "run", with_report=False)
    rows = rows_of(run.directory / "samples.csv")
    assert [broken(row, 2) for row in rows] == [[]] * 200 and run.report.passed
    again = lem_safe.audit(run.directory / "samples.csv", run.directory / "scenario.yaml", missing="keep")
    assert [c.violations for c in again.constraints] == [c.violations for c in run.report.constraints]
    big = [
        (row["living"] == "" and not float(row["quarter"]) > 130)
        or float(row["living"] or 0) > 190
        or float(row["quarter"]) > 130
        for row in rows
    ]
    assert sum(big) == run.report.constraints[0].violations == 0
    draw_into(tmp_path / "more.csv", run.directory, 300, seed=1, burn_in=2)
    assert [broken(row, 2) for row in rows_of(tmp_path / "more.csv")] == [[]] * 300
    contents = read(run.directory)  # what the page is made of
    assert int(contents.inside("late", contents.x).sum()) == run.report.constraints[1].violations
    frame = run.to_pandas()
    assert str(frame["living"].dtype) == "Int64" and frame["living"].isna().sum() == 0
    resolved, asked = load(run.directory / "scenario.yaml"), load(tmp_path / "houses.yaml")
    assert resolved.energy == asked.energy and resolved.fingerprint() == asked.fingerprint()


def test_a_file_of_others_is_audited_by_its_own_cells_and_what_differs_is_said(tmp_path: Path) -> None:
    """A column of a derived name is what a rule about it sees; a file without it is worked out."""
    text = """
version: 1
name: t
derived: {living: above + basement}
unsafe: {big: {kind: rule, where: "living > 100"}}
constraints: [{set: big, beta: 0}]
"""
    asked = loads(text, to_audit=True)
    (tmp_path / "a.csv").write_text("above,basement,living,more\n60,30,90,1\n60,30,190,1\n80,30,90,1\n")
    found = lem_safe.audit(tmp_path / "a.csv", asked)
    assert found.constraints[0].violations == 1
    (unequal,) = found.unequal
    assert (unequal.column, unequal.differ, unequal.rows, unequal.first) == ("living", 2, 3, 2)
    assert "Column 'living' is not above + basement in 2 of 3 rows, the first of which is row 2" in str(found)
    assert lem_safe.AuditReport.from_json(found.to_json()) == found
    (tmp_path / "b.csv").write_text("above,basement\n60,30\n60,30\n80,30\n")
    other = lem_safe.audit(tmp_path / "b.csv", asked)
    assert other.constraints[0].violations == 1 and other.unequal == ()
    (tmp_path / "c.csv").write_text("Living,above\n90,1\n190,1\n")
    alone = lem_safe.audit(tmp_path / "c.csv", asked)
    assert alone.constraints[0].violations == 1 and alone.columns == ("living",)


def test_a_file_of_others_may_lack_a_column_that_the_run_computes(tmp_path: Path) -> None:
    path = scenario(tmp_path)
    rows = rows_of(tmp_path / "houses.csv")
    whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
    for file, left_out in ((whole, ()), (part, ("living", "moved"))):
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(
                out, [name for name in rows[0] if name not in left_out], extrasaction="ignore"
            )
            writer.writeheader()
            writer.writerows(rows)
    counts = [
        [c.violations for c in lem_safe.audit(file, path, missing="keep").constraints]
        for file in (whole, part)
    ]
    assert counts[0] == counts[1] and min(counts[0]) > 0


def test_what_is_computed_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    houses(tmp_path, wrong=3)
    path = scenario(tmp_path)
    assert cli.main(["validate", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note: computed: half = above / 2.3, true in all 500 rows" in said
    assert "living computed integer (may be missing)" in said
    told = " ".join(explain(load(path)).split())
    assert "`living`: computed, above + basement, or missing" in told
    assert "Computed: living = above + basement, true in 49" in told


@pytest.mark.parametrize(
    ("derived", "columns", "more", "words"),
    [
        ("{living: half * 3, half: living / 3}", "", "", "is derived from itself: living -> half -> living"),
        ("{living: both / 2, both: living * 2}", "", "", "is derived from itself: living -> living"),
        ("{living: above + cellar}", "", "", "unknown column 'cellar' at character 9"),
        ("{living: above + days}", "", "", "is not above + days in"),
        ("{half: above / 2.3}", ", columns: {half: {range: [0, 9]}}", "", "range is for columns that are"),
        (
            "{large: living >= 150}",
            "",
            "given: {large: 'yes'}",
            "is computed as living >= 150, and samples are",
        ),
        (
            "{large: living >= 150}",
            "",
            "columns: [a, b, living, d, e, f, g, h, large, j, k]",
            "under the table's",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(
    tmp_path: Path, derived: str, columns: str, more: str, words: str
) -> None:
    path = scenario(tmp_path, derived, columns, more)
    path.write_text(path.read_text().replace("quarter > 130", "half > 130").replace("moved", "sold"))
    with pytest.raises(BadInput) as bad:
        load(path)
    assert words in str(bad.value)
    assert "columns:" in more or len(bad.value.faults) == 1


def test_an_energy_without_such_a_table_computes_nothing(tmp_path: Path) -> None:
    text = """
version: 1
name: t
energy: {kind: gaussian, mean: [0, 0], std: 1}
derived: {x1: 2 * x0}
unsafe: {big: {kind: rule, where: "x1 > 1"}}
constraints: [{set: big, beta: .1}]
sampler: {kind: langevin, samples: 10, steps: 2, step_size: .01}
"""
    with pytest.raises(
        BadInput, match="'x1' is a column that this energy has, which can be computed only in"
    ):
        loads(text)


def test_a_checkpoint_computes_what_it_was_trained_with(tmp_path: Path, cache: Path) -> None:
    from lem_safe.runs.learned_parts import Learner

    path = scenario(tmp_path)
    chosen = load(path)
    learner = Learner(chosen.seed, Silent(), cache)
    learner.make(chosen.energy, "energy")
    spec = f"energy: {{kind: checkpoint, path: {learner.parts[0].file}}}\n"
    text = path.read_text()
    begin, end = text.index("energy:"), text.index("derived:")
    path.write_text(text[:begin] + spec + text[end:])
    assert "`moved`: computed, sold + days" in " ".join(explain(load(path)).split())
    path.write_text(path.read_text().replace("moved: sold + days", "moved: sold + 7"))
    with pytest.raises(BadInput, match="'moved' is computed as sold \\+ days by this energy"):
        load(path)
    path.write_text(path.read_text().replace("moved: sold + 7, ", "mix: half, "))
    with pytest.raises(BadInput, match="'mix' is a column that this energy has"):
        load(path)


def test_a_name_that_is_no_column_changes_nothing_of_the_energy(tmp_path: Path) -> None:
    """So energies that were trained before are found in the cache."""
    plain = load(scenario(tmp_path, "{both: living * 2, quarter: half * 1.7}"))
    other = load(scenario(tmp_path, "{quarter: half * 1.7}"))
    none = load(scenario(tmp_path, "{both: living * 2}"))
    assert plain.columns == none.columns and plain.energy == other.energy
    assert "derived" not in none.energy["data"]
