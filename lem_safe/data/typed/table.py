"""A whole table read with the types of its columns."""

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from barriers.arrays import torch
from barriers.tables import TEXT, TableFault, TableFormat, csv_head, kind_of, number, opened
from barriers.tables.cells import is_missing, records
from lem_safe.data.names import chosen_among, known, placeholders
from lem_safe.data.parts import in_parts, parts_of
from lem_safe.data.typed.cells import Column, names_in, read_columns
from lem_safe.data.typed.codec import Codec
from lem_safe.data.typed.equalities import Equality, equalities
from lem_safe.data.typed.formulas import must_suit, with_bases, with_formulas
from lem_safe.data.typed.inference import field_of, values_of
from lem_safe.data.typed.settings import ColumnSettings
from lem_safe.errors import BadInput, Fault

SEEN = 1000
"""Rows that tell what a column of text holds."""


class TypedTable(NamedTuple):
    """The values of n rows, of columns that are computed what is computed; what they stand for; how many rows
    were left out; how often the table's cells are what is computed.
    """

    values: Float64[np.ndarray, "n d"]
    codec: Codec
    dropped: int
    equal: tuple[Equality, ...] = ()


Stamp = tuple[int, int, int, int]


def typed_table(
    path: Path,
    chosen: Sequence[str] | None,
    form: TableFormat,
    told: Mapping[str, ColumnSettings],
    derived: Mapping[str, str] | None = None,
) -> TypedTable:
    """The chosen columns of a table; BadInput for what cannot be read, for missing cells that are not to be
    kept or dropped, and for what is said of columns that are not there. derived: expressions by name, of
    which those that are columns are computed.
    """
    stamp = stamp_of(path)
    own = None if chosen is None else tuple(chosen)
    read = _read.__wrapped__ if stamp is None else _read
    return read(path, own, form, tuple(told.items()), tuple((derived or {}).items()), stamp)


def stamp_of(path: Path) -> Stamp | None:
    """Which file it is, when it was written and how long it is; None of what is no file, or several."""
    if in_parts(path) or not path.is_file():
        return None
    seen = path.stat()
    return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size


def holds_words(path: Path, chosen: Sequence[str] | None, form: TableFormat) -> bool:
    """Whether one of the chosen columns holds something else than numbers, by the type that the file states
    or by most of its first cells; False where the file cannot be read, which is reported by whoever reads it.
    """
    try:
        stamp = stamp_of(path)
    except OSError:
        return False
    looked = _looked.__wrapped__ if stamp is None else _looked
    return looked(path, None if chosen is None else tuple(chosen), form, stamp)


@lru_cache(maxsize=16)
def _looked(path: Path, chosen: tuple[str, ...] | None, form: TableFormat, stamp: Stamp | None) -> bool:
    try:
        first = parts_of(path)[0].path if in_parts(path) else path
        if kind_of(first) == ".parquet":
            return _has_words(first, chosen)
        if kind_of(first) not in TEXT or not first.is_file():
            return False
        head = csv_head(first, form).settled(chosen)
        names = placeholders([n.strip() for n in head.names or [f"x{i}" for i in range(head.width)]])
        kept = range(head.width) if chosen is None else chosen_among(chosen, names, str(first))
        with opened(first) as file:
            rows = list(
                itertools.islice(records(itertools.islice(file, head.start, None), head.layout), SEEN)
            )
        whole = [row.cells for row in rows if len(row.cells) == head.width]
        return any(_mostly_words([head.layout.plain(cells[i]) for cells in whole]) for i in kept)
    except (BadInput, TableFault, OSError, UnicodeDecodeError):
        return False


def _mostly_words(cells: Sequence[str]) -> bool:
    """Whether more than half of the cells that are not missing are no numbers."""
    there = [cell for cell in cells if not is_missing(cell)]
    return 2 * sum(number(cell) is None for cell in there) > len(there)


def _has_words(path: Path, chosen: Sequence[str] | None) -> bool:
    from lem_safe.data.typed.cells import _parquet

    with _parquet(path) as file:
        schema = file.schema_arrow
        names = placeholders(list(schema.names))
        kept = range(len(names)) if chosen is None else chosen_among(chosen, names, str(path))
        words = ("string", "large_string", "dictionary", "date", "timestamp")
        return any(str(schema.types[i]).startswith(words) for i in kept)


@lru_cache(maxsize=4)
def _read(
    path: Path,
    chosen: tuple[str, ...] | None,
    form: TableFormat,
    told: tuple[tuple[str, ColumnSettings], ...],
    derived: tuple[tuple[str, str], ...],
    stamp: Stamp | None,
) -> TypedTable:
    settings = dict(told)
    ignored = [name for name, said in told if said.kind == "ignore"]
    names = names_in(path, form)
    known(list(settings), names, str(path))
    if ignored:
        chosen = tuple(name for name in chosen or names if name not in ignored)
    columns = read_columns(path, chosen, form)
    must_suit(dict(derived), [column.name for column in columns], settings, str(path))
    columns, kept = _complete(columns, form, str(path))
    fields, faults = [], list[Fault]()
    for column in columns:
        try:
            fields.append(field_of(column, settings.get(column.name, ColumnSettings()), str(path)))
        except BadInput as bad:
            faults += bad.faults
    if faults:
        raise BadInput(faults)
    fields = with_formulas(fields, dict(derived), settings, str(path))
    found = [values_of(c, f, str(path)) for c, f in zip(columns, fields, strict=True)]
    codec = Codec(fields)
    values = np.stack([_on_grid(v, f.digits) for v, f in zip(found, fields, strict=True)], 1)
    numbers = np.flatnonzero(kept) + 1
    equal = tuple(equalities(codec, values, numbers))
    _must_be_learnable(codec, equal, str(path))
    if codec.computed:
        cells = codec.computed.recomputed(torch.from_numpy(values).unbind(-1))
        values = torch.stack(cells, -1).numpy()
        codec = Codec(with_bases(codec, cells, numbers, str(path)))
    return TypedTable(values, codec, int((~kept).sum()), equal)


def _must_be_learnable(codec: Codec, equal: Sequence[Equality], source: str) -> None:
    """BadInput where columns are not what is computed of them, or none is left to learn."""
    if wrong := [Fault(why, source) for e in equal if (why := e.fault()) is not None]:
        raise BadInput(wrong)
    if not codec.dimension:
        what = "has one value alone or is computed" if equal else "has one value alone"
        raise BadInput(Fault(f"every column {what}, so there is nothing to learn", source))


def _on_grid(values: np.ndarray, digits: int | None) -> np.ndarray:
    return values if digits is None else np.round(values, digits)


def _complete(
    columns: list[Column], form: TableFormat, source: str
) -> tuple[list[Column], Bool[np.ndarray, "n"]]:
    """The columns without the rows that miss a value, where those are to be dropped, and which rows are kept;
    BadInput where they are not to be there.
    """
    gaps = np.stack([column.missing for column in columns], 1)
    if form.missing == "keep" or not gaps.any():
        return columns, np.ones(len(gaps), dtype=bool)
    if form.missing == "drop":
        kept = np.asarray(~gaps.any(1))
        if not kept.any():
            raise BadInput(Fault("every row misses a value; choose other columns with columns:", source))
        return [column.kept(kept) for column in columns], kept
    many = gaps.sum(0)
    raise BadInput(
        [
            Fault(
                f"column '{column.name}': {int(count):,} cells are missing; model them with missing: keep, "
                "or leave out such rows with missing: drop",
                source,
            )
            for column, count in zip(columns, many, strict=True)
            if count
        ]
    )
