"""Samples as a stream of float64 blocks, whatever they came in, their columns in the order the geometry expects, their units named.

A bound counts units that are independent of one another. Rows are such units unless the file says otherwise:

| an array of an .npz, or a column of a table | the unit | what counts of it |
| --- | --- | --- |
| `replica` [n], or x of shape [r, n, d] | a cloud of coupled particles | its fraction inside |
| `chain` [n] | a Markov chain | its fraction of time inside |
| `path` [n], or an array `path` [n, t, d] in place of x | a path through time | whether it is ever inside, at any recorded time |

An .npz may also hold `columns` (names), `coupled` (its rows are one filtered cloud, A.2), `seed` (what they were drawn with) and `tuned` (they
chose the scenario's numbers, so they cannot certify them, A.7). Values are used as saved: widened to float64, never rounded.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lem_safe.auditor.arrays import Archive, Array, open_npy, rows_in
from lem_safe.auditor.rows import BLOCK, Rows, must_be_file, rows_of_array
from lem_safe.auditor.tables import open_csv, open_parquet
from lem_safe.data.tables import read_table
from lem_safe.faults import BadInput, Fault

Unit = Literal["sample", "cloud", "chain", "path"]

UNITS: dict[str, Unit] = {"replica": "cloud", "chain": "chain", "path": "path"}
"""What a file calls the unit of its rows."""


class Block(NamedTuple):
    """Some rows, and the number of the unit each belongs to; None where every row is its own."""

    x: Float[Tensor, "b d"]
    unit: Int64[np.ndarray, "b"] | None = None


@dataclass(frozen=True)
class Samples:
    """Rows of numbers with what their source says about them; `source` names it in messages."""

    rows: Rows
    source: str
    unit: Unit = "sample"
    each: int | None = None
    """Rows of a unit, where a three-dimensional array says so."""
    members: Array | None = None
    """The array that numbers the rows' units, where there is one."""
    coupled: bool = False
    """Whether the file itself says that its rows are one filtered cloud (A.2), as a run's samples.npz does."""
    tuned: bool = False
    seed: int | None = None

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The coordinates' names, without the column that names units; None where the source has none."""
        if self.rows.columns is None:
            return None
        found = self.unit_column
        return tuple(name for i, name in enumerate(self.rows.columns) if i != found)

    @property
    def unit_column(self) -> int | None:
        """Which column of a table numbers the units; None where none does."""
        if self.rows.columns is None or self.members is not None or self.each is not None:
            return None
        named = [i for i, name in enumerate(self.rows.columns) if name in UNITS]
        return named[0] if len(named) == 1 else None

    def blocks(self, matched: "Match", size: int = BLOCK) -> Iterator[Block]:
        """The rows in file order, `size` at a time, columns as matched; BadInput at the first number that is not finite."""
        chosen = matched.order if matched.unit_column is None else [*matched.order, matched.unit_column]
        numbers = self.members.blocks(size) if self.members is not None else None
        start = 0
        for part in self.rows.stream(chosen, size):
            block = np.array(part, dtype=np.float64)
            self._must_be_finite(block, start, chosen)
            unit = None if numbers is None else next(numbers).astype(np.int64)
            if self.each is not None:
                unit = np.arange(start, start + len(block)) // self.each
            if matched.unit_column is not None:
                unit = self._whole(block[:, -1], start)
                block = np.ascontiguousarray(block[:, :-1])
            yield Block(torch.from_numpy(block), unit)
            start += len(block)

    def _must_be_finite(self, block: np.ndarray, start: int, chosen: Sequence[int]) -> None:
        if np.isfinite(block).all():
            return
        row, column = (int(i) for i in np.argwhere(~np.isfinite(block))[0])
        own = self.rows.columns  # unnamed ones are counted like the rows
        name = f"{chosen[column] + 1}, counted from 1" if own is None else own[chosen[column]]
        place = f"row {start + row + 1}, column {name}"
        raise BadInput(Fault(f"{place}: {block[row, column]} is not a finite number; repair or remove the row", self.source))

    def _whole(self, numbers: np.ndarray, start: int) -> np.ndarray:
        bad = (numbers != np.rint(numbers)) | (np.abs(numbers) > 2**53)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise BadInput(Fault(f"row {start + row + 1}: units are numbered by whole numbers; got {numbers[row]}", self.source))
        return numbers.astype(np.int64)


class Match(NamedTuple):
    """How a file's columns become the scenario's: `order` which comes first, second, ...; `names` what rules may call them."""

    order: list[int]
    names: tuple[str, ...]
    how: str
    """By name, or by position where the samples' names are not the scenario's."""
    unit: Unit
    unit_column: int | None


def open_samples(source: "str | PathLike[str] | np.ndarray | Tensor | Samples", columns: Sequence[str] | None = None) -> Samples:
    """The samples of a file (.npz, .npy, .csv, .parquet), an array or a tensor; `columns` names those of an array."""
    if isinstance(source, Samples):
        return source
    if isinstance(source, torch.Tensor):
        tensor = source.detach().cpu()
        return _of_array((tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.double()).numpy(), columns)
    if isinstance(source, np.ndarray):
        return _of_array(source, columns)
    path = Path(source)
    kind = path.suffix.lower()
    if kind == ".npz":
        return _of_archive(Archive(path), columns)
    if kind == ".npy":
        array = open_npy(path)
        if len(array.shape) == 3:
            message = "has three axes, which a .npy cannot explain; save an .npz with x [clouds, rows, columns], or path [paths, times, columns]"
            raise BadInput(Fault(f"{message}; got shape {array.shape}", str(path)))
        return Samples(_named(rows_in(array, columns), str(path)), str(path))
    if kind in (".csv", ".parquet"):
        rows = open_csv(path) if kind == ".csv" else open_parquet(path)
        return Samples(_named(rows._replace(columns=rows.columns or (tuple(columns) if columns else None)), str(path)), str(path))
    must_be_file(path)
    read_table(path)  # says which files are read
    raise BadInput(Fault(f"'{path.suffix}' is not read; use .npz, .npy, .csv or .parquet", str(path)))


def match_columns(samples: Samples, columns: Sequence[str] | None, specs: Mapping[str, Any]) -> Match:
    """Which column of the samples is which of the scenario's, which names rules may use, and which column numbers the units.

    The samples' own names come first. Where all of the scenario's are among them, in whatever order, columns are matched by name and
    any further ones left out; otherwise by position, and a rule may use either name. Raises BadInput where the number of columns
    differs, or where a name stands for one column here and another there.
    """
    unit, marker = samples.unit, samples.unit_column
    if marker is not None and columns and samples.rows.columns and samples.rows.columns[marker] in columns:
        marker = None  # a coordinate that happens to be called so
    if marker is not None and samples.rows.columns:
        unit = UNITS[samples.rows.columns[marker]]
    places = [i for i in range(samples.rows.width) if i != marker]
    own = tuple(samples.rows.columns[i] for i in places) if samples.rows.columns else None
    d = len(places)
    expected = tuple(columns) if columns else own if own and marker is not None else tuple(f"x{i}" for i in range(d))
    if own is not None and set(expected) <= set(own):
        return Match([places[own.index(name)] for name in expected], expected, "name", unit, marker)
    if d != len(expected):
        have, want = (
            f"{d} column{'s' * (d != 1)}" + (f" ({_listed(own)})" if own else ""),
            f"{len(expected)} ({_listed(expected)})",
        )
        raise BadInput(Fault(f"has {have}, the scenario has {want}; save those columns, one row a sample", samples.source))
    if own is None:
        return Match(places, expected, "position", unit, marker)
    moved = [name for i, name in enumerate(expected) if name in own and own.index(name) != i]
    if moved:
        raise BadInput(
            Fault(
                f"columns ({_listed(own)}) do not fit the scenario's ({_listed(expected)}): '{moved[0]}' is in another place, "
                "and not every name is known; rename the columns or put them in the scenario's order",
                samples.source,
            )
        )
    words = set(re.findall(r"[^\W\d]\w*", " ".join(_strings(specs))))
    names = tuple(theirs if theirs in words and mine not in words else mine for mine, theirs in zip(own, expected, strict=True))
    return Match(places, names, "position", unit, marker)


def replica_arrays(clouds: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a file of independent clouds, each [n, d]: `x`, one cloud after the other, and `replica`, the number of each row's.

    >>> [a.tolist() for a in replica_arrays([np.zeros((2, 1)), np.ones((1, 1))]).values()]
    [[[0.0], [0.0], [1.0]], [0, 0, 1]]
    """
    sizes = [len(cloud) for cloud in clouds]
    return {"x": np.concatenate(list(clouds)), "replica": np.repeat(np.arange(len(sizes)), sizes)}


def _of_array(values: np.ndarray, columns: Sequence[str] | None) -> Samples:
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise BadInput(
            Fault(f"needs numbers in an array of shape [samples, columns]; got {values.dtype} {values.shape}", "samples")
        )
    if 0 in values.shape:
        raise BadInput(Fault(f"holds no samples: its shape is {values.shape}", "samples"))
    return Samples(_named(rows_of_array(values, columns), "samples"), "samples")


def _of_archive(archive: Archive, columns: Sequence[str] | None) -> Samples:
    source = str(archive.path)
    paths = archive.array("path") if "path" in archive else None
    whole_paths = paths is not None and len(paths.shape) != 1
    if not whole_paths and "x" not in archive:
        found = ", ".join(f"'{name}'" for name in archive.names) or "nothing"
        raise BadInput(Fault(f"must hold its rows as the array 'x', or as 'path' [paths, times, columns]; found {found}", source))
    if whole_paths and "x" in archive:
        raise BadInput(Fault("holds both 'x' and whole paths; audit one of them", source))
    x = paths if paths is not None and whole_paths else archive.array("x")
    if whole_paths and len(x.shape) != 3:
        raise BadInput(Fault(f"'path' must be [paths, times, columns], or number the rows of x; got shape {x.shape}", source))
    rows = _named(rows_in(x, archive.columns() or columns), source)
    facts: dict[str, Any] = {"coupled": archive.flag("coupled"), "tuned": archive.flag("tuned"), "seed": archive.number("seed")}
    named = [] if whole_paths else [name for name in UNITS if name in archive]
    if len(x.shape) == 3 and named:
        raise BadInput(Fault(f"has units by its shape {x.shape} and by '{named[0]}'; keep one", source))
    if len(x.shape) == 3:
        return Samples(rows, source, "path" if whole_paths else "cloud", each=x.shape[1], **facts)
    if len(named) > 1:
        raise BadInput(Fault(f"numbers its rows' units twice, by {_listed(named)}; keep one", source))
    if not named:
        return Samples(rows, source, **facts)
    members = archive.array(named[0])
    if members.shape != (rows.total,) or members.header.dtype.kind not in "iu":
        message = f"'{named[0]}' must be {rows.total} whole numbers, one a row; got {members.header.dtype} {members.shape}"
        raise BadInput(Fault(message, source))
    return Samples(rows, source, UNITS[named[0]], members=members, **facts)


def _named(rows: Rows, source: str) -> Rows:
    """The same rows, their names checked."""
    columns = rows.columns
    if columns is not None and len(columns) != rows.width:
        raise BadInput(Fault(f"has {rows.width} columns but {len(columns)} names were given ({_listed(columns)})", source))
    if columns is not None and len(set(columns)) < rows.width:
        raise BadInput(Fault(f"a column name occurs twice in ({_listed(columns)}); rename one", source))
    return rows


def _strings(spec: Any) -> Iterable[str]:
    if isinstance(spec, str):
        yield spec
    elif isinstance(spec, Mapping):
        for value in spec.values():
            yield from _strings(value)
    elif isinstance(spec, Sequence):
        for value in spec:
            yield from _strings(value)


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(itertools.islice(names, most)) + (", …" if len(names) > most else "")
