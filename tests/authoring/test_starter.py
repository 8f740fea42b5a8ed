"""lem-safe new writes scenarios that validate and run; lem-safe explain reads them back in words."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from set_examples import columns

from lem_safe import cli
from lem_safe.authoring import start as places
from lem_safe.authoring import starter as begin
from lem_safe.authoring.beginnings import spec
from lem_safe.authoring.explain import SHAPES, explain, in_words
from lem_safe.authoring.starter import Choices, starter
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import TABLES, json_schema, load, loads, regions
from lem_safe.runs.chain import Course, follow
from lem_safe.runs.pilot import piloted
from lem_safe.runs.problem import build
from lem_safe.runs.runner import run
from lem_safe.runs.starting import start
from lem_safe.scenario import bundled_scenarios

pytestmark = pytest.mark.simulation


def new(path: Path, *arguments: str) -> int:
    return cli.main(["new", str(path), *arguments])


def test_the_starter_validates_runs_and_explains_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    path = tmp_path / "mine.yaml"
    assert new(path, "--columns", "speed,load,heat", "--beta", "0.1") == 0
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=./scenario.schema.json\n")
    assert (tmp_path / "scenario.schema.json").is_file()
    s = load(path)
    assert (
        s.columns == ["speed", "load", "heat"] and s.constraints[0].beta == 0.1 and s.filter["kind"] == "step"
    )
    assert run(s, out=tmp_path / "out").report.passed
    assert new(path) == 2 and path.read_text() == text, "nothing is overwritten"


PLACED = [
    kind
    for kind in TABLES["sets"].members
    if kind not in ("sublevel", "classifier") and len(columns(kind)) == 2
]
EXTENDED = ("gaussian", "gaussian_mixture")
"""Energies over as many columns as a path has."""
SURE = ("step", "gate", "reject")


@pytest.mark.parametrize(
    "energy",
    [kind for kind in TABLES["energies"].members if kind not in ("checkpoint", "exported", "trained")],
)
def test_every_start_is_clear_of_every_region(energy: str, tmp_path: Path):
    """Of every energy and every region together: not one of a thousand particles begins inside."""
    for kind in TABLES["sets"].members:
        named = columns(kind)
        chosen, region = spec("energy", energy, len(named)), spec("region", kind, len(named))
        if len(named) != 2 and energy not in EXTENDED:
            continue
        if kind == "rule":
            region["where"] = "x0 > 2"
        init, clear = places.start(chosen, region, "step", 0.0, named, tmp_path / "s.yaml")
        (unsafe,) = regions({"r": region}, named).values()
        noise = torch.randn(1000, len(named), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        assert (
            clear and not unsafe.contains(torch.tensor(init["mean"]).double() + init["std"] * noise).any()
        ), (kind, init)


def largest(text: str, changes: dict[str, Any]) -> float:
    """The largest fraction inside over a few steps of what was written, every step counted."""
    small = {"sampler.samples": 100, "sampler.steps": 4, "audit.after_step": 0} | changes
    if "adapt:" in text:
        small["sampler.adapt"] = {"steps": 3, "target": 0.574}
    problem, _ = piloted(build(loads(text, small), progress=Silent()), Silent())
    course = Course("new", problem.sampler(filtered=True), problem.sets, problem.names, problem.betas, 4)
    done = follow(course, Key(0).fold("chain"), start(problem, Key(0)), progress=Silent())
    return float(done.trace["fraction"].max())


@pytest.mark.parametrize("kind", [kind for kind in TABLES["sets"].members if len(columns(kind)) != 2])
def test_a_limit_of_a_path_comes_with_its_columns(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    text = starter(tmp_path / "s.yaml", Choices(set_kind=kind, filter="gate"))
    done = run(loads(text, {"sampler.samples": 100, "sampler.steps": 4}), out=tmp_path / "out")
    assert done.report.passed and len(done.scenario.columns) == len(columns(kind))
    with pytest.raises(BadInput, match="waypoints"):
        starter(tmp_path / "s.yaml", Choices(set_kind=kind, columns=("a", "b")))


def test_every_filter_under_every_sampler_begins_and_keeps_its_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """All filters under all samplers, energies and regions in turn, the tolerance 1 %: whatever `new` writes
    runs, and never over where that is promised.
    """
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    built_of_others = (
        "composed",
        "conjunction",
        "negation",
        "disjunction",
    )  # whose starts the test above looks at; slow to build
    energies = [
        kind
        for kind in TABLES["energies"].members
        if kind not in ("checkpoint", "exported", *built_of_others)
    ]
    ran = set()

    def written(energy: str, f: str, sampler: str, i: int) -> tuple[str, str]:
        for kind in (
            PLACED[i % len(PLACED) :] + PLACED
        ):  # a filter that needs derivatives is refused where a region has none
            try:
                return kind, starter(tmp_path / "s.yaml", Choices(energy, None, None, kind, 0.01, f, sampler))
            except BadInput as bad:
                assert "no twice differentiable form" in str(bad) or "cannot keep" in str(bad), bad
        pytest.fail(f"{f} goes with no region")

    for i, (f, sampler) in enumerate(product(TABLES["filters"].members, TABLES["samplers"].members)):
        energy = energies[i % len(energies)]
        kind, text = written(energy, f, sampler, i)
        most = largest(text, {"energy.training.steps": 2} if energy == "trained" else {})
        assert f not in (*SURE, "chain") or most <= 0.01, (energy, kind, f, sampler)
        assert ("this is a result" in text) == (f not in (*SURE, "chain")), f
        ran.add((f, sampler))
    assert len(ran) == len(TABLES["filters"].members) * len(TABLES["samplers"].members) >= 77


def test_a_start_inside_is_moved_and_what_was_written_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The combination that once failed as written: a box around the mean, a filter that lets nobody in,
    mala.
    """
    chosen = Choices("gaussian", None, None, "box", 0.01, "reject", "mala")
    assert largest(starter(tmp_path / "s.yaml", chosen), {}) == 0
    monkeypatch.setattr(begin, "start", lambda *_: ({"kind": "standard"}, True))  # planted: the usual start
    assert largest(starter(tmp_path / "s.yaml", chosen), {}) > 0.01


def test_a_start_far_from_the_origin_is_written_as_finely_as_the_rows_are_spread(tmp_path: Path):
    """Three digits of an epoch are days: half of the rows are unsafe, and the start that was found clear of
    them stays clear.
    """
    rng = np.random.default_rng(0)
    np.savetxt(
        tmp_path / "log.csv",
        rng.normal([1700000123.4, 0.0], [600.0, 1.0], (400, 2)),
        "%.2f",
        ",",
        header="t,v",
        comments="",
    )
    energy = {"kind": "trained", "data": {"kind": "file", "path": "log.csv"}}
    region = {"kind": "half_space", "normal": [1.0, 0.0], "offset": 1700000123.4}
    init, clear = places.start(energy, region, "gate", 0.05, ("t", "v"), tmp_path / "s.yaml")
    mean, std = np.array(init["mean"]), np.array(init["std"])
    assert clear and -1800 < mean[0] - 1700000123.4 < -3 * std[0] and 1 < std[0] < 150


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
    for field, table in (
        ("energy", "energies"),
        ("filter", "filters"),
        ("sampler", "samplers"),
        ("set_kind", "sets"),
    ):
        for kind in TABLES[table].members:
            chosen = Choices(**{"filter": "gate", field: kind})
            try:
                assert f"kind: {kind}" in starter(tmp_path / "s.yaml", chosen)
            except BadInput as bad:
                refused[kind] = str(bad)
    needs_a_file = {"checkpoint", "exported", "classifier", "near_points", "sublevel", "occupancy"}
    assert set(refused) <= needs_a_file, refused


def test_data_of_ones_own(tmp_path: Path):
    rows = np.random.default_rng(0).normal(size=(50, 3))
    (tmp_path / "rows.csv").write_text("a,b,c\n" + "\n".join(",".join(map(str, row)) for row in rows))
    assert new(tmp_path / "s.yaml", "--data", str(tmp_path / "rows.csv"), "--rule", "a > 2") == 0
    s = load(tmp_path / "s.yaml")
    assert (
        s.columns == ["a", "b", "c"]
        and s.sampler.init == {"kind": "data"}
        and s.unsafe["keep_out"]["where"] == "a > 2"
    )
    assert "path: rows.csv" in (tmp_path / "s.yaml").read_text().replace('"', ""), (
        "a file beside the scenario is named by its name"
    )
    assert new(tmp_path / "t.yaml", "--data", str(tmp_path / "rows.csv"), "--columns", "c,a") == 0
    assert load(tmp_path / "t.yaml").columns == ["c", "a"]


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    cases = [
        (["--filter", "drfit"], "--filter: kind 'drfit' is not known - did you mean 'drift'?"),
        (["--set-kind", "bal", "--energy", "gauss"], "--set-kind: kind 'bal' is not known"),
        (["--rule", "x0 > y"], "--rule: rule: unknown column 'y'"),
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
        kind: " ".join(explain(load("ring_keep_out", {"filter": {"kind": kind}})).split())
        for kind in ("none", "gate", "reject")
    }
    assert (
        "claims no bound" in words["gate"]
        and "claims no bound" not in words["none"]
        and "claims no bound" not in words["reject"]
    )
    assert "if the samples are independent" in words["none"]
    assert "10 million particle-steps" in words["gate"] and "5 million particle-steps" in words["none"]
    asked = " ".join(explain(load("ring_keep_out", {"audit.require": "bound", "filter.aim": 0.02})).split())
    assert (
        "every bound certifies it" in asked and "aims lower than what is tolerated (2 % in pillar)" in asked
    )


def test_regions_in_words_have_their_examples():
    assert in_words({"all": ["a", {"any": ["b", "c"]}]}) == "a and also b or c"
    assert (
        in_words({"kind": "box", "low": [0, 0], "high": [1, 2.5]})
        == "a region of kind box (low (0, 0), high (1, 2.5))"
    )
    for kind in SHAPES:
        example = getattr(TABLES["sets"].members[kind], "example", None)
        if example is not None and kind != "grow":
            assert in_words(example) and "kind" not in in_words(example)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("kind,price,2nd\n" + "".join(f"{'ab'[i % 2]},{i}.5,{i % 3}\n" for i in range(100)), "price > "),
        ("a b,c\n" + "".join(f"{'xyz'[min(i, 2)]},{'uv'[i % 2]}\n" for i in range(60)), "`a b` == "),
        (
            "d,c\n" + "".join(f"2020-01-{1 + i % 28:02d},{'' if i % 3 else 'u'}\n" for i in range(60)),
            "c == 'u'",
        ),
    ],
)
def test_a_table_of_every_type_begins_with_rows(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    path = tmp_path / "s.yaml"
    path.write_text(starter(path, Choices(energy="trained", data=tmp_path / "t.csv")))
    made = load(path)
    assert (made.sampler.kind, made.filter["kind"]) == ("mixed", "gate")
    assert made.energy["network"]["kind"] == "mixture_base"
    assert rule in made.unsafe["keep_out"]["where"]
