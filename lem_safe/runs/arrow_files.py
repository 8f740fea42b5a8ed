"""Rows written block by block as Arrow tables, so that more of them than fit in memory can be written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from typing import IO, Any

import numpy as np
from jaxtyping import Float, Shaped

from lem_safe.data.typed import Codec, Field

EPOCH = datetime(1970, 1, 1)
BLOCK = 65536
"""Rows of a table that are written at once."""


def blocks(rows: Shaped[np.ndarray, "n ..."]) -> Iterator[Shaped[np.ndarray, "b ..."]]:
    """Parts of rows whose cells fit in memory."""
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


def marked(marks: Mapping[str, np.ndarray], block: int) -> dict[str, np.ndarray]:
    """The columns of marks of one block."""
    return {name: numbers[block * BLOCK :][:BLOCK] for name, numbers in marks.items()}


def write_arrow(
    codec: Codec,
    columns: Sequence[str],
    rows: Float[np.ndarray, "n d"],
    file: IO[bytes],
    marks: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Rows of a table, categories by place, and columns of marks beside them, as Parquet, group by group."""
    write_parts(codec, columns, blocks(rows), file, marks or {})


def write_parts(
    codec: Codec,
    columns: Sequence[str],
    parts: Iterable[Float[np.ndarray, "b d"]],
    file: IO[bytes],
    marks: Mapping[str, np.ndarray],
) -> None:
    import pyarrow as pa

    write_groups(
        (
            pa.table(dict(_arrow_columns(codec, columns, part)) | marked(marks, i))
            for i, part in enumerate(parts)
        ),
        file,
    )


def write_groups(groups: Iterator[Any], file: IO[bytes]) -> None:
    """Tables of the same columns, one after the other, as Parquet."""
    import pyarrow.parquet as pq

    first = next(groups)
    with pq.ParquetWriter(file, first.schema) as out:
        for group in chain([first], groups):
            out.write_table(group)


def _arrow_columns(
    codec: Codec, columns: Sequence[str], rows: Float[np.ndarray, "n d"]
) -> Iterator[tuple[str, Any]]:
    """Rows of a table, categories by place, as Arrow arrays: whole numbers, numbers, dates and texts, null
    where a cell is missing.
    """
    import pyarrow as pa

    kinds = {"integer": pa.int64(), "number": pa.float64(), "category": pa.string()}
    dates = {True: pa.date32(), False: pa.timestamp("us")}
    for j, (name, field) in enumerate(zip(columns, codec.fields, strict=True)):
        cells = [None if v != v else _cell(field, float(v)) for v in rows[:, j]]
        yield name, pa.array(cells, kinds.get(field.kind) or dates[field.style == "date"])


def _cell(field: Field, value: float) -> int | float | str | date | datetime:
    match field.kind:
        case "integer":
            return int(value)
        case "category":
            return field.labels[int(value)]
        case "date":
            at = EPOCH + timedelta(microseconds=int(value))
            return at.date() if field.style == "date" else at
    return value
