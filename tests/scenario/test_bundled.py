"""The bundled scenarios outside the gallery run, and scenarios/README.md says what they do."""

import re
from pathlib import Path

import numpy as np
import pytest

from lem_safe.files import read_npz
from lem_safe.registry import load
from lem_safe.runs.runner import run
from lem_safe.scenario import bundled_scenarios, expected_verdict

pytestmark = pytest.mark.simulation

BUNDLED = [name for name, path in bundled_scenarios().items() if path.parent.name != "gallery"]
README = Path(__file__).parents[2] / "scenarios" / "README.md"


def _table() -> dict[str, dict[str, str]]:
    lines = [line for line in README.read_text().splitlines() if line.startswith("|")]
    heads = [cell.strip() for cell in lines[0].strip("|").split("|")]
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {row[0]: dict(zip(heads, row, strict=True)) for row in rows}


def _percent(text: str) -> float:
    return float(re.findall(r"([\d.]+) %", text)[0]) / 100


def test_the_table_lists_every_scenario() -> None:
    assert set(_table()) == set(BUNDLED)
    for name, row in _table().items():
        assert row["expected verdict"] == expected_verdict(bundled_scenarios()[name])


SLOW = ["away_from_a"]
"""What takes as many steps whatever its number of particles is."""
IN_LESS_TIME = {
    "ring_keep_out": {},
    "eight_gaussians": {"energy.training.steps": 1500, "energy.training.batch_size": 256},
    "impossible_tumours": {"energy.training.steps": 1500},
    "away_from_a": {},
}
"""Less training."""
CASES = [
    pytest.param(name, samples, marks=[pytest.mark.long] * (samples is None or name in SLOW))
    for name in BUNDLED
    for samples in (500, None)
]


@pytest.mark.parametrize(("name", "samples"), CASES)
def test_the_expected_verdict_holds(
    name: str, samples: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few particles, whose share inside has an error of its own, and in less time; `long`: as the
    scenario stands.
    """
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    expected = _table()[name]
    scenario = load(name, IN_LESS_TIME[name] if samples else {})
    done = run(scenario, out=tmp_path / "out", samples=samples)
    assert ("passed" if done.exit_status == 0 else "failed") == expected["expected verdict"]
    tolerated = _percent(expected["tolerated"])
    assert all(c.beta == tolerated for c in done.scenario.constraints)
    if expected["expected verdict"] == "passed":
        assert (
            np.round(done.trace["fraction"] * done.report.samples) <= tolerated * done.report.samples
        ).all()
    free = read_npz(done.directory / "reference.npz")["fraction"]
    settled = free[-len(free) // 4 :].mean(0)
    p = _percent(expected["unconstrained"])
    chance = 4 * np.sqrt(p * (1 - p) / done.report.samples)
    assert (np.abs(settled - p) <= (0.015 if samples is None else chance)).all(), settled
