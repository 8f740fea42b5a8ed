"""Recorded episodes of any length, each resampled to the same number of waypoints."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float64

from barriers.tables import TEXT, TableFormat, kind_of
from lem_safe.data.readers import raw_rows
from lem_safe.data.tables import read_table
from lem_safe.errors import BadInput, Fault

Along = Literal["time", "length"]


class Recorded(NamedTuple):
    """One episode. name: in messages. t: increasing, [k]. points: [k, coordinates]."""

    name: str
    t: Float64[np.ndarray, "k"]
    points: Float64[np.ndarray, "k c"]


def resampled(episode: Recorded, waypoints: int, along: Along) -> Float64[np.ndarray, "T c"]:
    """Points at equal times, or at equal lengths of the path, between the first and the last one; straight
    lines in between.
    """
    t = episode.t
    if along == "length":
        t = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(episode.points, axis=0), axis=1))])
    at = np.linspace(t[0], t[-1], waypoints)
    found = np.stack([np.interp(at, t, column) for column in episode.points.T], 1)
    found[0], found[-1] = episode.points[0], episode.points[-1]
    return found


def from_table(path: Path, columns: Sequence[str], episode: str, order: str | None) -> Iterator[Recorded]:
    """The episodes of a table with a row for each point, in the order of their first rows; BadInput."""
    wanted = [episode, *([] if order is None else [order]), *columns]
    values = read_table(path, wanted).values
    ids, own = values[:, 0], values[:, len(wanted) - len(columns) :]
    names, first = np.unique(ids, return_index=True)
    for name in names[np.argsort(first)]:
        rows = np.flatnonzero(ids == name)
        t = np.arange(len(rows), dtype=float) if order is None else values[rows, 1]
        called = f"{episode} {name:g}"
        if order is not None:
            sequence = np.argsort(t, kind="stable")
            rows, t = rows[sequence], t[sequence]
            if (np.diff(t) <= 0).any():
                again = t[1:][np.diff(t) <= 0][0]
                raise BadInput(Fault(f"{called} has two points with {order} {again:g}", str(path)))
        yield _whole(Recorded(called, t, own[rows]), path)


def from_array(path: Path, size: int | None) -> Iterator[Recorded]:
    """The episodes of an array [n, k, coordinates] or [n, k, agents, coordinates]; shorter ones end with NaN.

    size: the number of numbers of each point that is expected, or None.
    """
    array, _ = raw_rows(path, None, TableFormat(), None)
    if array.ndim not in (3, 4) or array.dtype.kind not in "fiu" or 0 in array.shape:
        message = f"must hold paths as an array [n, points, coordinates]; got {array.dtype} {array.shape}"
        raise BadInput(Fault(message, str(path)))
    flat = array.reshape(*array.shape[:2], -1).astype(np.float64)
    if size is not None and flat.shape[2] != size:
        raise BadInput(Fault(f"has {flat.shape[2]} numbers a point where {size} are expected", str(path)))
    for i, points in enumerate(flat):
        ended = np.isnan(points).all(1)
        k = len(points) - int(np.argmin(ended[::-1])) if ended.any() and not ended.all() else len(points)
        yield _whole(Recorded(f"path {i + 1}", np.arange(k, dtype=float), points[:k]), path)


def _whole(episode: Recorded, path: Path) -> Recorded:
    """The same; BadInput where it has fewer than two points or a number that is not finite."""
    if len(episode.points) < 2:
        raise BadInput(Fault(f"{episode.name} has one point, and a path has two or more", str(path)))
    if not np.isfinite(episode.points).all():
        row = int(np.flatnonzero(~np.isfinite(episode.points).all(1))[0])
        raise BadInput(Fault(f"{episode.name}: point {row + 1} is not finite", str(path)))
    return episode


def is_text_or_named(path: Path) -> bool:
    """Whether a file is a table with a row for each point rather than an array of paths."""
    return kind_of(path) in (*TEXT, ".parquet")


def stacked(episodes: Sequence[Recorded], waypoints: int, along: Along) -> Any:
    """All of them as rows [n, waypoints * coordinates]."""
    return np.stack([resampled(episode, waypoints, along).ravel() for episode in episodes])
