"""Regions for a new scenario that the user's own rows say something about: a few per cent of them are
inside.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

FEW, LEAST, MOST = 0.05, 0.01, 0.15
"""The share of the rows that shall be inside, and between which shares it may lie."""
PARTS = (0.8, 0.9, 0.7, 0.6, 0.5)
"""Which rows may be the centre of a ball, by how many are nearer to the middle."""
TOLERATED = 0.01
"""What a new scenario tolerates of such a region: less than its rows hold, so that there is work to do."""

Rows = Float[np.ndarray, "n d"]


class Threshold(NamedTuple):
    """One side of a column: the rows above `at`, or below where `sign` is -1, are `share` of all."""

    column: int
    sign: int
    at: float
    share: float


def region_of(kind: str, rows: Rows, columns: Sequence[str]) -> dict[str, Any] | None:
    """The specification of a region of a kind that holds a few per cent of the rows; None for a kind without
    one.
    """
    made = KINDS.get(kind)
    return None if made is None else {"kind": kind, **made(rows, columns)}


def threshold(rows: Rows) -> Threshold:
    """The first column that a few per cent of the rows exceed, at a number of few digits; else the side of a
    column whose share is nearest to that.
    """
    found = [_side(rows[:, j], j, sign) for sign in (1, -1) for j in range(rows.shape[1])]
    good = [t for t in found if LEAST <= t.share <= MOST]
    return good[0] if good else min(found, key=lambda t: abs(t.share - FEW))


def _side(x: Float[np.ndarray, "n"], column: int, sign: int) -> Threshold:
    """Above a quantile; of a column of few values, above the last but one."""
    y = sign * x
    spread = float(y.std())
    digits = 2 - math.floor(math.log10(spread)) if spread > 0 else 6
    values = np.unique(y)
    tries = [round(float(np.quantile(y, 1 - FEW)), digits), *(float(v) for v in values[-2:-1])]
    shares = [float((y > at).mean()) for at in tries]
    best = min(range(len(tries)), key=lambda i: abs(shares[i] - FEW))
    return Threshold(column, sign, sign * tries[best] + 0.0, shares[best])


def _rule(rows: Rows, columns: Sequence[str]) -> Mapping[str, Any]:
    found = threshold(rows)
    at = repr(found.at).removesuffix(".0")
    return {"where": f"{columns[found.column]} {'>' if found.sign > 0 else '<'} {at}"}


def _half_space(rows: Rows, columns: Sequence[str]) -> Mapping[str, Any]:
    found = threshold(rows)
    normal = [0.0] * rows.shape[1]
    normal[found.column] = float(found.sign)
    return {"normal": normal, "offset": found.sign * found.at}


def _ball(rows: Rows, columns: Sequence[str]) -> Mapping[str, Any]:
    """Around a row away from the middle: of several, the one that a few per cent of the rows are near."""
    scale = np.where(rows.std(0) > 0, rows.std(0), 1.0)
    far = np.linalg.norm((rows - rows.mean(0)) / scale, axis=1)
    order = np.argsort(far, kind="stable")
    found = [_around(rows, rows[order[int(part * (len(rows) - 1))]], float(scale.min())) for part in PARTS]
    share, center, radius = min(found, key=lambda ball: abs(ball[0] - FEW))
    return {"center": center.tolist(), "radius": radius}


def _around(rows: Rows, center: Float[np.ndarray, "d"], least: float) -> tuple[float, np.ndarray, float]:
    """The share of the rows in a ball, its centre and its radius."""
    away = np.linalg.norm(rows - center, axis=1)
    radius = float(f"{np.quantile(away, FEW):.3g}") or least
    return float((away <= radius).mean()), center, radius


KINDS: dict[str, Callable[[Rows, Sequence[str]], Mapping[str, Any]]] = {
    "rule": _rule,
    "half_space": _half_space,
    "ball": _ball,
}
"""Kinds that rows can place."""
