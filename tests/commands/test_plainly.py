"""Commands that check or count say the same without torch, and begin again with it where they need it."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from without_torch import COMMANDS, ROOT, without_torch

from barriers.kinds import Entry, Kinds, Offer
from barriers.plain.needs import Choice, NeedsTorch
from lem_safe import audit, cli, plainly
from lem_safe.commands.outcome import status_of
from lem_safe.energies import ENERGIES
from lem_safe.output import Output

RULES = """
version: 1
name: loans
columns: [income, debt, age]
unsafe:
  over: {kind: rule, where: "debt > 2*sqrt(income) and age < 40"}
  near: {kind: ball, center: [1, 1, 30], radius: 5}
constraints: [{set: over, beta: 0.3}, {set: near, beta: 0.2}]
"""
GIVEN = """
version: 1
name: given
unsafe: {right: {kind: half_space, normal: [1, 0], offset: 1}}
constraints: [{set: right, beta: 0.05}]
sampler: {kind: mala, samples: 500, steps: 200, step_size: 0.1}
filter: {kind: gate}
"""
ORDERING = "ordering y_0 y_1\ny_0 - y_1 >= 0\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, a scenario to audit it with, and a scenario with a fault."""
    random = np.random.default_rng(4)
    table = np.stack([random.uniform(0, 9, 500), random.uniform(0, 9, 500), random.integers(20, 60, 500)], 1)
    np.savetxt(tmp_path / "loans.csv", table, "%.6g", ",", header="income,debt,age", comments="")
    (tmp_path / "loans.yaml").write_text(RULES)
    (tmp_path / "wrong.yaml").write_text(RULES.replace("ball", "bal").replace("0.3", "3"))
    (tmp_path / "rules.txt").write_text(ORDERING)
    monkeypatch.chdir(tmp_path)
    return tmp_path


ASKED = (
    ["validate", "ring_keep_out", "impossible_cells", "loans.yaml"],
    ["validate", "wrong.yaml"],
    ["audit", "loans.csv", "loans.yaml"],
    ["audit", "loans.csv", "loans.yaml", "--json"],
    ["audit", "loans.csv", "loans.yaml", "--shard", "1/1", "--out", "part.json", "--overwrite"],
    ["merge", "part.json", "--scenario", "loans.yaml"],
    ["list", "sets"],
    ["schema"],
    ["rules", "convert", "rules.txt"],
    ["explain", "ring_keep_out", "--no-timing"],
)


def with_torch(command: list[str]) -> list[object]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(command)
    return [status, out.getvalue(), err.getvalue()]


def assert_close(one: object, other: object) -> None:
    """The same, up to the last digits of distances."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_close(one[key], other[key])
    elif isinstance(one, list) and isinstance(other, list):
        for a, b in zip(one, other, strict=True):
            assert_close(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-12)
    else:
        assert one == other


def test_every_command_says_the_same_where_torch_cannot_be_imported(place: Path) -> None:
    (place / "commands.json").write_text(json.dumps(ASKED))
    found = without_torch(COMMANDS, place / "commands.json")
    for command, said in zip(ASKED, found, strict=True):
        status, printed, complained = with_torch(list(command))
        assert (said[0], said[2]) == (status, complained), command
        if "--json" in command:
            assert_close(json.loads(said[1]), json.loads(str(printed)))
        else:
            assert said[1] == printed, command
    assert [said[0] for said in found[:3]] == [0, 2, 0]


def process(*arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "lem_safe", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_an_audit_of_rules_and_shapes_does_not_import_torch(place: Path) -> None:
    (place / "torch.py").write_text("raise AssertionError('torch was imported')\n")
    path = os.pathsep.join([str(place), str(ROOT)])
    status, said, error = process("audit", "loans.csv", "loans.yaml", PYTHONPATH=path)
    assert (status, error) == (0, "") and "certified" in said
    status, _, error = process("audit", "loans.csv", "loans.yaml", PYTHONPATH=path, LEM_SAFE_ARRAYS="torch")
    assert status == 4 and "torch was imported" in error


def test_what_only_torch_can_do_begins_again_and_is_said_once(place: Path) -> None:
    energy = "{kind: sublevel, energy: {kind: ring}, level: 0.5}"
    (place / "ring.yaml").write_text(
        f"version: 1\nname: ring\ncolumns: [x, y]\nunsafe: {{ring: {energy}}}\n"
        "constraints: [{set: ring, beta: 0.9}]\n"
    )
    np.savetxt(
        place / "points.csv",
        np.random.default_rng(0).normal(size=(99, 2)),
        "%.6g",
        ",",
        header="x,y",
        comments="",
    )
    asked = ("audit", "points.csv", "ring.yaml")
    found = process(*asked)
    assert found == process(*asked, LEM_SAFE_ARRAYS="torch") and found[0] in (0, 1)


def test_nothing_that_draws_or_trains_does_without_torch() -> None:
    drawing = {
        "run",
        "certify",
        "sample",
        "train",
        "thin",
        "ood",
        "quality",
        "compare",
        "reproduce",
        "report",
    }
    assert drawing.isdisjoint(plainly.COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "plain"),
    [
        (["audit", "x.csv", "s.yaml"], True),
        (["audit", "x.csv", "s.yaml", "--out", "there"], False),
        (["audit", "x.csv", "s.yaml", "--out=there"], False),
        (["audit", "x.csv", "s.yaml", "--shard", "1/2", "--out", "there"], True),
        (["audit", "x.csv", "s.yaml", "--near", "0.1"], False),
        (["explain", "s.yaml"], True),
        (["explain", "s.yaml", "--timing"], False),
        (["explain", "s.yaml", "--no-timing"], True),
        (["run", "audit"], False),
        ([], False),
    ],
)
def test_the_command_line_decides(arguments: list[str], plain: bool) -> None:
    assert plainly.fits(arguments) == plain


@pytest.mark.parametrize(("name", "cache"), [("eight_gaussians", "none"), ("ring_keep_out", "other")])
def test_an_explanation_of_what_was_never_timed_does_not_import_torch(
    name: str, cache: str, place: Path
) -> None:
    """A network where nothing was timed, and a mixture where something else was."""
    (place / "torch.py").write_text("raise AssertionError('torch was imported')\n")
    (place / "other" / "timings").mkdir(parents=True)
    path = os.pathsep.join([str(place), str(ROOT)])
    status, said, error = process("explain", name, PYTHONPATH=path, LEM_SAFE_CACHE=str(place / cache))
    assert (status, error) == (0, "") and "estimated" in said


def test_every_energy_is_explained_and_its_time_is_estimated_without_torch(place: Path) -> None:
    commands = []
    for kind, entry in ENERGIES.items():
        (place / f"{kind}.yaml").write_text(GIVEN + f"energy: {json.dumps(dict(entry.example))}\n")
        commands.append(["explain", f"{kind}.yaml"])
    (place / "commands.json").write_text(json.dumps(commands))
    for kind, (status, said, complained) in zip(
        ENERGIES, without_torch(COMMANDS, place / "commands.json"), strict=True
    ):
        assert (status, complained) == (0, "") and "Roughly" in said, kind


def test_another_program_keeps_its_torch_and_is_not_begun_again(place: Path) -> None:
    energy = "{kind: sublevel, energy: {kind: ring}, level: 0.5}"
    (place / "ring.yaml").write_text(RULES.replace("{kind: ball, center: [1, 1, 30], radius: 5}", energy))
    host = (
        "import sys\nprint('begun')\nsys.argv = ['lem-safe', 'validate', 'loans.yaml', 'ring.yaml']\n"
        "from lem_safe.__main__ import main\nmain()\nassert 'torch' in sys.modules"
    )
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command, given in (([sys.executable, "-c", host], None), ([sys.executable, "-"], host)):
        done = subprocess.run(command, input=given, capture_output=True, text=True, env=here, check=False)
        assert done.stdout.count("begun") == done.stdout.count("loans.yaml: valid") == 1, done


def test_an_unknown_choice_is_refused() -> None:
    assert process("list", "sets", LEM_SAFE_ARRAYS="jax") == (
        2,
        "",
        "LEM_SAFE_ARRAYS: must be numpy or torch; got 'jax'\n",
    )


def test_a_program_of_ones_own_is_told_what_only_torch_can_do(place: Path) -> None:
    script = (
        "import lem_safe\n"
        "print(lem_safe.audit('loans.csv', 'loans.yaml').constraints[0].violations)\n"
        "grown = {'kind': 'grow', 'set': {'kind': 'ball', 'center': [1, 1, 30], 'radius': 1}, 'by': 1}\n"
        "try:\n    lem_safe.audit('loans.csv', {'near': grown}, beta=0.1)\n"
        "except RuntimeError as error:\n    print(error)\n"
        "import sys; print('torch' in sys.modules)"
    )
    here = {**os.environ, "PYTHONPATH": str(ROOT), "LEM_SAFE_ARRAYS": "numpy"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=here, check=True
    )
    counted, told, imported = done.stdout.splitlines()
    assert int(counted) == audit("loans.csv", "loans.yaml").constraints[0].violations
    assert "only possible with torch; leave LEM_SAFE_ARRAYS unset" in told and imported == "False"


@pytest.mark.parametrize("command", [(), *((name,) for name in plainly.COMMANDS)], ids=str)
def test_help_can_be_piped(command: tuple[str, ...]) -> None:
    """click asks whether a stream takes bytes by writing some."""
    status, printed, complained = process(*command, "--help")
    assert (status, complained) == (0, "") and printed.count("--help") == 1 and "Usage:" in printed


def test_what_is_held_takes_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Choice, "again", True)
    held = Output(io.BytesIO(), "utf-8")
    with held.held(), pytest.raises(TypeError):
        held.write(b"")  # type: ignore[arg-type]


def test_what_is_said_on_both_streams_keeps_its_order(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lem_safe", "validate", "loans.yaml", "wrong.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.stdout.index("valid") < done.stdout.index("wrong.yaml:")


def test_an_internal_error_without_torch_begins_again_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise AttributeError("no such attribute")

    monkeypatch.setattr(Choice, "again", True)
    with pytest.raises(NeedsTorch):
        status_of(broken)


def test_kinds_of_other_distributions_are_loaded_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Kinds("thing", Entry, {})
    table.offer("theirs", Offer("another 1.0", lambda: pytest.fail("was loaded")))
    monkeypatch.setattr(Choice, "plain", True)
    monkeypatch.setattr(Choice, "again", True)
    with pytest.raises(NeedsTorch, match="another"):
        table.settle("theirs")
