"""Samples as a stream of float64 blocks, whatever their source, with columns in the order of the geometry and
their units named.

A bound counts units that are independent of one another. Rows are such units unless the file states
otherwise:

| an array of an .npz, or a column of a table | the unit | what is counted |
| --- | --- | --- |
| `replica` [n], or x of shape [r, n, d] | a cloud of coupled particles | its fraction inside |
| `chain` [n] | a Markov chain | its fraction of time inside |
| `path` [n], or an array `path` [n, t, d] in place of x | a path through time | whether it is ever inside |

An .npz may also hold `columns` (names), `coupled` (its rows are one filtered cloud, A.2), `seed` (of its
draws), `tuned` (they chose the scenario's numbers, so they cannot certify them, A.7) and `moved` (the share
of the particles that ever left their start). Values are used as saved: widened to float64, never rounded.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from barriers.arrays import Tensor, torch
from barriers.sets.meeting import TOLERANCE
from barriers.tables import Gaps
from lem_safe.auditor.arrays import Array
from lem_safe.auditor.dataset import DataSet
from lem_safe.auditor.drawn import Numbers
from lem_safe.auditor.places import file_of, placed
from lem_safe.auditor.reading import PLAIN, Reading
from lem_safe.auditor.rows import BLOCK, Rows
from lem_safe.errors import BadInput, Fault

Unit = Literal["sample", "cloud", "chain", "path"]

UNITS: dict[str, Unit] = {"replica": "cloud", "chain": "chain", "path": "path"}
"""What a file calls the unit of its rows."""
"""The unit of the rows, by its name in a file."""


class Block(NamedTuple):
    """Some rows of one file, and the number of each one's unit; None where every row is its own. dropped: the
    number of rows among them that missed a value and are left out. at: the number of the first row (see
    `places`), rows that are left out not counted.
    """

    x: Float[Tensor, "b d"]
    unit: Int64[np.ndarray, "b"] | None = None
    dropped: int = 0
    at: int = 0


class Marked(NamedTuple):
    """Some rows of one file, none left out: those that miss a value that they may not are marked, and hold
    NaN. at: the number of the first row.
    """

    x: Float[np.ndarray, "b d"]
    unit: Int64[np.ndarray, "b"] | None
    missing: Bool[np.ndarray, "b"]
    at: int = 0


@dataclass(frozen=True)
class Samples:
    """Rows of numbers with the marks of their source; `source` names it in messages."""

    rows: Rows
    source: str
    unit: Unit = "sample"
    each: int | None = None
    """Rows per unit, where a three-dimensional array gives it."""
    members: Array | Numbers | None = None
    """The array that numbers the rows' units, where there is one."""
    coupled: bool = False
    """Whether the file marks its rows as one filtered cloud (A.2), as a run's samples.npz does."""
    tuned: bool = False
    seed: int | None = None
    seeds: frozenset[int] = frozenset()
    """The seeds of the files, where there are several."""
    moved: float | None = None
    """The share of a run's particles that are not where they started, where the file states it."""
    gaps: Gaps = "error"
    """What is done with a row that misses a value, NaN, in one of the chosen columns, except those that a
    rule asks whether they are missing.
    """
    data: DataSet | None = None
    """The files, where there are several."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The coordinates' names, without the column that numbers units; None where the source has none."""
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

    def chose(self, tuned_with: Sequence[int]) -> bool:
        """Whether some of the rows chose the scenario's numbers, which names the seeds of those that did."""
        return self.tuned or not self.seeds.union([self.seed]).isdisjoint(tuned_with)

    def blocks(
        self, order: Sequence[int], unit_column: int | None, size: int = BLOCK, reading: Reading = PLAIN
    ) -> Iterator[Block]:
        """The rows in file order, `size` at a time, with columns in this order, read in this way; BadInput at
        the first number that is not finite. A block is empty only where no row of a file is left.
        """
        marked = self.marked(order, unit_column, size, reading)
        if self.gaps == "drop":
            for _, blocks in groupby(marked, lambda block: file_of(block.at)):
                yield from _without_gaps(blocks)
            return
        for x, unit, _, at in marked:
            yield Block(torch.from_numpy(x), unit, 0, at)

    def marked(
        self, order: Sequence[int], unit_column: int | None, size: int = BLOCK, reading: Reading = PLAIN
    ) -> Iterator[Marked]:
        """The same, without leaving out a row: those that miss a value are marked, where they are to be left
        out.
        """
        if self.gaps == "drop" and (unit_column is not None or self.unit != "sample"):
            message = "missing: drop is for rows that are samples; a cloud, chain or path would have holes"
            raise BadInput(Fault(message, self.source))
        chosen = [*order] if unit_column is None else [*order, unit_column]
        numbers = self.members.blocks(size) if self.members is not None else None
        for file, source, rows in self.rows.files(self.source):
            start = 0
            for part in rows.read(chosen, size, reading.coders, source):
                block = np.array(part, dtype=np.float64)
                gaps = self._gaps(block, chosen, reading)
                self._must_be_finite(block, (source, start), chosen, reading)
                unit = None if numbers is None else next(numbers).astype(np.int64)
                if self.each is not None:
                    unit = np.arange(start, start + len(block)) // self.each
                if unit_column is not None:
                    unit = _whole(block[:, -1], (source, start))
                    block = np.ascontiguousarray(block[:, :-1])
                _must_be_whole(block, (source, start), reading)
                yield Marked(block, unit, gaps, placed(file, start))
                start += len(block)

    def _gaps(
        self, block: Float[np.ndarray, "b k"], chosen: Sequence[int], reading: Reading
    ) -> Bool[np.ndarray, "b"]:
        """The rows that are to be left out, as they miss a value that they may not."""
        if self.gaps != "drop":
            return np.zeros(len(block), dtype=bool)
        needed = [place for place, i in enumerate(chosen) if i not in reading.gaps]
        return np.asarray(np.isnan(block[:, needed]).any(1))

    def _must_be_finite(
        self, block: np.ndarray, place: tuple[str, int], chosen: Sequence[int], reading: Reading
    ) -> None:
        """Raises BadInput at the first number that is not finite. place: the file, and how many of its rows
        come before these.
        """
        if np.isfinite(block).all():
            return
        bad = ~np.isfinite(block)
        for at, i in enumerate(chosen):
            if self.gaps != "error" and i != self.unit_column or i in reading.gaps:
                bad[:, at] &= ~np.isnan(block[:, at])
        if not bad.any():
            return
        row, column = (int(i) for i in np.argwhere(bad)[0])
        source, start = place
        own = self.rows.columns  # unnamed ones are numbered from 1, like the rows
        name = f"{chosen[column] + 1}, counted from 1" if own is None else own[chosen[column]]
        where = f"row {start + row + 1}, column {name}"
        value = block[row, column]
        if np.isnan(value) and chosen[column] in reading.coders:
            way = "leave out such rows with missing: drop, or count them with missing: keep"
            what = f"the cell is missing; fill it, {way}"
            raise BadInput(Fault(f"{where}: {what}", source))
        drop = ", or leave out rows that miss a value with missing: drop" if np.isnan(value) else ""
        message = f"{where}: {value} is not a finite number; repair or remove the row{drop}"
        raise BadInput(Fault(message, source))


def _without_gaps(blocks: Iterable[Marked]) -> Iterator[Block]:
    """The rows of one file that miss no value."""
    held: Block | None = None
    left_out, dropped = 0, 0
    for x, _, missing, at in blocks:
        many = int(missing.sum())
        kept = Block(
            torch.from_numpy(np.ascontiguousarray(x[~missing]) if many else x), None, 0, at - left_out
        )
        left_out, dropped = left_out + many, dropped + many
        if held is None or not len(held.x):
            held = kept
        elif len(kept.x):
            yield held
            held = kept
        if len(kept.x):
            held, dropped = held._replace(dropped=dropped), 0
    if held is not None:
        yield held._replace(dropped=held.dropped + dropped)


def _must_be_whole(block: Float[np.ndarray, "b d"], place: tuple[str, int], reading: Reading) -> None:
    """Raises BadInput where a column that a rule compares by == holds other numbers than whole ones."""
    for column, (name, region) in reading.whole.items():
        values = block[:, column]
        bad = np.isfinite(values) & ((values != np.rint(values)) | (np.abs(values) > 2**53))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            message = (
                f"row {place[1] + row + 1}, column {name}: {values[row].item()!r} is not a whole number up "
                f"to 2**53, and the rule '{region}' compares it by ==; {TOLERANCE}"
            )
            raise BadInput(Fault(message, place[0]))


def _whole(numbers: Float[np.ndarray, "b"], place: tuple[str, int]) -> Int64[np.ndarray, "b"]:
    bad = (numbers != np.rint(numbers)) | (np.abs(numbers) > 2**53)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        message = f"row {place[1] + row + 1}: units are numbered by whole numbers; got {numbers[row]}"
        raise BadInput(Fault(message, place[0]))
    return numbers.astype(np.int64)


def replica_arrays(clouds: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a file of independent clouds, each [n, d]: `x`, the clouds concatenated, and `replica`,
    the cloud of each row.

    >>> [a.tolist() for a in replica_arrays([np.zeros((2, 1)), np.ones((1, 1))]).values()]
    [[[0.0], [0.0], [1.0]], [0, 0, 1]]
    """
    sizes = [len(cloud) for cloud in clouds]
    return {"x": np.concatenate(list(clouds)), "replica": np.repeat(np.arange(len(sizes)), sizes)}
