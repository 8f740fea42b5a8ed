"""Rows of a generator: their distribution, the count after every one of them, the cost and where it ends."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy.stats import norm

import lem_safe
from lem_safe.errors import BadInput, NumericalFailure

REGIONS = {
    "fast": {"kind": "rule", "where": "speed > 1"},
    "heavy": {"kind": "rule", "where": "load + speed > 1.5"},
}
BETAS = {"fast": 0.05, "heavy": 0.08}
UP = {"up": {"kind": "half_space", "normal": [1.0], "offset": 1.0}}


def normal(seed: int = 0, d: int = 2) -> Callable[[int], np.ndarray]:
    rng = np.random.default_rng(seed)
    return lambda n: rng.normal(size=(n, d))


def frames(seed: int = 0) -> Callable[[int], pd.DataFrame]:
    own = normal(seed)
    return lambda n: pd.DataFrame(own(n), columns=["speed", "load"]).assign(note="a", id=np.arange(n))


def exceeded(inside: np.ndarray, beta: float) -> bool:
    """Whether the first j rows ever hold more than ⌊βj⌋ inside."""
    return bool((np.cumsum(inside) > np.floor(beta * np.arange(1, len(inside) + 1) + 1e-9)).any())


@pytest.mark.parametrize("betas", [BETAS, {"fast": 1 / 3, "heavy": 0.001}, {"fast": 0, "heavy": 0.9}])
def test_after_every_row_the_count_is_within_its_budget(betas: dict[str, float]) -> None:
    got = list(lem_safe.accepted(frames(), REGIONS, 5000, beta=betas))
    assert all(list(batch.columns) == ["speed", "load", "note", "id"] for batch in got)
    x = pd.concat(got)
    assert len(x) == 5000
    for inside, β in ((x["speed"] > 1, betas["fast"]), (x["load"] + x["speed"] > 1.5, betas["heavy"])):
        assert not exceeded(inside.to_numpy(), β)


def test_a_generator_that_changes_never_exceeds_the_budget() -> None:
    """What the first batch taught is wrong for all others: the count still holds."""
    own, calls = normal(d=1), []

    def draw(n: int) -> np.ndarray:
        calls.append(n)
        return own(n) + 3.0 * (len(calls) > 1)

    rows = lem_safe.accepted(draw, UP, 500, beta=0.1, most_draws=100_000)
    x = np.concatenate(list(rows))
    assert len(x) == 500 and not exceeded(x[:, 0] >= 1, 0.1) and rows.inside["up"] == 50


def test_rows_have_the_distribution_of_the_projection() -> None:
    p, β, n = float(norm.sf(1)), 0.05, 20_000
    rows = lem_safe.accepted(normal(1, 1), UP, n, beta=β, batch=20_000)
    x = np.concatenate(list(rows))[:, 0]
    inside = x >= 1
    spread = math.sqrt(β * (1 - β) / n) + math.sqrt(p * (1 - p) / 20_000) * β / p
    assert β - 4 * spread < inside.mean() <= β
    for part, low in ((x[inside], 1.0), (-x[~inside], -1.0)):
        u = norm.sf(part) / norm.sf(low)
        assert abs(u.mean() - 0.5) < 4 / math.sqrt(12 * len(u))
    keep = β * (1 - p) / ((1 - β) * p)
    assert abs(rows.cost - 1 / (1 - p + p * keep)) < 0.02
    assert abs(rows.drawn - 20_000 - n * rows.cost) < 20_000 + 4 * math.sqrt(n)


KINDS: dict[str, tuple[Callable[[np.ndarray], Any], Callable[[Any], np.ndarray]]] = {
    "tensor": (lambda x: torch.from_numpy(x).float(), lambda x: x.double().numpy()),
    "float16": (lambda x: x.astype("f2"), lambda x: x.astype("f8")),
    "table": (
        lambda x: pa.table({"x0": x[:, 0], "x1": x[:, 1]}),
        lambda t: np.stack([*map(np.asarray, t)], 1),
    ),
    "list": (lambda x: x.tolist(), np.array),
}


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_of_the_type_that_was_given(kind: str) -> None:
    made, plain = KINDS[kind]
    own = normal()
    ball = {"b": {"kind": "ball", "center": [0, 0], "radius": 1.0}}
    got = list(lem_safe.accepted(lambda n: made(own(n)), ball, 700, beta=0.1, batch=200))
    assert {type(batch) for batch in got} == {type(made(own(3)))} and sum(map(len, got)) == 700
    x = np.concatenate([plain(batch) for batch in got])
    assert not exceeded((x**2).sum(1) <= 1, 0.1)


def test_the_cost_is_known_beforehand_and_the_draws_end() -> None:
    rows = lem_safe.accepted(
        normal(d=1), {"u": {"kind": "half_space", "normal": [1.0], "offset": -1.0}}, 300, beta=0.2
    )
    assert (rows.drawn, rows.yielded) == (1000, 0) and 4 < rows.cost < 6
    assert "0 of 300 rows after 1,000 draws, about" in repr(rows)
    with pytest.raises(BadInput, match="most_draws: about .* draws are needed for 9,000 rows"):
        lem_safe.accepted(normal(d=1), UP, 9000, beta=0.2, most_draws=5000)
    calls = []

    def worse(n: int) -> np.ndarray:
        calls.append(n)
        return np.full((n, 1), 9.0) if len(calls) > 2 else normal(d=1)(n)

    rows = lem_safe.accepted(worse, UP, 2000, beta=0.05, most_draws=4500)
    assert len(next(rows)) == rows.yielded > 800
    with pytest.raises(NumericalFailure, match=r"accepted: \d+ of 2,000 rows after 4,500 draws, the most"):
        list(rows)
    assert sum(calls) == 4500


def test_the_same_seed_accepts_the_same_rows() -> None:
    own = [
        np.concatenate(list(lem_safe.accepted(normal(3), _BALL, 400, beta=0.05, seed=s))) for s in (0, 0, 1)
    ]
    assert (own[0] == own[1]).all() and (own[0] != own[2]).any()


_BALL = {"b": {"kind": "ball", "center": [0, 0], "radius": 1.0}}

REFUSED = [
    (
        lambda n: np.zeros((n, 2)),
        {"rows": 10, "beta": 0},
        "the first 1,000 draws cannot meet the tolerances of b",
    ),
    (lambda n: np.zeros((0, 2)), {"rows": 10, "beta": 0.1}, "holds no samples"),
    (normal(), {"rows": 0, "beta": 0.1}, "rows: must be a whole number"),
    (normal(), {"rows": 10, "beta": 0.1, "batch": -1}, "batch: must be a whole number"),
    (lambda n: np.full((n, 2), np.nan), {"rows": 10, "beta": 0.1}, "is not a finite number"),
    (lambda n: np.full((n, 2), np.nan), {"rows": 10, "beta": 0.1, "missing": "drop"}, "no row without"),
    (lambda n: "rows", {"rows": 10, "beta": 0.1}, "draw: must return rows in memory"),
    (
        lambda n: pd.DataFrame({"x0": np.zeros(n), "x1": np.ones(n), "chain": np.arange(n)}),
        {"rows": 10, "beta": 0.1},
        "they number chains",
    ),
]


@pytest.mark.parametrize(("draw", "options", "why"), REFUSED)
def test_generators_that_cannot_be_used_are_refused(draw: Any, options: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        lem_safe.accepted(draw, _BALL, **options)


def test_rows_that_miss_a_value_are_left_out() -> None:
    own = normal()

    def draw(n: int) -> np.ndarray:
        x = own(n)
        x[::7, 0] = np.nan
        return x

    rows = np.concatenate(list(lem_safe.accepted(draw, _BALL, 900, beta=0.1, missing="drop")))
    assert np.isfinite(rows).all() and not exceeded((rows**2).sum(1) <= 1, 0.1)
