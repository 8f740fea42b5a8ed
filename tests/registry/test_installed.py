"""Kinds of distributions that are installed beside lem-safe: used and listed with their origin; broken ones
are refused by name and harm nothing else.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from contributed import EXAMPLES, IMPORTS, KINDS, LEARNED, SCENARIO

pytestmark = pytest.mark.simulation

ROOT = Path(__file__).parents[2]
SECTIONS = dict(zip(KINDS, EXAMPLES, strict=True))
CLASSES = {"sets": "Diamond", "filters": "Cap", "energies": "Bowl", "samplers": "Every", "losses": "Robust"}
WITH = """\
version: 1
name: plain
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe: {gem: {kind: KIND, center: [0, 0], radius: 1}}
constraints: [{set: gem, beta: 0.9}]
sampler: {kind: langevin, samples: 60, steps: 6, step_size: 0.01}
"""
PROGRAM = """
import contextlib, io, json, sys
from lem_safe import cli
found = []
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(arguments)
    found.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(found))
"""


class Done(NamedTuple):
    """What one command did."""

    status: int
    out: str
    err: str


def install(site: Path, name: str, code: str, points: dict[str, dict[str, str]]) -> None:
    """A distribution as pip leaves it: one module and its metadata."""
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(code, encoding="utf-8")
    about = site / f"{module}-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = []
    for group, kinds in points.items():
        lines += [f"[lem_safe.{group}]", *(f"{kind} = {module}:{made}" for kind, made in kinds.items())]
    (about / "entry_points.txt").write_text("\n".join(lines))


def commands(site: Path, *each: list[str]) -> list[Done]:
    """The commands one after the other, in a process in which what is in `site` is installed."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(each)],
        cwd=site,
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [Done(*found) for found in json.loads(done.stdout)]


def test_installed_kinds_are_listed_with_their_origin_and_run(tmp_path: Path) -> None:
    """The examples of CONTRIBUTING.md as a distribution, which edits no table."""
    code = "".join(EXAMPLES[SECTIONS[group]] for group in CLASSES)
    points = {group: {KINDS[group]: made} for group, made in CLASSES.items()}
    install(tmp_path, "our-kinds", IMPORTS + re.sub(r'^[A-Z]+\["\w+"\] = .*$', "", code, flags=re.M), points)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    (tmp_path / "learned.yaml").write_text(LEARNED)
    *listed, validated, learned, explained, ran = commands(
        tmp_path,
        *(["list", group] for group in CLASSES),
        ["validate", "s.yaml"],
        ["validate", "learned.yaml"],
        ["explain", "s.yaml"],
        ["run", "s.yaml", "--out", "out", "--quiet"],
    )
    for group, done in zip(CLASSES, listed, strict=True):
        assert KINDS[group] in done.out and "(our-kinds" in done.out and "1.2)" in done.out
    assert [d.status for d in (validated, learned, explained, ran)] == [0, 0, 0, 0]
    assert (tmp_path / "out" / "report.html").exists()


BROKEN = {
    "raising": ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "leaving": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "absent": ("", "AttributeError"),
    "number": ("Made = 3", "offers is not such an entry"),
    "stranger": ("class Made: 'A set.'", "must be a subclass of barriers.sets.base.UnsafeSet"),
}
"""By the kind that is offered: a module, and what is said of it."""


def test_broken_distributions_are_named_where_their_kinds_are_used_and_harm_nothing_else(
    tmp_path: Path,
) -> None:
    for kind, (code, _) in BROKEN.items():
        install(tmp_path, f"bad-{kind}", code, {"sets": {kind: "Made"}})
        (tmp_path / f"{kind}.yaml").write_text(WITH.replace("KIND", kind))
    (tmp_path / "plain.yaml").write_text(WITH.replace("KIND", "ball"))
    *refused, plain, listed, helped = commands(
        tmp_path,
        *(["validate", f"{kind}.yaml"] for kind in BROKEN),
        ["validate", "plain.yaml"],
        ["list", "sets"],
        ["--help"],
    )
    for (kind, (_, words)), done in zip(BROKEN.items(), refused, strict=True):
        assert done.status == 2 and f"{kind}.yaml:4" in done.err and "Traceback" not in done.err
        assert f"bad-{kind} 1.2" in done.err and words in done.err
    assert plain.status == listed.status == helped.status == 0
    said = " ".join(listed.out.split())
    assert said.count("cannot be used") == len(BROKEN) and "bad-raising 1.2" in said


def test_what_lem_safe_has_itself_stays_what_it_is(tmp_path: Path) -> None:
    install(tmp_path, "false-ball", "open('imported', 'w').close()", {"sets": {"ball": "Made"}})
    (tmp_path / "s.yaml").write_text(WITH.replace("KIND", "ball"))
    validated, listed = commands(tmp_path, ["validate", "s.yaml"], ["list", "sets"])
    assert validated.status == listed.status == 0 and not (tmp_path / "imported").exists()
    assert "that false-ball 1.2 offers is not used" in " ".join(listed.out.split())


def test_two_distributions_that_offer_one_kind_are_both_named(tmp_path: Path) -> None:
    for name in ("one-kind", "same-kind"):
        install(tmp_path, name, "class Made: 'A set.'", {"sets": {"twin": "Made"}})
    (tmp_path / "s.yaml").write_text(WITH.replace("KIND", "twin"))
    (done,) = commands(tmp_path, ["validate", "s.yaml"])
    assert done.status == 2 and "one-kind 1.2" in done.err and "same-kind 1.2" in done.err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_nothing_is_imported_before_it_is_needed(arguments: list[str], tmp_path: Path) -> None:
    install(tmp_path, "bad-kinds", "open('imported', 'w').close()", {"sets": {"diamond": "Diamond"}})
    (done,) = commands(tmp_path, arguments)
    assert done.status == 0 and not (tmp_path / "imported").exists()
