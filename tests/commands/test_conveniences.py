"""Small things that people expect of a command line: completion, a table from `plan`, runs without a page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scenario_texts import GOOD

from lem_safe import cli
from lem_safe.bounds.planning import plan

pytestmark = pytest.mark.simulation


@pytest.mark.parametrize(
    ("shell", "variables"),
    [
        ("bash", {"COMP_WORDS": "lem-safe val", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "lem-safe val"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "lem-safe val", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_commands_are_completed(shell: str, variables: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lem_safe"],
        env={**os.environ, **variables, "_LEM_SAFE_COMPLETE": f"complete_{shell}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "validate" in done.stdout and "explain" not in done.stdout


def test_plan_without_a_fraction_is_a_table_whose_rows_are_those_of_single_plans(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["plan", "--beta", "0.02", "--power", "0.8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for share, name in ((0.0, "0 %"), (0.25, "0.5 %"), (0.75, "1.5 %")):
        (row,) = [line.split() for line in lines if line.strip().startswith(name)]
        p = plan(0.02, share * 0.02, power=0.8)
        assert row[2:] == [f"{n:,}" for n in (p.samples, p.allowed, p.anytime or 0, p.clouds or 0)]
    assert cli.main(["plan", "--beta", "0"]) == 2 and "--beta" in capsys.readouterr().err


def test_a_run_without_a_page_gets_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(GOOD)
    assert cli.main(["run", "s.yaml", "--out", "out", "--quiet", "--no-report"]) in (0, 1)
    assert "lem-safe report" in capsys.readouterr().out and not Path("out/report.html").exists()
    assert Path("out/audit.json").exists()
    assert cli.main(["report", "out"]) in (0, 1) and Path("out/report.html").exists()
