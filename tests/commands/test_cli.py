"""The command line: what it prints where, its exit statuses, and what it does not import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from audited import faults
from scenario_texts import GOOD, changed

import lem_safe
from lem_safe import cli
from lem_safe.commands import outcome
from lem_safe.commands.list_ import Listing
from lem_safe.errors import BadInput, Fault, NumericalFailure

HEAVY = ("torch", "matplotlib", "scipy", "numpy", "sklearn", "ruamel")


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lem_safe", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120, check=False
    )


def imported_by(code: str) -> set[str]:
    """The top-level modules in memory after running `code` in a fresh interpreter."""
    script = f"import sys\n{code}\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "two_balls.yaml"
    path.write_text(GOOD)
    return path


def test_help_and_the_package_itself_import_nothing_heavy():
    for code in (
        "import lem_safe; lem_safe.__version__; dir(lem_safe)",
        "from lem_safe import cli; cli.main(['--help'])",
        "from lem_safe import cli; cli.main(['run', '--help'])",
    ):
        assert imported_by(code).isdisjoint(HEAVY), code


def test_python_m_lem_safe_is_the_command():
    shown = process("--version")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"lem-safe {lem_safe.__version__}\n", "")
    assert "lem-safe run" in (said := process("run", "--help").stdout) and "__main__" not in said
    unknown = process("rum")
    assert unknown.returncode == 2 and unknown.stdout == "" and "lem-safe --help" in unknown.stderr


def test_validate_and_a_run_without_a_page_import_torch_but_no_plots_and_no_compiler(tmp_path: Path):
    few = ["--steps", "4", "--samples", "50", "--quiet", "--no-report", "--out", str(tmp_path / "run")]
    modules = imported_by(
        "from lem_safe import cli; assert cli.main(['validate', 'ring_keep_out']) == 0\n"
        f"assert cli.main(['run', 'ring_keep_out', *{few}]) in (0, 1)"
    )
    assert "torch" in modules and modules.isdisjoint({"matplotlib", "pandas", "sympy"})


def test_public_names_are_what_they_say():
    assert lem_safe.load("ring_keep_out").name == "ring_keep_out"
    assert all(getattr(lem_safe, name) is not None for name in lem_safe.__all__)
    with pytest.raises(AttributeError, match="no attribute 'samples'"):
        _ = lem_safe.samples


def test_statuses_of_processes(scenario: Path, tmp_path: Path):
    """2 usage, 1 an audit that fails its tolerance, as processes; 0 valid is `main`'s, as is any status."""
    assert cli.main(["validate", str(scenario)]) == 0
    usage = process("run", "--bogus")
    assert usage.returncode == 2 and "No such option" in usage.stderr and usage.stdout == ""
    np.save(tmp_path / "inside.npy", np.tile([2.0, 0.0], (100, 1)))
    failed = process("audit", str(tmp_path / "inside.npy"), str(scenario), "--json")
    assert failed.returncode == 1 and failed.stderr == ""
    assert json.loads(failed.stdout)["constraints"][0]["fraction"] == 1.0


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (BadInput([Fault("one", "a.yaml", 3, 1), Fault("two")]), 2, "a.yaml:3:1: one\ntwo\n"),
        (
            NumericalFailure("diverged at step 7: |x| = inf"),
            3,
            "numerical failure: diverged at step 7: |x| = inf\n",
        ),
        (KeyboardInterrupt(), 130, "--resume"),
        (OSError(28, "No space left on device", "runs/x"), 3, "runs/x: no space left"),
        (PermissionError(13, "Permission denied", "/root/x"), 2, "/root/x: Permission denied"),
        (
            ZeroDivisionError("division by zero"),
            4,
            "internal error: ZeroDivisionError: division by zero; please report it with ",
        ),
        (MemoryError(), 3, "out of memory: "),
    ],
)
def test_failures_become_statuses_in_one_place(
    error: BaseException, status: int, message: str, capsys: pytest.CaptureFixture[str]
):
    def body() -> int:
        raise error

    assert outcome.status_of(body) == status
    shown = capsys.readouterr()
    assert message in shown.err and shown.out == "" and "Traceback" not in shown.err
    if status == 4:
        log = Path(shown.err.strip().rsplit(" ", 1)[1])
        assert "raise error" in log.read_text()
        log.unlink()


def test_an_uncaught_exception_never_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def broken(*_: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr("lem_safe.registry.load", broken)
    assert cli.main(["validate", "ring_keep_out"]) == 4
    Path(capsys.readouterr().err.strip().rsplit(" ", 1)[1]).unlink()


def test_validate_tells_all_faults_of_all_files(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "a.yaml").write_text(changed("radius: 0.8", "radius: -1"))
    (tmp_path / "b.yaml").write_text(changed("beta: 0.03", "beta: 3"))
    assert cli.main(["validate", str(tmp_path / "a.yaml"), str(scenario), str(tmp_path / "b.yaml")]) == 2
    shown = capsys.readouterr()
    assert f"{tmp_path}/a.yaml:5:" in shown.err and f"{tmp_path}/b.yaml:9:" in shown.err
    assert "two_balls.yaml: valid" in shown.out


def test_audit_prints_and_writes_the_same_report(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    np.save(tmp_path / "x.npy", np.zeros((500, 2)))
    out = tmp_path / "out"
    assert cli.main(["audit", str(tmp_path / "x.npy"), str(scenario), "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((out / "audit.json").read_text())
    assert printed["passed"] is True and printed["samples"] == 500
    assert cli.main(["audit", str(tmp_path / "x.npy"), str(scenario), "--out", str(out)]) == 2, (
        "a directory that is not empty is refused"
    )
    assert cli.main(["audit", str(tmp_path / "x.npy"), str(scenario)]) == 0
    assert "both" in capsys.readouterr().out


def test_a_passing_count_that_is_not_certified_fails_under_strict(scenario: Path, tmp_path: Path):
    np.save(tmp_path / "few.npy", np.zeros((5, 2)))
    assert cli.main(["audit", str(tmp_path / "few.npy"), str(scenario)]) == 0
    assert cli.main(["audit", str(tmp_path / "few.npy"), str(scenario), "--strict"]) == 1


@pytest.mark.parametrize("what", [listing.value for listing in Listing])
def test_list_shows_every_member(what: str, capsys: pytest.CaptureFixture[str]):
    from lem_safe.auditor.formats import FORMATS
    from lem_safe.registry import TABLES
    from lem_safe.scenario import bundled_scenarios

    assert cli.main(["list", what]) == 0
    out = capsys.readouterr().out
    others = {"scenarios": bundled_scenarios, "formats": lambda: FORMATS}
    members = others[what]() if what in others else TABLES[what].members
    assert members and all(any(line.startswith(kind) for line in out.splitlines()) for kind in members)


def test_list_filters_says_what_each_promises(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["list", "filters"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "every step, this cloud" in lines["gate"] and "in expectation" in lines["drift"]


def test_schema_prints_json(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["required"][:2] == ["version", "name"]
    assert cli.main(["schema", "scenarios"]) == 2


def test_the_schema_of_an_audit_is_printed_and_real_audits_fit_it(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["schema", "audit"]) == 0
    printed = json.loads(capsys.readouterr().out)
    np.save(tmp_path / "x.npy", np.zeros((50, 2)))
    for options in ([], ["--strict"]):
        assert cli.main(["audit", str(tmp_path / "x.npy"), str(scenario), "--json", *options]) in (0, 1)
        assert faults(json.loads(capsys.readouterr().out), printed) == []


def test_a_run_writes_its_directory_and_its_status_is_its_report(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    arguments = [
        "run",
        str(scenario),
        "--out",
        str(out),
        "--steps",
        "4",
        "--samples",
        "50",
        "--quiet",
        "--json",
    ]
    status = cli.main(arguments)
    report = json.loads(capsys.readouterr().out)
    assert status == (0 if report["passed"] else 1)
    assert report == json.loads((out / "audit.json").read_text())
    assert {"scenario.yaml", "samples.npz", "trace.npz", "audit.json", "report.html", "run.json"} <= {
        p.name for p in out.iterdir()
    }
    assert np.load(out / "samples.npz")["x"].shape == (50, 2)
    assert cli.main(arguments) == 2, "--out must be empty or absent"
    capsys.readouterr()
    assert cli.main([*arguments, "--resume"]) == status
    assert json.loads(capsys.readouterr().out) == report


@pytest.mark.parametrize(
    ("form", "mark"), [("junit", "<testsuite"), ("markdown", "|"), ("github", "::"), ("text", "small")]
)
def test_an_audit_is_printed_as_asked(
    form: str, mark: str, scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    np.save(tmp_path / "x.npy", np.zeros((50, 2)))
    cli.main(
        ["audit", str(tmp_path / "x.npy"), str(scenario), "--format", form, "--out", str(tmp_path / form)]
    )
    out = capsys.readouterr().out
    assert mark in out or (form == "text" and "50 samples" in out)
    assert (tmp_path / form / "badge.svg").read_text().startswith("<svg")


def test_plan_says_how_many_and_refuses_the_impossible(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["plan", "--beta", "0.01", "--true", "0.003"]) == 0
    assert "1,049 independent samples" in capsys.readouterr().out
    assert cli.main(["plan", "--beta", "0.01", "--true", "0.02"]) == 2
    assert "0 <= true < beta" in capsys.readouterr().err


def test_train_writes_an_energy_and_refuses_an_analytic_one(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    assert cli.main(["train", str(scenario)]) == 2
    text = (
        "version: 1\nname: t\nenergy: {kind: trained, data: {kind: two_moons, samples: 300}, network: "
        "{kind: mlp, hidden: 8, depth: 1},"
        " training: {steps: 20, batch_size: 32}}\nunsafe: {a: {kind: ball, center: [0, 0], radius: 1}}\n"
        "constraints: [{set: a, beta: 0.1}]\nsampler: {kind: langevin, samples: 10, steps: 2, step_size: "
        "0.01}\n"
    )
    (tmp_path / "t.yaml").write_text(text)
    assert (
        cli.main(["train", str(tmp_path / "t.yaml"), "--out", str(tmp_path / "e.safetensors"), "--quiet"])
        == 0
    )
    assert (tmp_path / "e.safetensors").stat().st_size > 500
    assert cli.main(["train", str(tmp_path / "t.yaml"), "--out", str(tmp_path / "e.safetensors")]) == 2


def test_report_needs_a_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def test_an_audit_of_a_run_says_what_the_run_said_with_its_trace(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Count, every step and bound: three cases a constraint in JUnit; without the trace, two. The badge is
    there beside the run.
    """
    out = tmp_path / "out"
    cli.main(
        ["run", str(scenario), "--out", str(out), "--steps", "4", "--samples", "50", "--quiet", "--json"]
    )
    told = json.loads(capsys.readouterr().out)
    assert (
        json.loads((out / "badge.json").read_text())["schemaVersion"] == 1
        and "<svg" in (out / "badge.svg").read_text()
    )
    arguments = ["audit", str(out / "samples.npz"), str(out / "scenario.yaml")]
    assert cli.main([*arguments, "--trace", str(out / "trace.npz"), "--json"]) == (0 if told["passed"] else 1)
    again = json.loads(capsys.readouterr().out)
    assert {**again, "source": ""} == {**told, "source": ""}
    cli.main([*arguments, "--trace", str(out / "trace.npz"), "--format", "junit"])
    assert ": every step" in capsys.readouterr().out
    cli.main([*arguments, "--format", "junit"])
    assert ": every step" not in capsys.readouterr().out
    (tmp_path / "cut.npz").write_bytes((out / "trace.npz").read_bytes()[:-100])
    for path, said in (
        (tmp_path / "no.npz", "no such file"),
        (out / "samples.npz", "lacks 'step'"),
        (tmp_path / "cut.npz", "not a readable"),
    ):
        assert cli.main([*arguments, "--trace", str(path)]) == 2
        assert said in capsys.readouterr().err
