"""lem-safe new writes scenarios that validate and run; lem-safe explain reads them back in words."""

import re
from pathlib import Path

import numpy as np
import pytest

from lem_safe import cli
from lem_safe.catalogue import TABLES, json_schema, load
from lem_safe.explanation import SHAPES, explain, in_words
from lem_safe.faults import BadInput
from lem_safe.runner import run
from lem_safe.scenario import bundled_scenarios
from lem_safe.starter import Choices, starter


def new(path: Path, *arguments: str) -> int:
    return cli.main(["new", str(path), *arguments])


def test_the_starter_validates_runs_and_explains_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lem_safe.runner.render", lambda directory: directory / "report.html")
    path = tmp_path / "mine.yaml"
    assert new(path, "--columns", "speed,load,heat", "--beta", "0.1") == 0
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=./scenario.schema.json\n")
    assert (tmp_path / "scenario.schema.json").is_file()
    s = load(path)
    assert s.columns == ["speed", "load", "heat"] and s.constraints[0].beta == 0.1 and s.filter["kind"] == "step"
    assert run(s, out=tmp_path / "out").report.passed
    assert new(path) == 2 and path.read_text() == text, "nothing is overwritten"


def test_every_key_of_the_starter_says_what_its_schema_says(tmp_path: Path):
    assert new(tmp_path / "s.yaml") == 0
    text = " ".join(re.sub(r"\n\s*# ", " ", (tmp_path / "s.yaml").read_text()).split())
    defs = json_schema()["$defs"]
    for model, key in [
        ("region_ball", "radius"),
        ("sampler_langevin", "step_size"),
        ("filter_step", "rate"),
        ("energy_gaussian_mixture", "means"),
    ]:
        assert " ".join(defs[model]["properties"][key]["description"].split()) in text


def test_every_kind_can_be_started_with_unless_it_needs_a_file_or_two_columns(tmp_path: Path):
    refused = {}
    for field, table in (("energy", "energies"), ("filter", "filters"), ("sampler", "samplers"), ("set_kind", "sets")):
        for kind in TABLES[table].members:
            chosen = Choices(**{"filter": "gate", field: kind})
            try:
                assert f"kind: {kind}" in starter(tmp_path / "s.yaml", chosen)
            except BadInput as bad:
                refused[kind] = str(bad)
    needs_a_file = {"checkpoint", "classifier", "near_points", "sublevel", "occupancy"}
    assert set(refused) <= needs_a_file, refused


def test_data_of_ones_own(tmp_path: Path):
    rows = np.random.default_rng(0).normal(size=(50, 3))
    (tmp_path / "rows.csv").write_text("a,b,c\n" + "\n".join(",".join(map(str, row)) for row in rows))
    assert new(tmp_path / "s.yaml", "--data", str(tmp_path / "rows.csv"), "--set-kind", "rule") == 0
    s = load(tmp_path / "s.yaml")
    assert s.columns == ["a", "b", "c"] and s.sampler.init == {"kind": "data"} and s.unsafe["keep_out"]["where"] == "a > 2"
    assert "path: rows.csv" in (tmp_path / "s.yaml").read_text().replace('"', ""), (
        "a file beside the scenario is named by its name"
    )
    assert new(tmp_path / "t.yaml", "--data", str(tmp_path / "rows.csv"), "--columns", "c,a") == 0
    assert load(tmp_path / "t.yaml").columns == ["c", "a"]


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    cases = [
        (["--filter", "drfit"], "--filter: kind 'drfit' is not known - did you mean 'drift'?"),
        (["--set-kind", "bal", "--energy", "gauss"], "--set-kind: kind 'bal' is not known"),
        (["--set-kind", "polygon", "--columns", "a,b,c"], "these choices do not go together"),
        (["--columns", "a,a"], "--columns: names must differ"),
        (["--beta", "2"], "must be < 1; got 2"),
        (["--data", str(tmp_path / "none.csv")], "no such file"),
    ]
    for arguments, message in cases:
        assert new(tmp_path / "s.yaml", *arguments) == 2
        assert message in capsys.readouterr().err
    assert new(tmp_path / "no" / "s.yaml") == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", bundled_scenarios())
def test_every_bundled_scenario_is_explained(name: str, capsys: pytest.CaptureFixture[str]):
    s = load(name)
    assert cli.main(["explain", name]) == 0
    text = " ".join(capsys.readouterr().out.split())
    n, steps = s.sampler.samples, s.sampler.steps
    for constraint in s.constraints:
        assert f"At most {100 * constraint.beta:.6g} % of the samples" in text and constraint.set in text
    assert f"{n:,} particles" in text and f"{steps:,} steps" in text and "particle-steps" in text


def test_the_explanation_says_what_may_and_may_not_be_claimed():
    words = {
        kind: " ".join(explain(load("ring_keep_out", {"filter": {"kind": kind}})).split()) for kind in ("none", "gate", "reject")
    }
    assert (
        "claims no bound" in words["gate"] and "claims no bound" not in words["none"] and "claims no bound" not in words["reject"]
    )
    assert "if the samples are independent" in words["none"]
    assert "80 million particle-steps" in words["gate"] and "40 million particle-steps" in words["none"]
    asked = " ".join(explain(load("ring_keep_out", {"audit.require": "bound", "filter.aim": 0.02})).split())
    assert "every bound certifies it" in asked and "aims lower than what is tolerated (2 % in pillar)" in asked


def test_regions_in_words_have_their_examples():
    assert in_words({"all": ["a", {"any": ["b", "c"]}]}) == "a and also b or c"
    assert in_words({"kind": "box", "low": [0, 0], "high": [1, 2.5]}) == "a region of kind box (low (0, 0), high (1, 2.5))"
    for kind in SHAPES:
        example = getattr(TABLES["sets"].members[kind], "example", None)
        if example is not None and kind != "grow":
            assert in_words(example) and "kind" not in in_words(example)
