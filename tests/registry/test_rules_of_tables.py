"""What rules take the columns of a table for is refused when a scenario is read, not after the sampling."""

import random
from pathlib import Path

import pytest

import lem_safe
from lem_safe import cli
from lem_safe.errors import BadInput
from lem_safe.registry import load

TEXT = """
version: 1
name: t
energy:
  kind: trained
  data: {kind: file, path: t.csv, missing: keep, columns: {grade: {kind: category}, level: {kind: category}}}
  network: {kind: mixture_base, components: 2, hidden: 8, depth: 1}
  training: {steps: 2}
derived: {half: x / 2, one: x > 40, twice: half * 2, part: "min(x, 1)"}
unsafe:
  r: {kind: rule, RULE}
constraints: [{set: r, beta: 0.9}]
sampler: {kind: mixed, samples: 50, steps: 2, step_size: 0.05}
monitors: {samples: 0}
"""


def scenario(directory: Path, rule: str) -> Path:
    draw, lines = random.Random(1), ["x,total,half,twice,grade,level,few,one,part"]
    for _ in range(300):
        x, grade, few = draw.randint(1, 90), draw.choice(["1", "2.5", "3"]), draw.choice([1, 2.5])
        lines.append(f"{x},{x * 1.25:.2f},{x / 2},{x},{grade},{draw.randint(1, 3)},{few},{int(x > 40)},1")
    (directory / "t.csv").write_text("\n".join(lines) + "\n")
    path = directory / "s.yaml"
    path.write_text(TEXT.replace("RULE", rule))
    return path


REFUSED = [
    (
        'where: "total == 50"',
        "compares column 'total', which has 2 decimals, by ==; give the rule a tolerance",
    ),
    ('require: "x > 3 or total != 50"', "'total', which has 2 decimals"),
    ('where: "x + half == 3"', "'half', which has 1 decimal, by"),
    ('where: "total in (1, 2)"', "'total'"),
    ('where: "grade == 2"', "'grade', which holds other than whole numbers"),
    ('where: "few == 1"', "'few'"),
    (
        'where: "part == true"',
        "takes column 'part' for boolean, and it holds integers: compare it with numbers",
    ),
]
TAKEN = [
    'where: "x == 3"',
    'where: "twice == 2 * x"',
    'where: "level == 2"',
    'where: "total == 50", tolerance: 0.005',
    'where: "abs(total - 50) <= .005"',
    "where: \"grade == '2.5'\"",
    'where: "one == 1"',
]


@pytest.mark.parametrize(("rule", "words"), REFUSED)
def test_what_the_audit_of_the_run_would_refuse_is_refused_before(
    tmp_path: Path, rule: str, words: str
) -> None:
    with pytest.raises(BadInput) as bad:
        load(scenario(tmp_path, rule))
    assert words in str(bad.value) and len(bad.value.faults) == 1


@pytest.mark.parametrize("rule", TAKEN)
def test_what_it_takes_is_taken(tmp_path: Path, rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", str(scenario(tmp_path, rule))]) == 0
    assert "valid: t" in capsys.readouterr().out


def test_a_computed_column_of_ones_and_zeros_can_be_named_as_a_truth_value(tmp_path: Path) -> None:
    run = lem_safe.run(scenario(tmp_path, 'where: "one == true"'), out=tmp_path / "run", with_report=False)
    cells = [line.split(",") for line in (run.directory / "samples.csv").read_text().splitlines()]
    x, one = cells[0].index("x"), cells[0].index("one")
    assert all((int(row[x]) > 40) == (row[one] == "1") for row in cells[1:])
    inside = sum(row[one] == "1" for row in cells[1:])
    assert run.report.constraints[0].violations == inside > 0
