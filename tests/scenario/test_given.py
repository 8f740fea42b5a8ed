"""Regions and tolerances given in Python: read as a file's, refused by name."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import lem_safe
from barriers.sets import Ball
from lem_safe.errors import BadInput

FAST = {"kind": "rule", "where": "speed > 2"}
BALL = {"kind": "ball", "center": np.array([0, 0]), "radius": torch.tensor(1.0)}
FRAME = pd.DataFrame(
    {"note": list("abcd"), "speed": pd.array([1, 3, 2, 2], dtype="Int64"), "load": [np.nan, 1, 2, 3]}
)


def test_a_number_is_for_all_and_a_mapping_is_by_name() -> None:
    report = lem_safe.audit(FRAME, {"fast": FAST, "slow": {"not": "fast"}}, beta=0.75)
    assert [(c.set, c.beta, c.violations) for c in report.constraints] == [
        ("fast", 0.75, 1),
        ("slow", 0.75, 3),
    ]
    assert report.columns == ("speed",)
    named = lem_safe.audit(FRAME, {"fast": FAST, "slow": {"not": "fast"}}, beta={"slow": np.float32(0.5)})
    assert [(c.set, c.beta, c.passed) for c in named.constraints] == [("slow", 0.5, False)]


@pytest.mark.parametrize(
    "samples", [np.zeros((3, 2)), torch.zeros(3, 2), [[0.0, 0.0]] * 3, pd.DataFrame(np.zeros((3, 2)))]
)
def test_arrays_and_tensors_are_audited_against_shapes(samples: Any) -> None:
    assert lem_safe.audit(samples, {"disc": BALL}, beta=0).constraints[0].violations == 3


REFUSED: list[tuple[Any, Any, str]] = [
    ({"fast": FAST}, None, "beta: is missing"),
    ({"fast": FAST}, {"fats": 0.1}, "beta: no region is named 'fats' - did you mean 'fast'"),
    ({"fast": FAST, "b": FAST}, {"fast": 0.1}, "beta: says nothing of 'b'"),
    ({"fast": FAST}, {}, "says nothing of 'fast'"),
    ({"fast": FAST}, float("nan"), "beta: must be finite"),
    ({"fast": FAST}, 1.0, "beta: must be < 1"),
    ({"fast": FAST}, True, "beta: must be a number"),
    ({}, 0.1, "holds no region"),
    ({3: FAST}, 0.1, "got the name 3"),
    ({"fast": object()}, 0.1, "got one of type object"),
    ({"fast": {"kind": "rule", "where": "sped > 2"}}, 0.1, "did you mean 'speed'"),
    ({"fast": {"kind": "rul", "where": "speed > 2"}}, 0.1, "did you mean 'rule'"),
    (
        {"fast": {"kind": "rule", "where": "note > 2"}},
        0.1,
        "column 'note' must hold numbers; row 1 holds 'a'",
    ),
    ({"fast": {"kind": "rule", "where": "load > 2"}}, 0.1, "row 1, column load: nan is not a finite number"),
    ({"disc": BALL}, 0.1, "has 2 dimensions where the samples have 3 columns"),
]


@pytest.mark.parametrize(("regions", "beta", "message"), REFUSED)
def test_what_cannot_be_judged_is_refused_by_name(regions: Any, beta: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        lem_safe.audit(FRAME, regions, beta=beta)


def test_beta_belongs_to_regions() -> None:
    with pytest.raises(BadInput, match="beta: belongs to regions"):
        lem_safe.audit(np.zeros((3, 2)), "ring_keep_out", beta=0.1)


def test_sets_and_functions_are_regions_too() -> None:
    x = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    regions = {
        "disc": Ball([0.0, 0.0], 1.0),
        "right": lambda x: 1 - x[:, 0],
        "high": lambda x: x[:, 1] > 1,
        "any": {"any": ["disc", "right", "high"]},
    }
    report = lem_safe.audit(x, regions, beta={name: 0.5 for name in regions})
    assert [c.violations for c in report.constraints] == [1, 1, 1, 3]
    same = lem_safe.audit(x, regions, beta={name: 0.5 for name in regions})
    other = lem_safe.audit(x, regions | {"disc": Ball([0.0, 0.0], 1.1)}, beta={name: 0.5 for name in regions})
    assert report.fingerprint == same.fingerprint != other.fingerprint
    with pytest.raises(
        BadInput, match="unsafe: a region given as a function cannot take these rows.*one number"
    ):
        lem_safe.audit(x, {"wrong": lambda x: x}, beta=0.5)
    with pytest.raises(BadInput, match="3 dimensions"):
        lem_safe.audit(x, {"disc": Ball([0.0, 0.0, 0.0], 1.0)}, beta=0.5)
