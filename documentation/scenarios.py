"""The reports of the bundled scenarios: each is run, and has a page with its file, its verdict and a link.

A report is kept as long as the packages and the scenario are what they were.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from documentation import ROOT
from documentation.pages import shown
from lem_safe.scenario import bundled_scenarios, expected_verdict

TOGETHER = 2


@dataclass(frozen=True)
class Report:
    """A finished run of one bundled scenario, in `directory`."""

    name: str
    directory: Path

    def write(self, into: Path) -> None:
        """The page NAME.md, and beside it NAME/report.html."""
        page = into / place(self.name)
        page.with_suffix("").mkdir(parents=True)
        shutil.copyfile(self.directory / "run" / "report.html", page.with_suffix("") / "report.html")
        page.write_text(shown(self.page()), encoding="utf-8")

    def page(self) -> str:
        """The page as Markdown."""
        comment, scenario = split(bundled(self.name).read_text(encoding="utf-8"))
        verdict = (self.directory / "verdict.txt").read_text(encoding="utf-8")
        return (
            f"# {self.name}\n\n{comment}\n\n**[The report of this run]({self.name}/report.html)** was made "
            f"when this site was built.\n\n## The scenario\n\n```yaml\n{scenario}```\n\n"
            f"## The verdict\n\n`lem-safe run {self.name}` prints\n\n```text\n{verdict}```\n"
        )


def bundled(name: str) -> Path:
    return bundled_scenarios()[name]


def names() -> list[str]:
    """The bundled scenarios."""
    return list(bundled_scenarios())


def place(name: str) -> Path:
    """The page of one of them below the folder of them all, where its file is in the repository."""
    return bundled(name).relative_to(ROOT / "scenarios").with_suffix(".md")


def split(text: str) -> tuple[str, str]:
    """What the comments at the beginning of a scenario say, and the rest."""
    lines = text.splitlines(keepends=True)
    k = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    said = [line.lstrip("# ").rstrip() for line in lines[:k] if "yaml-language-server" not in line]
    return " ".join(said), "".join(lines[k:])


def run_all(into: Path) -> list[Report]:
    """The runs, a few side by side; those that are current already are not repeated."""
    packages = hashlib.sha256()
    for path in sorted(p for package in ("lem_safe", "barriers") for p in (ROOT / package).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            packages.update(path.read_bytes())
    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(lambda name: _run(name, into / name, packages.copy()), names()))


def _run(name: str, directory: Path, fingerprint: "hashlib._Hash") -> Report:
    for path in (bundled(name), *sorted(bundled(name).parent.glob("data/*"))):
        fingerprint.update(path.read_bytes())
    mark = directory / "fingerprint"
    if not mark.is_file() or mark.read_text() != fingerprint.hexdigest():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        expected = {"passed": 0, "failed": 1}[expected_verdict(bundled(name))]
        said = _said([name, "--out", str((directory / "run").relative_to(ROOT))], expected)
        (directory / "verdict.txt").write_text(said, encoding="utf-8")
        mark.write_text(fingerprint.hexdigest())
    return Report(name, directory)


def _said(arguments: list[str], expected: int) -> str:
    """What `lem-safe run` prints, without the place of the report in the last line; SystemExit where its exit
    status is another.
    """
    done = subprocess.run(
        [sys.executable, "-m", "lem_safe", "run", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != expected:
        raise SystemExit(
            f"lem-safe run {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}{done.stdout}"
        )
    return re.sub(r"^\S*report\.html\n?\Z", "", done.stdout, flags=re.M).rstrip() + "\n"
