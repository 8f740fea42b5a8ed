"""Cells that are what is computed of a row, at the digits or step of their column, are not said to differ."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import lem_safe
from lem_safe.auditor.tally import Dates, Numbers
from lem_safe.registry import loads

TEXT = """
version: 1
name: t
derived: {{made: {formula}}}
unsafe: {{big: {{kind: rule, where: "{where}"}}}}
constraints: [{{set: big, beta: 0.9}}]
"""


def unequal(path: Path, lines: list[str], formula: str, where: str = "made > 1") -> list[tuple[int, int]]:
    path.write_text("\n".join(lines) + "\n")
    report = lem_safe.audit(path, loads(TEXT.format(formula=formula, where=where), to_audit=True))
    return [(found.differ, found.first) for found in report.unequal]


STEPS = [("days", 86400), ("minutes", 60), ("seconds", 1)]


@pytest.mark.parametrize(("step", "seconds"), STEPS)
def test_times_are_compared_at_the_step_of_the_whole_column(tmp_path: Path, step: str, seconds: int) -> None:
    """Made by plain Python, up to half a step off; of the first hundred all would do as days."""
    rng, lines = np.random.default_rng(0), ["start,days,made"]
    for i in range(300):
        start = datetime(2021, 3, 1) + timedelta(days=i % 20)
        days = float(rng.integers(1, 9)) if i < 100 else round(float(rng.random()) * 9, 5)
        exact = start + timedelta(days=days)
        whole = round((exact - datetime(2021, 1, 1)).total_seconds() / seconds) * seconds
        lines.append(
            f"{start.isoformat()},{days},{(datetime(2021, 1, 1) + timedelta(seconds=whole)).isoformat()}"
        )
    where = "made > '2021-03-05'"
    assert unequal(tmp_path / "t.csv", lines, "start + days", where) == []
    wrong = f"2021-03-01T00:00:00,2,{datetime(2021, 3, 3) + timedelta(seconds=2 * seconds):%Y-%m-%dT%H:%M:%S}"
    assert unequal(tmp_path / "t.csv", [*lines, wrong], "start + days", where) == [(1, 301)]


@pytest.mark.parametrize("digits", [0, 2, 9, 10, 12, 13])
def test_numbers_are_compared_at_the_decimals_of_the_whole_column(tmp_path: Path, digits: int) -> None:
    rng, unit = np.random.default_rng(1), Decimal(1).scaleb(-digits)
    parts = [(int(a), int(b)) for a, b in rng.integers(1, 99, (300, 2))]
    lines = [f"{a},{b},{(Decimal(a) / b).quantize(unit)}" for a, b in parts]
    assert unequal(tmp_path / "t.csv", ["a,b,made", *lines], "a / b") == []
    wrong = f"1,3,{(Decimal(1) / 3).quantize(unit) + 2 * unit}"
    assert unequal(tmp_path / "t.csv", ["a,b,made", *lines, wrong], "a / b") == [(1, 301)]


def test_numbers_of_any_decimals_are_compared_to_nine_digits(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    parts = [(int(a), int(b)) for a, b in rng.integers(1, 10**7, (200, 2))]
    lines = ["a,b,made", *(f"{a},{b},{a / b * (1 + 1e-11)!r}" for a, b in parts)]
    assert unequal(tmp_path / "t.csv", lines, "a / b") == []
    assert unequal(tmp_path / "t.csv", [*lines, f"1,3,{1 / 3 + 1e-8!r}"], "a / b") == [(1, 201)]


@pytest.mark.parametrize("size", [1, 7, 300])
def test_what_is_found_does_not_depend_on_the_blocks(size: int) -> None:
    rng = np.random.default_rng(3)
    exact = np.sort(rng.random(300) * 4)
    cells = np.where(np.arange(300) < 150, exact.round(0), exact.round(2))
    minutes = np.where(np.arange(300) < 150, 0.0, (exact * 1e9 / 60e6).round() * 60e6)
    for tally, values, x in ((Numbers(), exact, cells), (Dates(), exact * 1e9, minutes)):
        for i in range(0, 300, size):
            tally.add(x[i : i + size], values[i : i + size], i)
        unit = 0.01 if isinstance(tally, Numbers) else 60e6
        off = np.abs(values - x) > unit * (1 - 1e-6)
        assert tally.result() == (int(off.sum()), int(off.argmax())) and off.sum() > 100
