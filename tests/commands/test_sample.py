"""lem-safe sample: more rows of the same law, files that say what depends on what, nothing trained again."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lem_safe import cli
from lem_safe.auditor.opening import open_samples
from lem_safe.files import read_npz
from lem_safe.registry import loads
from lem_safe.runs import more_samples as drawing
from lem_safe.runs.runner import run
from lem_safe.samplers import Langevin

pytestmark = pytest.mark.simulation

TEXT = """\
version: 1
name: one_dimension
columns: [speed]
energy: {kind: gaussian, mean: [0], std: 1}
unsafe: {high: {kind: half_space, normal: [1], offset: 1.2815515655446004}}
constraints: [{set: high, beta: 0.02}]
sampler: {kind: langevin, samples: 2000, steps: 60, step_size: 0.05}
filter: {kind: %s}
"""


@pytest.fixture(scope="module", params=["none", "gate"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
        run(loads(TEXT % request.param), out=folder / "run")
    yield folder / "run"


def sample(*arguments: object) -> int:
    return cli.main(["sample", *map(str, arguments), "--quiet"])


def test_the_rows_are_fresh_draws_of_the_runs_law(finished: Path, tmp_path: Path):
    assert sample(finished, "--samples", 4000, "--seed", 7, "--out", tmp_path / "x.npz") == 0
    drawn, own = read_npz(tmp_path / "x.npz"), read_npz(finished / "samples.npz")["x"]
    x = drawn["x"].astype(np.float64)
    assert x.shape == (4000, 1) and drawn["x"].dtype == own.dtype
    assert not np.isin(drawn["x"], own).any(), "no number of the run is repeated"
    inside = (x >= 1.2815515655446004).mean()
    if bool(drawn["coupled"]):
        assert 0 < inside <= 0.02, "the gate keeps its tolerance for any number of particles"
    else:
        p, variance = 0.1, 1 / (1 - 0.05 / 2)  # Euler's own variance; its tail beyond the same point
        from scipy.stats import norm

        p = norm.sf(1.2815515655446004 / variance**0.5)
        assert abs(inside - p) < 4 * (p * (1 - p) / 4000) ** 0.5
        assert abs(x.var() - variance) < 4 * variance * (2 / 4000) ** 0.5
    facts = json.loads((tmp_path / "x.npz.json").read_text())
    assert (facts["seed"], facts["samples"], facts["burn_in"]) == (7, 4000, 60) and int(drawn["seed"]) == 7


def test_the_same_seed_draws_the_same_and_another_does_not(finished: Path, tmp_path: Path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert sample(finished, "--samples", 100, "--seed", seed, "--out", tmp_path / f"{name}.npz") == 0
    a, b, c = (read_npz(tmp_path / f"{name}.npz")["x"] for name in "abc")
    assert (a == b).all() and not (a == c).any()


def test_pooled_rows_are_the_same_particles_later(finished: Path, tmp_path: Path):
    """What a pool holds at its first look is what burn-in alone gives, row by row; and the rows say whose
    they are.
    """
    assert (
        sample(finished, "--samples", 50, "--seed", 3, "--burn-in", 20, "--out", tmp_path / "first.npz") == 0
    )
    pooled = [finished, "--samples", 150, "--seed", 3, "--burn-in", 20, "--pool", 3, "--thin", 5]
    for suffix in ("npz", "csv", "parquet"):
        assert sample(*pooled, "--out", tmp_path / f"pool.{suffix}") == 0
    x, first = read_npz(tmp_path / "pool.npz"), read_npz(tmp_path / "first.npz")
    assert (x["x"][:50] == first["x"]).all() and np.unique(x["step"]).tolist() == [20, 25, 30]
    coupled = bool(x["coupled"])
    for suffix in ("npz", "csv", "parquet"):
        opened = open_samples(tmp_path / f"pool.{suffix}")
        assert opened.columns == ("speed",)
        (held,) = opened.rows.stream([0], 1000)
        assert (held.astype(x["x"].dtype) == x["x"]).all(), "a CSV is written to the last digit"
        if suffix == "npz":
            assert (opened.coupled, opened.unit) == (coupled, "sample" if coupled else "chain")
        else:
            assert opened.rows.columns == ("speed", "replica" if coupled else "chain")
    if not coupled:
        assert x["chain"].tolist() == [*range(50)] * 3


def test_every_file_holds_the_same_numbers_and_no_audit_takes_dependent_rows_for_independent(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    scenario, found = finished / "scenario.yaml", {}
    for suffix in ("npz", "csv", "parquet"):
        path = tmp_path / f"pool.{suffix}"
        assert sample(finished, "--samples", 400, "--seed", 5, "--pool", 4, "--out", path) == 0
        capsys.readouterr()
        cli.main(["audit", str(path), str(scenario), "--json"])
        found[suffix] = json.loads(capsys.readouterr().out)
    assert len({report["constraints"][0]["violations"] for report in found.values()}) == 1
    assert all(report["assumes"] != "independent samples" for report in found.values()), {
        s: r["assumes"] for s, r in found.items()
    }
    coupled = drawing.dependent(finished)
    for report in (
        found.values()
    ):  # as the .npz says, so says the table: one coupled cloud, of which no bound is claimed
        assert report["assumes"] == ("coupled cloud: bound not claimed" if coupled else "independent chains")
        assert (report["unit"], report["units"]) == (("sample", 400) if coupled else ("chain", 100))
        assert not coupled or report["constraints"][0]["verdict"] == "inconclusive"


def test_what_is_refused(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    coupled = drawing.dependent(finished)
    (tmp_path / "there.npz").write_text("")
    cases = [
        ([finished, "--samples", 10, "--pool", 3], "--samples: must be a multiple of pool = 3"),
        ([finished, "--samples", 0], "--samples: must be > 0; got 0"),
        ([finished, "--samples", 10, "--burn-in", 0], "--burn-in: must be > 0; got 0"),
        ([finished, "--samples", 10, "--seed", 0], "--seed: 0 is the run's own"),
        ([finished, "--samples", 10, "--out", tmp_path / "x.txt"], "'.txt' is not written"),
        (
            [finished, "--samples", 10, "--pool", 2, "--out", tmp_path / "x.npy"],
            "a .npy cannot say that its rows depend",
        ),
        ([finished, "--samples", 10, "--out", tmp_path / "there.npz"], "is there already"),
        ([finished, "--samples", 10, "--out", tmp_path / "no" / "x.npz"], "no such directory"),
        ([tmp_path, "--samples", 10], "holds no finished run"),
    ]
    for arguments, message in cases:
        assert sample(*arguments) == 2, arguments
        shown = capsys.readouterr()
        assert message in shown.err and shown.out == "", shown.err
    assert sample(finished, "--samples", 10, "--out", tmp_path / "x.npy") == (2 if coupled else 0)
    assert sample(finished, "--samples", 10) == 0 and sample(finished, "--samples", 10) == 0
    assert (finished / "more.npz").is_file() and (finished / "more-2.npz").is_file()


def test_a_trained_energy_is_taken_from_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The cache emptied and training forbidden: the directory's own energy is used, and gives what the cached
    one gives.
    """
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    text = (
        "version: 1\nname: t\nenergy: {kind: trained, data: {kind: two_moons, samples: 300}, network: "
        "{kind: mlp, hidden: 8, depth: 1},"
        " training: {steps: 20, batch_size: 32}}\nunsafe: {a: {kind: ball, center: [0, 0], radius: 1}}\n"
        "constraints: [{set: a, beta: 0.9}]\nsampler: {kind: langevin, samples: 10, steps: 2, step_size: "
        "0.01, init: {kind: data}}\n"
    )
    run(loads(text), out=tmp_path / "run")
    assert sample(tmp_path / "run", "--samples", 20, "--seed", 1, "--out", tmp_path / "a.npz") == 0
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(
        "lem_safe.training.trained.Trained.train", lambda *_: pytest.fail("nothing may be trained")
    )
    assert sample(tmp_path / "run", "--samples", 20, "--seed", 1, "--out", tmp_path / "b.npz") == 0
    assert (read_npz(tmp_path / "a.npz")["x"] == read_npz(tmp_path / "b.npz")["x"]).all()


CLOUDS = {"audit.replicas": 4, "sampler.samples": 50, "sampler.steps": 30, "filter": {"kind": "gate"}}


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("clouds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
        run(loads(TEXT % "gate", CLOUDS), out=folder / "run")
    yield folder / "run"


def test_a_run_of_clouds_is_drawn_from_in_clouds(
    clouds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """As many clouds as the run had, each of its own noise, numbered, so that an audit takes its bound from
    them.
    """
    found = {}
    for suffix in ("npz", "csv", "parquet"):
        path = tmp_path / f"x.{suffix}"
        assert sample(clouds, "--samples", 800, "--seed", 7, "--pool", 2, "--out", path) == 0
        capsys.readouterr()
        cli.main(["audit", str(path), str(clouds / "scenario.yaml"), "--json"])
        found[suffix] = json.loads(capsys.readouterr().out)
    drawn = read_npz(tmp_path / "x.npz")
    assert drawn["replica"].tolist() == sorted([*range(4)] * 200) and np.unique(drawn["step"]).tolist() == [
        30,
        33,
    ]
    x = drawn["x"][:, 0].reshape(4, 2, 100)
    assert len(np.unique(x)) > 780 and ((x >= 1.2815515655446004).sum(-1) <= 2).all(), (
        "each cloud keeps its own tolerance"
    )
    for report in found.values():
        assert (report["assumes"], report["units"]) == ("independent clouds", 4)
    assert len({report["constraints"][0]["upper_bound"] for report in found.values()}) == 1
    assert sample(clouds, "--samples", 810, "--pool", 2, "--out", tmp_path / "y.npz") == 2
    assert (
        "must be a multiple of pool = 2 times the 4 clouds of audit.replicas, each with as many rows; take "
        "808" in capsys.readouterr().err
    )
    # a cloud is what the run's own chain is: the first is drawn with the seed alone, as if there were one
    one = drawing.draw(clouds, 400, seed=7).x[:100], read_npz(tmp_path / "x.npz")["x"][:100]
    assert (one[0] == one[1]).all()


@pytest.mark.parametrize(
    ("together", "at"),
    [*((1, at) for at in (0, 1, 17, 33, 34, 70, 131)), *((3, at) for at in (31, 33, 50)), (4, 0), (4, 32)],
)
def test_an_interrupted_draw_goes_on_to_the_same_bytes(
    clouds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int, at: int
):
    """Interrupted in the first step, between looks, at the end of a cloud or of a batch, in the last step of
    all: 4 clouds of 33 steps, so many of them together.
    """
    asked = [clouds, "--samples", 800, "--pool", 2, "--seed", 7, "--out", tmp_path / "x.npz"]
    whole = drawing.draw_into(tmp_path / "whole.npz", clouds, 800, seed=7, pool=2)
    calls, step = [], Langevin.step
    monkeypatch.setattr("lem_safe.runs.replicas.PARTICLES", 100 * together)

    def cut(self, key, state):
        calls.append(1)
        if len(calls) == at + 1:
            raise KeyboardInterrupt
        return step(self, key, state)

    monkeypatch.setattr(Langevin, "step", cut)
    assert sample(*asked) == 130 and not (tmp_path / "x.npz").exists()
    assert sample(*asked) == 2, "not without --resume"
    assert sample(*asked[:-4], "--seed", 8, "--out", tmp_path / "x.npz", "--resume") == 2, "another seed"
    assert sample(*asked, "--resume") == 0 and len(calls) <= 4 * 33 + 1, "nothing is done twice"
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "whole.npz",
        "whole.npz.json",
        "x.npz",
        "x.npz.json",
    ]
    assert len(whole.x) == 800
    assert sample(*asked, "--resume") == 0, "a finished one stays as it is"
    assert sample(clouds, "--samples", 400, "--out", tmp_path / "x.npz", "--resume") == 2, (
        "another number of rows"
    )


def test_a_draw_without_seed_and_name_is_found_again(
    clouds: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with monkeypatch.context() as patch:
        patch.setattr(Langevin, "step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert sample(clouds, "--samples", 40) == 130
    seed = json.loads((clouds / "more.npz.part" / "begun.json").read_text())["seed"]
    assert sample(clouds, "--samples", 80) == 0 and (clouds / "more-2.npz").is_file(), (
        "a fresh one has a name of its own"
    )
    assert sample(clouds, "--samples", 80, "--resume") == 2
    assert (
        "was begun with samples 40, this draw has 80; resume with what it was begun with"
        in capsys.readouterr().err
    )
    assert sample(clouds, "--samples", 40, "--resume") == 0
    assert f"more.npz: 40 samples, seed {seed}; 4 independent clouds" in capsys.readouterr().out
    assert not (clouds / "more.npz.part").exists()
