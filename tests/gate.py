"""The whole suite as `make test` runs it: the tests that check every call's shapes, then the simulations
without that.

Usage: python tests/gate.py [--long] [--none-skipped]. Ends with the time of each part, the ten slowest tests
and the number of skipped ones; exits 1 where a test failed or, with --none-skipped, where one was skipped.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

PARTS = {
    "tests, shapes checked in every call": ("not simulation", ()),
    "simulations": ("simulation", ("--jaxtyping-packages=",)),
}
"""What is selected, and with which arguments of pytest beside those of pyproject.toml."""

CACHE = "LEM_SAFE_CACHE"


class Case(NamedTuple):
    """A test that was run: its seconds by the clock, and why it was skipped, where it was."""

    name: str
    seconds: float
    skipped: str | None


def cases(report: Path) -> list[Case]:
    """The tests of one JUnit file."""
    return [_case(element) for element in ElementTree.parse(report).iter("testcase")]


def _case(element: ElementTree.Element) -> Case:
    skipped = element.find("skipped")
    return Case(
        f"{element.get('classname')}::{element.get('name')}",
        float(element.get("time", 0)),
        None if skipped is None else skipped.get("message", ""),
    )


def summary(found: Sequence[Case]) -> str:
    """The ten slowest and the skipped ones, as lines."""
    slowest = sorted(found, key=lambda case: -case.seconds)[:10]
    skipped = [case for case in found if case.skipped is not None]
    lines = ["the ten slowest:", *(f"{case.seconds:8.1f} s  {case.name}" for case in slowest)]
    lines += [f"skipped: {len(skipped)}", *(f"  {case.name}: {case.skipped}" for case in skipped)]
    return "\n".join(lines)


def run_part(name: str, *, long: bool, report: Path) -> int:
    """One process of pytest and its two workers; its exit status."""
    expression, arguments = PARTS[name]
    selected = expression if long else f"{expression} and not long"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
        + ["-m", selected, f"--junitxml={report}", *arguments],
        check=False,
    ).returncode


def main(arguments: Iterable[str]) -> int:
    parser = argparse.ArgumentParser(description="The whole suite, in two parts.")
    parser.add_argument("--long", action="store_true", help="also what is marked long")
    parser.add_argument("--none-skipped", action="store_true", help="a skipped test is a failure")
    chosen = parser.parse_args(list(arguments))
    found: list[Case] = []
    failed = False
    lines = []
    with tempfile.TemporaryDirectory() as directory:
        for name in PARTS:
            began, report = time.monotonic(), Path(directory) / "report.xml"
            failed |= run_part(name, long=chosen.long, report=report) != 0
            found += cases(report) if report.is_file() else []
            lines.append(f"{time.monotonic() - began:8.1f} s  {name}")
            report.unlink(missing_ok=True)
    print(*lines, summary(found), sep="\n")
    if chosen.none_skipped and any(case.skipped is not None for case in found):
        print("a test was skipped: install what it names")
        failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
