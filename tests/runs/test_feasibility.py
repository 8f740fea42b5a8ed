"""Tolerances that cannot hold together are told before a run, and no narrow gap that can be reached is
overlooked.
"""

import json

import pytest

from lem_safe import cli
from lem_safe.authoring.explain import explain
from lem_safe.registry import load, loads
from lem_safe.runs.feasibility import never_together

TWO = """\
version: 1
name: two_sides
energy: {kind: gaussian, mean: [0, 0], std: 1.0}
unsafe:
  left: {kind: rule, where: "LEFT"}
  right: {kind: rule, where: "RIGHT"}
constraints: [{set: left, beta: B1}, {set: right, beta: B2}]
sampler: {kind: langevin, samples: 60, steps: 4, step_size: 0.01}
filter: {kind: gate}
"""


def two(left, right, one=0.1, other=0.1):
    return loads(
        TWO.replace("LEFT", left).replace("RIGHT", right).replace("B1", str(one)).replace("B2", str(other))
    )


@pytest.mark.parametrize(
    ("left", "right", "one", "other", "words"),
    [
        ("x0 < 1", "x0 > -1", 0.1, 0.1, "the tolerances add up to 20 %, less than 100 %"),
        ("x0 < 900", "x0 > 800", 0.3, 0.4, "the tolerances add up to 70 %, less than 100 %"),
        ("x0 < 1", "x0 > 0 or x0 < 1", 0.95, 0.1, "a tolerance is exceeded by at least 90 %"),
        ("x0 < 1e9", "x0 > -1e9", 0.95, 0.1, None),
        ("x0 < -1.001", "x0 > -1", 0.1, 0.1, None),
        ("x0 < 1", "x0 > 1.0000001", 0.1, 0.1, None),
        ("x0 < 2e5", "abs(x0 + x1) > 1e-6", 0.1, 0.1, None),
        ("x0 < 1", "x0 > -1", 0.5, 0.5, None),
    ],
)
def test_what_cannot_hold_together(left, right, one, other, words):
    why = never_together(two(left, right, one, other))
    if words is None:
        assert why is None
    else:
        assert (
            why.startswith("each of the ")
            and "tried is inside at least one of left, right" in why
            and words in why
        )


def test_one_region_that_is_everything():
    text = (
        TWO.replace("LEFT", "x0 < 5 or x0 > 4")
        .replace("RIGHT", "x0 > 9")
        .replace(", {set: right, beta: B2}", "")
    )
    assert "2 % is tolerated" in never_together(loads(text.replace("B1", "0.02")))


@pytest.mark.parametrize("name", ["eight_gaussians", "ring_keep_out", "away_from_a"])
def test_bundled_scenarios_can_hold(name):
    assert never_together(load(name)) is None


def test_validate_explain_and_run_say_so(tmp_path, capsys):
    path, both = tmp_path / "s.yaml", "add up to 20 %, less than 100 %"
    path.write_text(two("x0 < 1", "x0 > -1").to_yaml())
    assert cli.main(["validate", str(path)]) == 0
    assert f"{path}: warning: constraints: each of the" in (said := capsys.readouterr().out) and both in said
    assert both in " ".join(explain(load(path)).split())
    assert cli.main(["run", str(path), "--out", str(tmp_path / "out")]) == 1
    assert both in capsys.readouterr().err
    assert both in json.loads((tmp_path / "out" / "run.json").read_text())["constraints"]
    assert "The constraints together" in (tmp_path / "out" / "report.html").read_text()
