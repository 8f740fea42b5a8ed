"""lem-safe sample: more rows of the same law, files that say what depends on what, nothing trained again."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lem_safe import cli, drawing
from lem_safe.auditor.samples import open_samples
from lem_safe.catalogue import loads
from lem_safe.files import read_npz
from lem_safe.runner import run

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
        patch.setattr("lem_safe.runner.render", lambda directory: directory / "report.html")
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
    """What a pool holds at its first look is what burn-in alone gives, row by row; and the rows say whose they are."""
    assert sample(finished, "--samples", 50, "--seed", 3, "--burn-in", 20, "--out", tmp_path / "first.npz") == 0
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
    assert all(report["constraints"][0]["verdict"] != "certified" for report in found.values() if "cloud" in report["assumes"])


def test_what_is_refused(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    coupled = drawing.couples(finished)
    (tmp_path / "there.npz").write_text("")
    cases = [
        ([finished, "--samples", 10, "--pool", 3], "--samples: must be a multiple of pool = 3"),
        ([finished, "--samples", 0], "--samples: must be > 0; got 0"),
        ([finished, "--samples", 10, "--burn-in", 0], "--burn-in: must be > 0; got 0"),
        ([finished, "--samples", 10, "--seed", 0], "--seed: 0 is the run's own"),
        ([finished, "--samples", 10, "--out", tmp_path / "x.txt"], "'.txt' is not written"),
        ([finished, "--samples", 10, "--pool", 2, "--out", tmp_path / "x.npy"], "a .npy cannot say that its rows depend"),
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
    """The cache emptied and training forbidden: the directory's own energy is used, and gives what the cached one gives."""
    monkeypatch.setattr("lem_safe.runner.render", lambda directory: directory / "report.html")
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    text = (
        "version: 1\nname: t\nenergy: {kind: trained, data: {kind: two_moons, samples: 300}, network: {kind: mlp, hidden: 8, depth: 1},"
        " training: {steps: 20, batch_size: 32}}\nunsafe: {a: {kind: ball, center: [0, 0], radius: 1}}\n"
        "constraints: [{set: a, beta: 0.9}]\nsampler: {kind: langevin, samples: 10, steps: 2, step_size: 0.01, init: {kind: data}}\n"
    )
    run(loads(text), out=tmp_path / "run")
    assert sample(tmp_path / "run", "--samples", 20, "--seed", 1, "--out", tmp_path / "a.npz") == 0
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("lem_safe.training.trained.Trained.train", lambda *_: pytest.fail("nothing may be trained"))
    assert sample(tmp_path / "run", "--samples", 20, "--seed", 1, "--out", tmp_path / "b.npz") == 0
    assert (read_npz(tmp_path / "a.npz")["x"] == read_npz(tmp_path / "b.npz")["x"]).all()
