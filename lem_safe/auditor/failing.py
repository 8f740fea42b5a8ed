"""The rows that are inside a region, all of them, as a table in a file: CSV or Parquet, by its ending.

A second pass over the samples, in the memory of one block. Columns: `row` (from 0, in file order, as in
audit.json); the unit of the row where it has one (`replica`, `chain`, `path`); `regions`, the constrained
regions that it is in; `clearance: NAME` for every constrained region, negative inside and empty where there
is none; and the values. A row of a path is listed if it, or the straight line that leads to it, is inside.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from barriers.arrays import torch
from barriers.sets import UnsafeSet
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.census import judged, whole_lanes
from lem_safe.auditor.question import Question
from lem_safe.auditor.reading import Reading
from lem_safe.auditor.samples import UNITS, Block, Samples
from lem_safe.auditor.tracks import Tracks
from lem_safe.errors import BadInput, Fault
from lem_safe.files import write_atomically

SEPARATOR = "; "
"""What stands between the names of the regions of one row in a CSV; in Parquet they are a list."""


class Failing(NamedTuple):
    """The rows of one block that are inside one region or several."""

    row: Int64[np.ndarray, "k"]
    unit: Int64[np.ndarray, "k"] | None
    inside: Bool[np.ndarray, "k m"]
    clearance: Float[np.ndarray, "k m"]
    """NaN where there is none."""
    x: Float[np.ndarray, "k d"]


def must_be_table(path: Path) -> None:
    """Refuses a file that is to hold rows and whose ending is not that of a table, and one that cannot be
    written here.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise BadInput(Fault(f"must end in .csv or .parquet; got '{path.suffix}'", str(path)))
    if path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise BadInput(Fault("writing .parquet needs pyarrow: pip install 'lem-safe[data]'", str(path)))


def write_failing(path: Path, samples: Samples, question: Question, report: AuditReport) -> int:
    """Writes every row inside a constrained region, atomically, and returns how many there are; BadInput
    where these are not the rows that the report counted.
    """
    must_be_table(path)
    match = question.match(samples)
    sets = question.sets(match)
    along = match.unit == "path" and question.scenario.audit.between != "points"
    unit = next((name for name, meant in UNITS.items() if meant == match.unit), None)
    passed = _Pass(sets, Tracks() if along else None)
    write = _write_csv if path.suffix.lower() == ".csv" else _write_parquet

    def written(file: BinaryIO) -> None:
        parts = passed.failing(match.blocks(samples))
        write(file, _Heads(unit, tuple(sets), match.names, match.reading), parts)
        counts = [c.violations for c in report.constraints]
        if passed.rows != report.rows or (match.unit != "path" and passed.inside != counts):
            message = "changed while it was audited; audit it again when it is complete"
            raise BadInput(Fault(message, samples.source))

    write_atomically(path, written)
    return passed.found


class _Pass:
    """One pass over the samples: how many rows there are, how many are inside any region, and inside each."""

    def __init__(self, sets: Mapping[str, UnsafeSet], tracks: Tracks | None):
        self.sets, self.tracks = sets, tracks
        self.rows, self.found, self.inside = 0, 0, [0] * len(sets)

    def failing(self, blocks: Iterator[Block]) -> Iterator[Failing]:
        """The rows inside, block by block."""
        with torch.no_grad():
            for x, unit, *_ in blocks:
                if not len(x):
                    continue
                before = None if self.tracks is None or unit is None else self.tracks.before(x, unit)
                padded = whole_lanes(x)
                along = None if before is None else whole_lanes(before)
                each = [judged(region, padded, len(x), along) for region in self.sets.values()]
                inside = np.stack([found.inside for found in each], 1)
                kept = np.flatnonzero(inside.any(1))
                yield Failing(
                    row=self.rows + kept,
                    unit=None if unit is None else unit[kept],
                    inside=inside[kept],
                    clearance=np.stack([found.clearance for found in each], 1)[kept],
                    x=x.numpy()[kept],
                )
                self.rows, self.found = self.rows + len(x), self.found + len(kept)
                self.inside = [n + int(k) for n, k in zip(self.inside, inside.sum(0), strict=True)]


class _Heads(NamedTuple):
    """The columns of the file."""

    unit: str | None
    sets: tuple[str, ...]
    columns: tuple[str, ...]
    reading: Reading

    def names(self) -> list[str]:
        """Their names, each once: a column of the samples called like another one here is `value: NAME`."""
        first = ["row", *([self.unit] if self.unit else []), "regions"]
        first += [f"clearance: {name}" for name in self.sets]
        return first + [f"value: {name}" if name in first else name for name in self.columns]

    def regions(self, inside: Bool[np.ndarray, "m"]) -> list[str]:
        """The names of the regions that one row is in."""
        return [name for name, held in zip(self.sets, inside, strict=True) if held]


def _write_csv(file: BinaryIO, heads: _Heads, parts: Iterator[Failing]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    table = csv.writer(text, lineterminator="\n")
    table.writerow(heads.names())
    for part in parts:
        for i, row in enumerate(part.row.tolist()):
            unit = [] if part.unit is None else [int(part.unit[i])]
            away = ["" if math.isnan(s) else repr(s) for s in part.clearance[i].tolist()]
            regions = SEPARATOR.join(heads.regions(part.inside[i]))
            values = part.x[i].tolist()
            table.writerow([row, *unit, regions, *away, *(heads.reading.shown(values) or map(repr, values))])
    text.detach()


def _write_parquet(file: BinaryIO, heads: _Heads, parts: Iterator[Failing]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = [pa.int64(), *([pa.int64()] if heads.unit else []), pa.list_(pa.string())]
    names = heads.names()
    kinds += [pa.float64()] * (len(names) - len(kinds) - len(heads.columns))
    kinds += [pa.string() if name in heads.reading.kinds else pa.float64() for name in heads.columns]
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    with pq.ParquetWriter(file, schema) as table:
        for part in parts:
            unit = [] if part.unit is None else [pa.array(part.unit)]
            regions = pa.array([heads.regions(inside) for inside in part.inside], pa.list_(pa.string()))
            away = [pa.array(column, from_pandas=True) for column in part.clearance.T]
            values = [_parquet_column(heads.reading, i, column) for i, column in enumerate(part.x.T)]
            arrays = [pa.array(part.row), *unit, regions, *away, *values]
            if len(part.row):
                table.write_batch(pa.record_batch(arrays, schema=schema))


def _parquet_column(reading: Reading, place: int, values: Float[np.ndarray, "k"]) -> Any:
    """The cells of one column: its numbers, or its texts and dates as written; null where one is missing."""
    import pyarrow as pa

    coder = reading.coders.get(reading.order[place]) if reading.order else None
    if coder is None or coder.kind == "number":
        return pa.array(values, from_pandas=True)
    return pa.array([coder.shown(value) or None for value in values.tolist()], pa.string())
