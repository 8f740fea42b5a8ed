"""Samples as a stream of float64 blocks, whatever they came in, their columns in the order the geometry
expects, their units named.

A bound counts units that are independent of one another. Rows are such units unless the file says otherwise:

| an array of an .npz, or a column of a table | the unit | what counts of it |
| --- | --- | --- |
| `replica` [n], or x of shape [r, n, d] | a cloud of coupled particles | its fraction inside |
| `chain` [n] | a Markov chain | its fraction of time inside |
| `path` [n], or an array `path` [n, t, d] in place of x | a path through time | whether it is ever inside |

An .npz may also hold `columns` (names), `coupled` (its rows are one filtered cloud, A.2), `seed` (what they
were drawn with), `tuned` (they chose the scenario's numbers, so they cannot certify them, A.7) and `moved`
(the share of the particles that ever left their start).
Values are used as saved: widened to float64, never rounded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from barriers.tables import folded, listed
from lem_safe.auditor.arrays import Archive, Array, open_npy, rows_in
from lem_safe.auditor.drawn import Drawn, Numbers
from lem_safe.auditor.rows import BLOCK, Rows, must_be_file, rows_of_array
from lem_safe.auditor.tables import open_csv, open_parquet
from lem_safe.data.names import identifiers
from lem_safe.data.tables import read_table
from lem_safe.errors import BadInput, Fault

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
    members: Array | Numbers | None = None
    """The array that numbers the rows' units, where there is one."""
    coupled: bool = False
    """Whether the file itself says that its rows are one filtered cloud (A.2), as a run's samples.npz does.
    """
    tuned: bool = False
    seed: int | None = None
    moved: float | None = None
    """The share of a run's particles that are not where they started, where the file says so."""

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

    def blocks(self, order: Sequence[int], unit_column: int | None, size: int = BLOCK) -> Iterator[Block]:
        """The rows in file order, `size` at a time, columns in this order; BadInput at the first number that
        is not finite.
        """
        chosen = [*order] if unit_column is None else [*order, unit_column]
        numbers = self.members.blocks(size) if self.members is not None else None
        start = 0
        for part in self.rows.stream(chosen, size):
            block = np.array(part, dtype=np.float64)
            self._must_be_finite(block, start, chosen)
            unit = None if numbers is None else next(numbers).astype(np.int64)
            if self.each is not None:
                unit = np.arange(start, start + len(block)) // self.each
            if unit_column is not None:
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
        raise BadInput(
            Fault(
                f"{place}: {block[row, column]} is not a finite number; repair or remove the row", self.source
            )
        )

    def _whole(self, numbers: np.ndarray, start: int) -> np.ndarray:
        bad = (numbers != np.rint(numbers)) | (np.abs(numbers) > 2**53)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise BadInput(
                Fault(
                    f"row {start + row + 1}: units are numbered by whole numbers; got {numbers[row]}",
                    self.source,
                )
            )
        return numbers.astype(np.int64)


def open_samples(source: Any, columns: Sequence[str] | None = None, header: bool | None = None) -> Samples:
    """The samples of a file (.npz, .npy, .csv, .parquet), an array, a tensor or a table; `columns` names
    those that have no names.

    header: whether the first line of a .csv is names; by default told from it, and refused where it may be
    either.
    """
    if isinstance(source, Samples):
        return source
    if header is not None and not _is_csv(source):
        named = str(source) if isinstance(source, str | PathLike) else "samples"
        raise BadInput(Fault("header is for a .csv, whose first line may be names; leave it out", named))
    if isinstance(source, torch.Tensor):
        tensor = source.detach().cpu()
        return _of_array(
            (tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.double()).numpy(), columns
        )
    if isinstance(source, Drawn):
        return _of_drawn(source, columns)
    if isinstance(source, np.ndarray):
        return _of_array(source, columns)
    if not isinstance(source, str | PathLike):
        return _of_values(source, columns)
    path = Path(source)
    kind = path.suffix.lower()
    if kind == ".npz":
        return _of_archive(Archive(path), columns)
    if kind == ".npy":
        array = open_npy(path)
        if len(array.shape) == 3:
            message = (
                "has three axes, which a .npy cannot explain; save an .npz with x [clouds, rows, "
                "columns], or path [paths, times, columns]"
            )
            raise BadInput(Fault(f"{message}; got shape {array.shape}", str(path)))
        return Samples(_named(rows_in(array, columns), str(path)), str(path))
    if kind in (".csv", ".parquet"):
        rows = open_csv(path, header) if kind == ".csv" else open_parquet(path)
        return Samples(
            _named(rows._replace(columns=_given(rows.columns, columns, str(path))), str(path)), str(path)
        )
    must_be_file(path)
    read_table(path)  # says which files are read
    raise BadInput(Fault(f"'{path.suffix}' is not read; use .npz, .npy, .csv or .parquet", str(path)))


def header_of(source: Any, header: bool | None, beside: Any = None) -> bool | None:
    """What `header`, given for a source and another one beside it, says of this one: nothing where only the
    other is a .csv.
    """
    return None if not _is_csv(source) and _is_csv(beside) else header


def _is_csv(source: Any) -> bool:
    return isinstance(source, str | PathLike) and Path(source).suffix.lower() == ".csv"


def replica_arrays(clouds: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a file of independent clouds, each [n, d]: `x`, one cloud after the other, and `replica`,
    the number of each row's.

    >>> [a.tolist() for a in replica_arrays([np.zeros((2, 1)), np.ones((1, 1))]).values()]
    [[[0.0], [0.0], [1.0]], [0, 0, 1]]
    """
    sizes = [len(cloud) for cloud in clouds]
    return {"x": np.concatenate(list(clouds)), "replica": np.repeat(np.arange(len(sizes)), sizes)}


def _of_array(values: np.ndarray, columns: Sequence[str] | None) -> Samples:
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise BadInput(
            Fault(
                f"needs numbers in an array of shape [samples, columns]; got {values.dtype} {values.shape}",
                "samples",
            )
        )
    if 0 in values.shape:
        raise BadInput(Fault(f"holds no samples: its shape is {values.shape}", "samples"))
    return Samples(_named(rows_of_array(values, columns), "samples"), "samples")


def _of_drawn(drawn: Drawn, columns: Sequence[str] | None) -> Samples:
    """The rows of a run, with the units that its file gives them."""
    plain = _of_array(np.asarray(drawn), columns)
    if drawn.replica is not None and drawn.replica.shape == drawn.shape[:1]:
        return replace(
            plain,
            unit="cloud",
            members=Numbers(drawn.replica),
            coupled=drawn.coupled,
            seed=drawn.seed,
            moved=drawn.moved,
        )
    return replace(
        plain, coupled=drawn.coupled or drawn.replica is not None, seed=drawn.seed, moved=drawn.moved
    )


def _of_values(source: Any, columns: Sequence[str] | None) -> Samples:
    """The rows of what numpy makes an array of: lists of numbers, a pandas table, whose columns have
    names.
    """
    try:
        values = np.asarray(source)
    except (TypeError, ValueError):
        values = np.asarray(None)
    if values.dtype.kind not in "fiu":
        what = f"{type(source).__module__}.{type(source).__name__}"
        raise BadInput(
            Fault(f"needs a file's path, an array, a tensor or rows of numbers; got {what}", "samples")
        )
    names = getattr(source, "columns", None)
    labels = list(names) if columns is None and names is not None else []
    if labels and labels != list(range(len(labels))):  # which is what pandas calls columns without names
        return _of_array(values, [str(label) for label in labels])
    return _of_array(values, columns)


def _of_archive(archive: Archive, columns: Sequence[str] | None) -> Samples:
    source = str(archive.path)
    paths = archive.array("path") if "path" in archive else None
    whole_paths = paths is not None and len(paths.shape) != 1
    if not whole_paths and "x" not in archive:
        found = ", ".join(f"'{name}'" for name in archive.names) or "nothing"
        raise BadInput(
            Fault(
                f"must hold its rows as the array 'x', or as 'path' [paths, times, columns]; found {found}",
                source,
            )
        )
    if whole_paths and "x" in archive:
        raise BadInput(Fault("holds both 'x' and whole paths; audit one of them", source))
    x = paths if paths is not None and whole_paths else archive.array("x")
    if whole_paths and len(x.shape) != 3:
        raise BadInput(
            Fault(
                f"'path' must be [paths, times, columns], or number the rows of x; got shape {x.shape}",
                source,
            )
        )
    rows = _named(rows_in(x, _given(archive.columns(), columns, source)), source)
    facts: dict[str, Any] = {
        "coupled": archive.flag("coupled"),
        "tuned": archive.flag("tuned"),
        "seed": archive.number("seed"),
        "moved": archive.share("moved"),
    }
    named = [] if whole_paths else [name for name in UNITS if name in archive]
    if len(x.shape) == 3 and named:
        raise BadInput(Fault(f"has units by its shape {x.shape} and by '{named[0]}'; keep one", source))
    if len(x.shape) == 3:
        return Samples(rows, source, "path" if whole_paths else "cloud", each=x.shape[1], **facts)
    if len(named) > 1:
        raise BadInput(Fault(f"numbers its rows' units twice, by {listed(named)}; keep one", source))
    if not named:
        return Samples(rows, source, **facts)
    members = archive.array(named[0])
    if members.shape != (rows.total,) or members.header.dtype.kind not in "iu":
        message = (
            f"'{named[0]}' must be {rows.total} whole numbers, one a row; got {members.header.dtype} "
            f"{members.shape}"
        )
        raise BadInput(Fault(message, source))
    return Samples(rows, source, UNITS[named[0]], members=members, **facts)


def _given(own: Sequence[str] | None, columns: Sequence[str] | None, source: str) -> tuple[str, ...] | None:
    """A file's own names, else those given; BadInput where both are there and not the same in any order."""
    if own and columns and sorted(map(folded, own)) != sorted(map(folded, columns)):
        message = (
            f"has column names of its own ({listed(own)}), which are not the columns given "
            f"({listed(columns)}); leave these out"
        )
        raise BadInput(Fault(message, source))
    names = own or columns
    return tuple(names) if names else None


def _named(rows: Rows, source: str) -> Rows:
    """The same rows, their names checked, and identifiers as rules use them."""
    columns = rows.columns
    if columns is None:
        return rows
    if len(columns) != rows.width:
        raise BadInput(
            Fault(f"has {rows.width} columns but {len(columns)} names were given ({listed(columns)})", source)
        )
    return rows._replace(columns=identifiers(columns, source)[0])
