"""Regions that cover everything or nothing, and starts and regions a million spreads away: a run ends in
counts, whatever its filter.
"""

from pathlib import Path

import pytest

from lem_safe import run
from lem_safe.comparison.compare import compare
from lem_safe.errors import BadInput
from lem_safe.registry import TABLES, loads
from lem_safe.report import render

pytestmark = pytest.mark.simulation

TEXT = """\
version: 1
name: corner
energy: {{kind: gaussian, mean: [0, 0], std: 1}}
unsafe: {{zone: {zone}}}
constraints: [{{set: zone, beta: 0.2}}]
sampler: {{kind: langevin, samples: 40, steps: 3, step_size: 0.01, init: {init}}}
filter: {filter}
"""
ALL, NONE = "{kind: ball, center: [0, 0], radius: 1.0e+6}", "{kind: ball, center: [1.0e+6, 0], radius: 0.8}"
NEAR = "{kind: ball, center: [2, 0], radius: 0.8}"
AWAY = "{kind: gaussian, mean: [1.0e+6, 1.0e+6], std: 1}"


def corner(zone: str, filter_: str = "{kind: gate}", init: str = "{kind: standard}"):
    return loads(TEXT.format(zone=zone, filter=filter_, init=init))


@pytest.mark.parametrize("kind", TABLES["filters"].members)
def test_a_region_that_covers_everything_or_nothing(kind: str, tmp_path: Path):
    example = str(dict(TABLES["filters"].members[kind].example)).replace("'", "").replace("True", "true")
    if kind == "tilt":  # its pilot finds nobody outside, so there is no multiplier to begin with
        with pytest.raises(BadInput, match="zone still holds 100 % of the pilot's particles"):
            run(corner(ALL, example), out=tmp_path / "all")
    found = {
        zone: run(corner(zone, example), out=tmp_path / str(i), with_report=False).report.constraints[0]
        for i, zone in enumerate((ALL, NONE))
        if kind != "tilt" or zone == NONE
    }
    assert found[NONE].violations == 0 and found[NONE].passed
    assert kind in ("pointwise", "project", "tilt") or found[ALL].violations == 40


@pytest.mark.parametrize(
    ("zone", "init", "inside"),
    [(ALL, "{kind: standard}", 40), (NONE, "{kind: standard}", 0), (NEAR, AWAY, 0)],
)
def test_pages_of_corners(zone: str, init: str, inside: int, tmp_path: Path):
    done = run(corner(zone, "{kind: none}", init), out=tmp_path / "run", with_report=False)
    assert done.report.constraints[0].violations == inside
    assert "zone" in render(tmp_path / "run").read_text()


@pytest.mark.parametrize(
    ("zone", "init"),
    [("{kind: ball, center: [0, 0], radius: 5}", "{kind: standard}"), (NEAR, AWAY.replace("6", "18"))],
)
def test_comparisons_of_corners(zone: str, init: str, tmp_path: Path):
    found = compare(corner(zone, init=init), ["none", "gate", "penalty"], out=tmp_path / "found")
    assert len(found.entries) == 3 and (tmp_path / "found" / "compare.html").is_file()
