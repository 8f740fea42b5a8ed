"""Rows are counted alike with torch and without it: every kind of set, on float64 rows that were chosen to
differ (boundaries, their neighbours, rounded numbers, the largest and smallest).
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from set_examples import columns as columns_of
from without_torch import COUNTS, without_torch

from barriers.sets import SETS, build_sets, expression
from lem_safe.auditing import audit
from lem_safe.registry import MAKERS

TURNED = [[math.cos(0.3), math.sin(0.3)], [-math.sin(0.3), math.cos(0.3)]]
BALL = {"kind": "ball", "center": [0.0, 0.0], "radius": 0.5}
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp(x0)": np.exp,
    "expm1(x0)": np.expm1,
    "log(x0)": np.log,
    "log1p(x0)": np.log1p,
    "log2(x0)": np.log2,
    "log10(x0)": np.log10,
    "sin(x0)": np.sin,
    "cos(x0)": np.cos,
    "tan(x0)": np.tan,
    "atan(x0)": np.arctan,
    "sinh(x0)": np.sinh,
    "cosh(x0)": np.cosh,
    "tanh(x0)": np.tanh,
    "hypot(x0, 1)": lambda a: np.hypot(a, 1),
    "x0**1.5": lambda a: np.power(a, 1.5),
    "x0**x0": lambda a: np.power(a, a),
    "x0**5": lambda a: np.power(a, 5.0),
    "x0**3": lambda a: a * a * a,
    "x0**0.5": np.sqrt,
    "2*sqrt(3.141592653589793*x0)": lambda a: 2 * np.sqrt(math.pi * a),
    "x0 % 0.3": lambda a: a % 0.3,
}
OTHERS: dict[str, dict[str, Any]] = {
    **{text: {"kind": "rule", "where": f"{text} <= x1"} for text in FUNCTIONS},
    "turned box": {"kind": "box", "lower": [-1, -1], "upper": [1, 1], "rotation": TURNED},
    "turned ellipsoid": {"kind": "ellipsoid", "center": [0, 0], "radii": [1, 0.5], "rotation": TURNED},
    "any power": {"kind": "superellipse", "center": [0, 0], "radii": [1, 0.5], "power": 2.5},
    "steep": {"kind": "half_space", "normal": [1.91, 1.8], "offset": 0.6},
    "union": {"any": [BALL, {"kind": "rule", "where": "exp(x0) < x1"}]},
    "complement": {"not": {"kind": "polytope", "normals": [[1, 1], [-1, 0], [0, -1]], "offsets": [1, 0, 0]}},
}
CASES = {kind: (dict(entry.example), columns_of(kind)) for kind, entry in SETS.items()}
CASES |= {name: (spec, ("x0", "x1")) for name, spec in OTHERS.items()}
BY_TORCH = {"classifier", "sublevel", "smooth_union", "grow", "shrink"}
"""The kinds of which torch computes what decides."""
ONES = [0, -0.0, 1, -1, 0.5, 0.1, 0.3, 1e-300, 1e300, -1e300, 1e154, 5e-324, 1 / 3, 2, 3, math.pi, 1e16, -0.3]
ONES += [0.7, 0.8, -0.25, 0.6, 1e308, 1.7e308, -1.7e308]


def rows(name: str) -> np.ndarray:
    """Some thousand rows for a case; where it is a function, also of its values and their neighbours."""
    d, n = len(CASES[name][1]), 600
    random = np.random.default_rng(d)
    x, eighths = random.normal(size=(n, d)), np.round(random.normal(size=(n, d)) * 8) / 8
    tenths, ones = np.round(random.normal(size=(n, d)), 1), random.choice(ONES, (n, d))
    beside = np.nextafter(tenths, random.choice([-9.0, 9.0], (n, d)))
    if name not in FUNCTIONS:
        return np.concatenate([x, eighths, tenths, ones, beside])
    a = np.abs(random.normal(size=5 * n))
    value, side = FUNCTIONS[name](a), random.choice([-9.0, 0.0, 9.0], 5 * n)
    ties = np.stack([a, np.where(side == 0, value, np.nextafter(value, side))], 1)
    return np.concatenate([x, eighths, tenths, ones, beside, ties])


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the process without torch finds of every case."""
    folder = tmp_path_factory.mktemp("plain")
    cases, arrays = folder / "cases.json", folder / "rows.npz"
    cases.write_text(json.dumps(CASES))
    np.savez(arrays, **{name: rows(name) for name in CASES})
    found: dict[str, Any] = without_torch(COUNTS, Path(cases), Path(arrays))
    return found


def inside(name: str) -> list[int]:
    spec, columns = CASES[name]
    region = build_sets({"region": spec}, columns, MAKERS)["region"]
    found: list[int] = region.contains(torch.from_numpy(rows(name))).nonzero()[:, 0].tolist()
    return found


@pytest.mark.parametrize("name", [name for name in CASES if name not in BY_TORCH])
def test_the_same_rows_are_inside(name: str, counted: dict[str, Any]) -> None:
    spec, columns = CASES[name]
    report = audit(rows(name), {"region": spec}, beta=0.5, columns=columns)
    assert counted[name] == [inside(name), report.constraints[0].violations]
    assert 0 < len(inside(name)) < len(rows(name))


@pytest.mark.parametrize("name", sorted(BY_TORCH))
def test_what_torch_decides_is_not_decided_without_it(name: str, counted: dict[str, Any]) -> None:
    assert isinstance(counted[name], str)


def test_torchs_own_functions_would_count_otherwise(
    counted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expression, "by_numpy", lambda of, *numbers: None)
    assert sum(counted[name][0] != inside(name) for name in FUNCTIONS) > 5
