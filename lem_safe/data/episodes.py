"""Recorded episodes of any length, each resampled to the same number of waypoints."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float64

from barriers.tables import TEXT, TableFormat, kind_of
from lem_safe.data.readers import raw_rows
from lem_safe.data.tables import read_table
from lem_safe.data.typed import holds_words, settings_of, typed_table
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
    wanted = [*([] if order is None else [order]), *columns]
    ids, names = _numbered(path, episode)
    values = read_table(path, wanted).values
    own = values[:, len(wanted) - len(columns) :]
    if len(ids) != len(values):
        raise BadInput(Fault(f"column '{episode}' has {len(ids)} rows, the others {len(values)}", str(path)))
    kinds, first = np.unique(ids, return_index=True)
    for name in kinds[np.argsort(first)]:
        rows = np.flatnonzero(ids == name)
        t = np.arange(len(rows), dtype=float) if order is None else values[rows, 0]
        called = f"{episode} {names[int(name)] if names else format(name, '.15g')}"
        if order is not None:
            sequence = np.argsort(t, kind="stable")
            rows, t = rows[sequence], t[sequence]
            if (np.diff(t) <= 0).any():
                again = t[1:][np.diff(t) <= 0][0]
                raise BadInput(Fault(f"{called} has two points with {order} {again:g}", str(path)))
        yield _whole(Recorded(called, t, own[rows]), path)


LARGEST = 2.0**53
"""From here on whole numbers cannot be told apart in float64."""


def _numbered(path: Path, episode: str) -> tuple[Float64[np.ndarray, "n"], tuple[str, ...]]:
    """The number of each row's episode, and the names where the column holds text."""
    form = TableFormat()
    if holds_words(path, [episode], form):
        told = {episode: settings_of(episode, {"kind": "category"})}
        table = typed_table(path, [episode], form, told)
        return table.values[:, 0], table.codec.fields[0].labels
    ids = read_table(path, [episode]).values[:, 0]
    if (np.abs(ids) >= LARGEST).any():
        way = "write them as text, such as walk_1, or number them from 1"
        message = (
            f"column '{episode}' has numbers of {LARGEST:.0f} or more, which are the same in float64; {way}"
        )
        raise BadInput(Fault(message, str(path)))
    return ids, ()


def from_array(path: Path) -> Iterator[Recorded]:
    """The episodes of an array [n, k, coordinates] or [n, k, agents, coordinates]; shorter ones end with
    NaN.
    """
    array, _ = raw_rows(path, None, TableFormat(), None)
    if array.ndim not in (3, 4) or array.dtype.kind not in "fiu" or 0 in array.shape:
        message = f"must hold paths as an array [n, points, coordinates]; got {array.dtype} {array.shape}"
        raise BadInput(Fault(message, str(path)))
    flat = array.reshape(*array.shape[:2], -1).astype(np.float64)
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
