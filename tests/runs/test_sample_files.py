"""Rows of particles that never left their start: no file of them is certified, whatever it can say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lem_safe
from lem_safe.commands import sample
from lem_safe.runs.sample_files import Draws, write


def drawn(moved: float) -> Draws:
    x = np.random.default_rng(0).normal(size=(400, 2))
    one, each = np.zeros(400, dtype=np.int64), np.arange(400)
    return Draws(x, ("a", "b"), one, each, one, False, 1, 10, 1, 1, 1, "none", moved)


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet"])
def test_a_file_says_that_nothing_moved(suffix: str, tmp_path: Path) -> None:
    for moved, certified in ((0.0, False), (0.49, False), (1.0, True)):
        path = tmp_path / f"{moved}{suffix}"
        write(drawn(moved), path)
        (found,) = lem_safe.audit(path, scenario()).constraints
        assert (found.verdict == "certified") == certified
        assert (found.upper_bound is not None) >= certified and found.violations == 0


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet"])
@pytest.mark.parametrize(
    "columns",
    [
        ("a, b", 'c "d"'),
        ("a\nb", "c\r\nd"),
        ("'a'", " b "),
        ("=b+1", "\u202ea"),
        ("a;b", "c\td"),
        ("2nd", "1st"),
    ],
)
def test_names_with_commas_quotes_and_line_breaks_are_read_back(columns, suffix, tmp_path: Path) -> None:
    path = tmp_path / f"rows{suffix}"
    made = replace(drawn(1.0), columns=columns)
    write(made, path)
    far = {"kind": "half_space", "normal": [1.0, 0.0], "offset": 1.0}  # of the scenario's first column
    turned = scenario().model_copy(update={"columns": list(columns[::-1]), "unsafe": {"far": far}})
    found = lem_safe.audit(path, turned)
    assert found.columns_matched == "name" and found.samples == 400
    assert found.constraints[0].violations == int((made.x[:, 1] >= 1).sum()) != int((made.x[:, 0] >= 1).sum())


def test_the_terminal_says_what_a_file_cannot() -> None:
    assert "a .npy cannot say" in sample._dependence(drawn(0.0), ".npy")
    assert "marked so" in sample._dependence(drawn(0.0), ".csv")
    assert "independent of one another" in sample._dependence(drawn(1.0), ".npy")


def scenario() -> lem_safe.Scenario:
    from lem_safe.registry import loads

    return loads(
        """\
version: 1
name: still
columns: [a, b]
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe: {far: {kind: rule, where: a > 5}}
constraints: [{set: far, beta: 0.05}]
sampler: {kind: langevin, samples: 400, steps: 10, step_size: 0.1}
"""
    )
