"""Long work: independent clouds as one run, interruptions at any moment, and what damage, a full disk or
another process leave intact.
"""

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from interrupted import at_moment

from benchmarks import kills
from lem_safe import cli
from lem_safe.authoring.explain import explain
from lem_safe.bounds.betting import mean_upper_bound
from lem_safe.errors import BadInput
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.result import Run
from lem_safe.runs.resume import difference
from lem_safe.runs.runner import run
from lem_safe.scenario import Scenario

pytestmark = pytest.mark.simulation

TEXT = """\
version: 1
name: small
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  right: {kind: half_space, normal: [1, 0], offset: 0.5}
constraints: [{set: right, beta: BETA}]
sampler: SAMPLER
filter: {kind: gate, aim: 0.06}
audit: {replicas: REPLICAS}
monitors: {every: 5}
"""
LANGEVIN = (
    "{kind: langevin, samples: 50, steps: 20, step_size: 0.05, init: {kind: gaussian, mean: [-2, "
    "0], std: 0.3}}"
)
TUNED = (
    "{kind: mala, samples: 40, steps: 8, step_size: 0.2, adapt: {steps: 6}, init: {kind: gaussian, "
    "mean: [-2, 0], std: 0.3}}"
)


def scenario(replicas: int = 5, beta: float = 0.1, sampler: str = LANGEVIN) -> Scenario:
    return loads(
        TEXT.replace("BETA", str(beta)).replace("REPLICAS", str(replicas)).replace("SAMPLER", sampler)
    )


def arrays(done: Run | Path, name: str) -> dict[str, np.ndarray]:
    with np.load((done if isinstance(done, Path) else done.directory) / name) as archive:
        return dict(archive)


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report takes longer than these runs; one test here makes it."""
    if "page" not in request.node.name:
        monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")


def test_the_files_of_clouds_hold_each_cloud_and_what_was_largest(tmp_path: Path) -> None:
    done = run(scenario(5), out=tmp_path / "out")
    samples, trace = arrays(done, "samples.npz"), arrays(done, "trace.npz")
    assert samples["x"].shape == (250, 2) and bool(samples["coupled"]) and int(samples["seed"]) == 0
    assert samples["replica"].tolist() == np.repeat(np.arange(5), 50).tolist()
    each = trace["cloud_fraction"]
    assert each.shape == (5, 20, 1) and trace["fraction"].shape == (20, 1)
    assert (trace["fraction"] == each.max(0)).all()
    inside = (samples["x"].astype(np.float64)[:, 0] >= 0.5).reshape(5, 50).mean(1)
    assert inside.tolist() == each[:, -1, 0].tolist()
    assert len(np.unique(samples["x"][:, 0])) == 250  # five different clouds
    report = done.report
    assert (report.assumes, report.unit, report.units, report.samples) == (
        "independent clouds",
        "cloud",
        5,
        250,
    )
    assert report.constraints[0].upper_bound == mean_upper_bound(inside, 0.95)
    assert report.constraints[0].max_fraction_over_steps == each.max()
    assert json.loads((done.directory / "run.json").read_text())["replicas"] == 5


def test_a_cloud_is_the_same_whatever_comes_after_it_and_the_first_is_the_run_without_clouds(
    tmp_path: Path,
) -> None:
    one, two, three = (run(scenario(r), out=tmp_path / str(r)).samples for r in (1, 2, 3))
    assert (two[:50] == one).all() and (three[:100] == two).all() and (three[50:100] != three[:50]).any()
    assert "replica" not in arrays(tmp_path / "1", "samples.npz")


def test_few_clouds_are_inconclusive_and_say_how_many_decide(tmp_path: Path) -> None:
    done = run(scenario(4), out=tmp_path / "out")
    found = done.report.constraints[0]
    assert found.verdict == "inconclusive" and done.report.passed and found.samples_to_decide > 20
    assert f"About {found.samples_to_decide} more clouds would decide." in str(done)
    said = explain(scenario(4))
    assert "counting 4 independent clouds and not their particles" in " ".join(said.split())
    assert "4 clouds x 50 particles x 20 steps" in said


def test_enough_clouds_of_a_gate_that_aims_lower_certify(tmp_path: Path) -> None:
    done = run(scenario(100), out=tmp_path / "out", steps=40)
    found = done.report.constraints[0]
    assert found.verdict == "certified" and done.report.passed
    assert np.round(arrays(done, "trace.npz")["cloud_fraction"] * 50).max() == 3  # ⌊.06 · 50⌋, filled
    assert 0.06 > found.fraction > 0.04 and found.upper_bound < 0.1
    assert run(scenario(100), out=tmp_path / "out", steps=40, resume=True, strict=True).exit_status == 0


def test_a_cloud_that_went_over_fails_the_run(tmp_path: Path) -> None:
    text = scenario(3).to_yaml().replace("kind: gate, aim: 0.06", "kind: none")
    assert "kind: none" in text
    done = run(loads(text), out=tmp_path / "out", steps=80)
    assert done.report.constraints[0].first_step_over is not None and done.exit_status == 1
    assert done.report.assumes == "independent clouds"


@pytest.mark.parametrize("sampler", [LANGEVIN, TUNED], ids=["langevin", "warm-up"])
@pytest.mark.parametrize("moment", [3, 50, 171, 300])
def test_ctrl_c_at_any_call_resumes_bit_for_bit(
    moment: int, sampler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scenario(3, sampler=sampler)
    monkeypatch.chdir(tmp_path)
    whole = run(asked, out="whole")
    with monkeypatch.context() as patched:
        at_moment(moment, patched)
        with pytest.raises(KeyboardInterrupt):
            run(asked, out="cut")
    assert Path("cut/begun.json").exists()
    done = run(asked, out="cut", resume=True)
    for name in ("samples.npz", "trace.npz", "reference.npz"):
        assert (done.directory / name).read_bytes() == (whole.directory / name).read_bytes(), name
    assert not Path("cut/checkpoint.npz").exists()


def test_clouds_resume_from_a_checkpoint_between_two_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(scenario(3), out=tmp_path / "whole")
    import lem_safe.runs.replicas as clouds

    monkeypatch.setattr(clouds, "PARTICLES", 50)  # one after the other

    def cut(*positional, **named):  # type: ignore[no-untyped-def]
        if named["written"] is not None and positional[0].title == "filter: gate, cloud 3 of 3":
            raise OSError(errno.EIO, "the power fails")
        return follow(*positional, **named)

    follow = clouds.follow
    monkeypatch.setattr(clouds, "follow", cut)
    with pytest.raises(OSError, match="power"):
        run(scenario(3), out=tmp_path / "cut", checkpoint_seconds=0.0)
    monkeypatch.setattr(clouds, "follow", follow)
    done = run(scenario(3), out=tmp_path / "cut", resume=True)
    assert json.loads((done.directory / "run.json").read_text())["resumed_from_step"] == 40
    for name in ("samples.npz", "trace.npz"):
        assert (done.directory / name).read_bytes() == (whole.directory / name).read_bytes()


def test_three_kills_resume_to_the_same_bytes() -> None:
    found, _ = kills.kills(scenario(2, sampler=TUNED), 3, np.random.default_rng(1))
    assert [f["identical"] for f in found] == [True] * 3 and all(f["fell"] in PARTS for f in found)


PARTS = ("before the first file", "in the unfiltered chain", "in the filtered chain", "after the chains")
"""Of a run that is not finished, where every kill must have hit it."""


def test_a_kill_that_comes_too_late_is_no_kill(tmp_path: Path) -> None:
    one = scenario(2, sampler=TUNED)
    length = kills.seconds_of(one, tmp_path / "whole")
    assert kills.killed_and_resumed(one, tmp_path / "whole", tmp_path / "late", 4 * length + 2) is None


def interrupted(path: Path, monkeypatch: pytest.MonkeyPatch, moment: int = 300) -> None:
    with monkeypatch.context() as patched:
        at_moment(moment, patched)
        with pytest.raises(KeyboardInterrupt):
            run(scenario(3), out=path)


def test_what_differs_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out"
    interrupted(path, monkeypatch)
    (tmp_path / "s.yaml").write_text(
        scenario(3, beta=0.2, sampler=LANGEVIN.replace("0.05", "0.06")).to_yaml()
    )
    before = {p.name: p.read_bytes() for p in path.iterdir()}
    assert (
        cli.main(["run", str(tmp_path / "s.yaml"), "--out", str(path), "--resume", "--seed", "7", "--quiet"])
        == 2
    )
    said = capsys.readouterr().err
    for words in (
        "seed was 0 and is 7",
        "constraints.0.beta was 0.1 and is 0.2",
        "sampler.step_size was 0.05 and is 0.06",
    ):
        assert words in said
    assert "resume with what it was begun with, or choose a new --out" in said
    monkeypatch.setattr("lem_safe.runs.resume.BLOCK", 64)
    with pytest.raises(BadInput, match="was begun with block 16384, this run has 64"):
        run(scenario(3), out=path, resume=True)
    monkeypatch.undo()
    with pytest.raises(BadInput, match="was begun with device cpu, this run has cuda"):
        run(scenario(3), out=path, resume=True, device="cuda:0")
    double = loads(scenario(3).to_yaml().replace("dtype: float32", "dtype: float64"))
    with pytest.raises(BadInput, match='dtype was "float32" and is "float64"') as refused:
        run(double, out=path, resume=True)
    assert len(refused.value.faults) == 1
    assert {p.name: p.read_bytes() for p in path.iterdir()} == before


def test_a_difference_in_words(tmp_path: Path) -> None:
    old = scenario(3)
    assert difference(old, tmp_path) == "it has left no scenario.yaml that could be compared"
    (tmp_path / "scenario.yaml").write_text(old.to_yaml())
    assert difference(old, tmp_path).startswith(
        "not a key differs, so a file that it reads has changed since"
    )
    new = loads(
        old.to_yaml().replace("kind: gate, aim: 0.06", "kind: none").replace("name: small", "name: large")
    )
    found = difference(new, tmp_path)
    assert 'name was "small" and is "large"' in found and "filter.aim was 0.06 and is absent" in found
    many = loads(
        old.to_yaml()
        .replace("50", "60")
        .replace("20,", "30,")
        .replace("0.05", "0.07")
        .replace("-2", "-1")
        .replace("0.3", "0.4")
    )
    many = many.model_copy(update={"seed": 3})
    many = many.model_copy(update={"name": "other"})
    assert difference(many, tmp_path).count(" was ") == 5 and difference(many, tmp_path).endswith(
        ", and 1 more key"
    )


def a_byte_changed(raw: bytes) -> bytes:
    """One byte in the middle of an archive's largest array: not in a header, whose dates may be anything."""
    place = len(raw) // 3
    if raw[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            largest = max(archive.infolist(), key=lambda entry: entry.compress_size)
        names = int.from_bytes(raw[largest.header_offset + 26 : largest.header_offset + 28], "little")
        extra = int.from_bytes(raw[largest.header_offset + 28 : largest.header_offset + 30], "little")
        place = largest.header_offset + 30 + names + extra + largest.compress_size // 2
    return raw[:place] + bytes([raw[place] ^ 255]) + raw[place + 1 :]


DAMAGE = {
    "emptied": lambda raw: b"",
    "cut": lambda raw: raw[: len(raw) // 2],
    "a byte changed": a_byte_changed,
    "other text": lambda raw: b"\xff\xfe not this at all",
    "other json": lambda raw: b"[1, 2]",
}


def damaged(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said, with exit status 2, of every way in which a file can be damaged; the file is left as it
    was.
    """
    good, said = path.read_bytes(), []
    for name, damage in DAMAGE.items():
        if name == "a byte changed" and path.suffix == ".json":
            continue  # it may still be what it was in all that is read
        path.write_bytes(damage(good))
        assert (
            cli.main(
                ["run", str(path.parent / "scenario.yaml"), "--out", str(path.parent), "--resume", "--quiet"]
            )
            == 2
        )
        said.append(capsys.readouterr().err)
        assert f"{path.name}: is damaged" in said[-1]
    path.write_bytes(good)
    return said


def test_a_damaged_checkpoint_is_refused_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out"
    interrupted(path, monkeypatch)
    assert all(
        "remove it to begin the interrupted chain again" in said
        for said in damaged(path / "checkpoint.npz", capsys)
    )
    assert all("choose another --out" in said for said in damaged(path / "begun.json", capsys))
    (path / "checkpoint.npz").unlink()
    assert run(scenario(3), out=path, resume=True).report.units == 3


def test_a_damaged_chain_is_refused_and_removing_it_samples_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(
            "lem_safe.runs.runner._judge", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            run(scenario(2), out=path)
    for name in ("samples.npz", "trace.npz", "reference.npz", "diagnostics.npz"):
        assert all("remove it" in said for said in damaged(path / name, capsys))
    good = {name: (path / name).read_bytes() for name in ("samples.npz", "reference.npz", "diagnostics.npz")}
    for name in good:
        (path / name).unlink()
    assert run(scenario(2), out=path, resume=True).report.units == 2
    assert {name: (path / name).read_bytes() for name in good} == good


def test_a_damaged_finished_run_is_refused_with_a_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run(scenario(2), out=tmp_path / "out").directory
    for name, way_out in (
        ("audit.json", "remove it, and --resume audits the samples again"),
        ("run.json", "choose another --out"),
    ):
        assert all(way_out in said for said in damaged(path / name, capsys))
    assert all("choose another --out" in said for said in damaged(path / "samples.npz", capsys))
    good = (path / "audit.json").read_bytes()
    (path / "audit.json").unlink()
    assert run(scenario(2), out=path, resume=True).report.units == 2
    assert (path / "audit.json").read_bytes() == good


def test_every_cut_and_a_flip_of_any_stretch_of_a_checkpoint_is_noticed_or_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lem_safe.run_directory import RunDirectory

    monkeypatch.setattr("lem_safe.runs.replicas.PARTICLES", 50)  # one after the other
    interrupted(tmp_path / "out", monkeypatch)
    file = tmp_path / "out" / "checkpoint.npz"
    good, rng, refused = file.read_bytes(), np.random.default_rng(0), 0
    with RunDirectory(tmp_path / "out") as directory:
        saved = directory.checkpoint()
        assert saved is not None and (str(saved["phase"]), int(saved["step"])) == ("reference", 6)
        assert saved["pooled.x"].shape == (1, 50, 2), "one cloud is done, the second is under way"
        for _ in range(400):
            raw, at = bytearray(good), int(rng.integers(len(good)))
            raw[at] ^= 1 << int(rng.integers(8))
            file.write_bytes(bytes(raw) if rng.random() < 0.8 else good[:at])
            try:
                found = directory.checkpoint()
            except BadInput:
                refused += 1
                continue
            assert found is not None and {
                name for name in found if name in saved and (found[name] != saved[name]).any()
            } <= {name for name, rows in saved.items() if rows.dtype.kind == "f" and np.isnan(rows).any()}
    assert refused > 200


def test_a_full_disk_ends_in_3_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.yaml").write_text(scenario(3).to_yaml())
    whole = run(scenario(3), out=tmp_path / "whole")
    for cut, name in enumerate(("samples.npz", "audit.json", "run.json", "scenario.yaml", "reference.npz")):
        path = tmp_path / str(cut)
        with monkeypatch.context() as patched:
            fsync = os.fsync

            def full(handle: int, name: str = name, fsync=fsync) -> None:  # type: ignore[no-untyped-def]
                if f".{name}." in os.readlink(f"/proc/self/fd/{handle}"):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                fsync(handle)

            patched.setattr("lem_safe.files.os.fsync", full)
            assert cli.main(["run", str(tmp_path / "s.yaml"), "--out", str(path), "--quiet"]) == 3
        assert (
            "no space left; what was complete before is intact; free some space and --resume"
            in capsys.readouterr().err
        )
        assert not (path / name).exists() and not [p for p in path.iterdir() if p.name.startswith(".")]
        done = run(scenario(3), out=path, resume=True)
        assert (done.directory / "samples.npz").read_bytes() == (whole.directory / "samples.npz").read_bytes()


def test_a_disk_that_is_too_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The test above on a real disk of 24 kB. Mounting one takes root and a kernel that lets it: where that
    is missing, only this is skipped.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(
            "a disk of 24 kB cannot be mounted here; test_a_full_disk_ends_in_3_and_resumes stands for it"
        )
    try:
        (tmp_path / "s.yaml").write_text(scenario(6).to_yaml())
        arguments = ["run", str(tmp_path / "s.yaml"), "--out", str(disk / "out"), "--quiet"]
        assert cli.main(arguments) == 3
        assert "no space left" in capsys.readouterr().err
        left = {p.name for p in (disk / "out").iterdir()}
        assert "begun.json" in left and "run.json" not in left
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        assert cli.main([*arguments, "--resume"]) == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        before = (disk / "out" / "samples.npz").read_bytes()
        assert cli.main([*arguments, "--resume"]) == 2
        assert cli.main(["run", str(tmp_path / "s.yaml"), "--out", str(disk / "other"), "--quiet"]) == 2
        said = capsys.readouterr().err
        assert said.count("cannot write here: Read-only file system; choose another --out") == 2
        assert (disk / "out" / "samples.npz").read_bytes() == before
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_what_a_killed_process_was_writing_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    interrupted(path, monkeypatch)
    for name in (".checkpoint.npz.ab_1cd2x", ".audit.json.zzzzzzzz", ".keep.me"):
        (path / name).write_text("half")
    run(scenario(3), out=path, resume=True)
    assert {p.name for p in path.iterdir() if p.name.startswith(".")} == {".keep.me"}


def test_of_two_processes_one_writes(tmp_path: Path) -> None:
    code = (
        "import sys, lem_safe.runs.runner as r; from lem_safe.errors import BadInput; r.render = lambda d: "
        "d\n"
        "try: r.run(sys.argv[1], out=sys.argv[2])\n"
        "except BadInput as bad: print(bad); sys.exit(2)"
    )
    (tmp_path / "s.yaml").write_text(scenario(3).to_yaml())
    command = [sys.executable, "-c", code, str(tmp_path / "s.yaml"), str(tmp_path / "out")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    refused = next(text for text, process in zip(said, both, strict=True) if process.returncode == 2)
    assert "is writing here" in refused or "is not empty" in refused
    alone = run(scenario(3), out=tmp_path / "alone")
    assert (tmp_path / "out" / "samples.npz").read_bytes() == (alone.directory / "samples.npz").read_bytes()


def test_a_directory_that_was_filled_meanwhile_is_not_written_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "lem_safe.runs.runner.must_be_fresh", lambda *_: None
    )  # looked at before the other process came
    (tmp_path / "samples.npz").write_bytes(b"theirs")
    with pytest.raises(BadInput, match="is not empty"):
        run(scenario(1), out=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["samples.npz"]


def test_clouds_beyond_memory_are_refused() -> None:
    with pytest.raises(
        BadInput,
        match=r"audit.replicas: 100,000,000 clouds of 50 samples over 20 steps need .* GiB; this machine has",
    ):
        scenario(100_000_000)
    with pytest.raises(BadInput, match="audit.replicas"):
        scenario(0)


def test_the_tuned_step_size_and_the_contraction_are_recorded(tmp_path: Path) -> None:
    one = run(scenario(1, sampler=TUNED), out=tmp_path / "one")
    h = json.loads((one.directory / "run.json").read_text())["chosen_step_size"]
    assert arrays(one, "trace.npz")["step_size"].tolist() == [h] and 0.05 < h < 20 and h != 0.2
    three = json.loads(
        (run(scenario(3, sampler=TUNED), out=tmp_path / "three").directory / "run.json").read_text()
    )
    found = arrays(tmp_path / "three", "trace.npz")["step_size"]
    assert found.shape == (3,) and found[0] == h and len(set(found.tolist())) == 3
    assert three["chosen_step_size"] == {"least": found.min(), "largest": found.max()}
    sampler = "{kind: preconditioned, samples: 50, steps: 5, step_size: 0.1, metric: [[0.25, 0], [0, 0.5]]}"
    steep = run(scenario(1, sampler=sampler), out=tmp_path / "metric")
    rate = json.loads((steep.directory / "run.json").read_text())["contraction"]
    # ∇²U = 1, M⁻¹ = diag(4, 2): eigenvalues 2 and 4, and a step of .1 contracts by 1 − .1·2
    assert rate["rate"] == pytest.approx(2, rel=1e-6) and rate["stiffest"] == pytest.approx(
        4, rel=1e-6
    )  # found in float32
    assert rate["factor_per_step"] == pytest.approx(0.8, rel=1e-6) and rate["from"].startswith("Bakry-Emery")
    assert "chosen_step_size" not in json.loads((steep.directory / "run.json").read_text())


def test_the_page_speaks_of_clouds(tmp_path: Path) -> None:
    done = run(scenario(3, sampler=TUNED), out=tmp_path / "out", progress=Silent())
    page = (done.directory / "report.html").read_text()
    assert "3 independent clouds of 40 particles" in page and "if the clouds are independent" in page
    assert "chosen_step_size.least" in page and "replicas" in page
    assert "samples are independent" not in page
