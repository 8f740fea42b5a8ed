"""The tables that are compared, read with the same columns and the same types: those of the real rows.

A column is a number, a date, a truth value or text by what its cells are in the real rows, and the cells of
the samples are read as such: one that is nothing of the kind is refused with its row, column and value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.tables import Coder, TableFormat, alike, folded, is_text, listed
from lem_safe.auditor.opening import open_samples
from lem_safe.auditor.rows import BLOCK
from lem_safe.auditor.samples import Samples
from lem_safe.data.names import suggestion
from lem_safe.data.parts import in_parts
from lem_safe.errors import BadInput, Fault
from lem_safe.judging.table import Column, Table

MEND = "mend it, or say that the column holds categories with --category"
"""The remedy for a cell that is nothing of its column's kind."""


class Asked(NamedTuple):
    """What is asked about the columns: which are judged (all by default), which of numbers hold categories,
    how text is written. names: of the columns of arrays.
    """

    columns: Sequence[str] | None = None
    categories: Sequence[str] = ()
    form: TableFormat = TableFormat(missing="keep")
    names: Sequence[str] | None = None


EVERYTHING = Asked()
"""All columns, as the files say."""


@dataclass(frozen=True)
class Tables:
    """The tables, alike in their columns. notes: what was left out or matched otherwise than by equal names,
    in words.
    """

    samples: Table
    real: Table
    holdout: Table | None
    notes: tuple[str, ...]


class _Opened(NamedTuple):
    """A source, and the names and places of the columns that are read."""

    samples: Samples
    places: Mapping[str, int]


def read(samples: Any, real: Any, holdout: Any = None, asked: Asked = EVERYTHING) -> Tables:
    """Reads samples, real rows and, where given, rows held out: files, arrays, tensors or tables in memory.

    Raises BadInput where a column of the real rows is missing elsewhere, or a cell is nothing of its kind.
    """
    given = {"samples": samples, "real": real} | ({} if holdout is None else {"holdout": holdout})
    _must_have_text(given, asked.form)
    opened = {
        name: open_samples(source, asked.names, _form(source, asked.form)) for name, source in given.items()
    }
    for name, one in opened.items():
        one.rows.settle(opened["samples" if name == "real" else "real"].columns)
    names, categories = _chosen(opened["real"], asked)
    notes: list[str] = []
    sources = {name: _Opened(one, _places(one, opened["real"], names, notes)) for name, one in opened.items()}
    coders, values = _values(sources, names, categories)
    columns, values = _columns(names, coders, values, categories)
    tables = {name: Table(columns, values[name], _name(name, one)) for name, one in opened.items()}
    return Tables(tables["samples"], tables["real"], tables.get("holdout"), tuple(notes))


def _is_text(source: Any) -> bool:
    return isinstance(source, str | Path) and (is_text(Path(source)) or in_parts(Path(source)))


def _form(source: Any, form: TableFormat) -> TableFormat:
    """What is known of a source: the separators of text only where it is text."""
    return form if _is_text(source) else TableFormat(missing="keep")


def _must_have_text(given: Mapping[str, Any], form: TableFormat) -> None:
    """Refuses to be told how text is written where none is read."""
    if form.of_text and not any(_is_text(source) for source in given.values()):
        raise BadInput(
            Fault("is for .csv or other text, and none is read; leave it out", key=form.of_text[0])
        )


def _name(name: str, one: Samples) -> str:
    """A source in messages: its file, else its part in the comparison."""
    return name if one.source == "samples" else one.source


def _chosen(real: Samples, asked: Asked) -> tuple[list[str], list[str]]:
    """The names of the columns that are judged, and of those that hold categories though they are numbers;
    BadInput for one that the real rows lack.
    """
    own = _own(real)
    names = list(own) if asked.columns is None else list(asked.columns)
    found: list[str] = []
    categories: list[str] = []
    faults = []
    for name in names:
        place = _place(name, own)
        if place is None:
            faults.append(Fault(f"no column '{name}'; {suggestion(name, own)}", _name("real", real)))
        else:
            found.append(own[place])
    known = set(found)
    for name in asked.categories:
        place = _place(name, own)
        if place is None or own[place] not in known:
            faults.append(Fault(f"no column '{name}' is judged; {suggestion(name, found)}", key="--category"))
        else:
            categories.append(own[place])
    if not names:
        faults.append(Fault("names no column; leave it out to judge all", key="--columns"))
    if len(known) < len(found):
        faults.append(Fault("names one column twice; name each once", key="--columns"))
    if faults:
        raise BadInput(faults)
    return found, categories


def _own(one: Samples) -> tuple[str, ...]:
    return one.columns or tuple(f"x{i}" for i in range(one.rows.width))


def _place(name: str, own: Sequence[str]) -> int | None:
    """Where a name is among others: an equal one, else the only one that is equal but for case and
    punctuation.
    """
    if name in own:
        return list(own).index(name)
    like = [i for i, other in enumerate(own) if folded(other) == folded(name) != ""]
    return like[0] if len(like) == 1 else None


def _places(one: Samples, real: Samples, names: Sequence[str], notes: list[str]) -> dict[str, int]:
    """Where the columns are in a source; by position where it or the real rows have no names. BadInput with
    every column that is missing.
    """
    free = [i for i in range(one.rows.width) if i != one.unit_column]
    whole = _own(real)
    if one.columns is None or real.columns is None:
        if len(free) != len(whole):
            message = f"has {len(free)} columns, and the real rows have {len(whole)} ({listed(whole)})"
            raise BadInput(Fault(f"{message}; columns without names are matched by position", one.source))
        if one is not real and (one.columns is None) != (real.columns is None):
            notes.append(f"{one.source}: columns matched by position, as one of the tables has no names")
        return {name: free[whole.index(name)] for name in names}
    found = {name: _place(name, one.columns) for name in names}
    lost = [name for name, place in found.items() if place is None]
    if lost:
        raise BadInput([_missing(name, one, real) for name in lost])
    _note_others(one, [one.columns[i] for i in found.values() if i is not None], one is real, notes)
    return {name: free[place] for name, place in found.items() if place is not None}


def _missing(name: str, one: Samples, real: Samples) -> Fault:
    own = one.columns or ()
    near = alike(name, own)
    has = f"it has {listed(own)}" if near is None else f"did you mean '{own[near]}'?"
    what = f"no column '{name}', which {_name('the real table', real)} has; {has}"
    return Fault(f"{what}; add or rename it, or judge others alone with --columns", one.source)


def _note_others(one: Samples, read: Sequence[str], chosen: bool, notes: list[str]) -> None:
    """Notes the columns that are there and not judged."""
    others = [name for name in one.columns or () if name not in read]
    if others:
        why = "not asked for" if chosen else "not in the real table"
        notes.append(f"{one.source}: not judged, as {why}: {listed(others)}")


def _values(
    sources: Mapping[str, _Opened], names: Sequence[str], categories: Sequence[str]
) -> tuple[list[Coder], dict[str, Float[np.ndarray, "n d"]]]:
    """The coders of the columns and the cells as they read them, the real rows first."""
    coders = [_coder(name, sources, name in categories) for name in names]
    order = sorted(sources, key=lambda name: name != "real")
    return coders, {name: _cells(sources[name], names, coders) for name in order}


def _coder(name: str, sources: Mapping[str, _Opened], category: bool) -> Coder:
    """How a column is read: by what the real rows hold, or where all those are missing, the samples."""
    for source in ("real", "samples"):
        one, places = sources[source]
        (held,) = one.rows.holds([places[name]])
        if held.kind is None:
            continue
        if held.kind != "number" or held.typed:
            return Coder(held.kind, (), True, MEND)
        coder = Coder("number", (), True, MEND)
        if one.source == "samples" or not is_text(Path(one.source)) or category:
            try:  # texts that look like numbers, in a table with types
                _cells(sources[source], [name], [coder])
            except BadInput:
                return Coder("text", (), True, MEND)
        return coder
    return Coder("number", (), True, MEND)


def _cells(source: _Opened, names: Sequence[str], coders: Sequence[Coder]) -> Float[np.ndarray, "n d"]:
    """The cells of these columns; BadInput at one that is nothing of its kind, or infinite."""
    one, places = source
    order = [places[name] for name in names]
    found = {places[name]: coder for name, coder in zip(names, coders, strict=True)}
    blocks = [np.asarray(part, np.float64) for part in one.rows.read(order, BLOCK, found, one.source)]
    values = np.concatenate(blocks)
    bad = np.argwhere(np.isinf(values))
    if len(bad):
        row, i = (int(k) for k in bad[0])
        message = f"row {row + 1}, column '{names[i]}': {values[row, i]} is not a finite number; mend the row"
        raise BadInput(Fault(message, one.source))
    return values


def _columns(
    names: Sequence[str],
    coders: Sequence[Coder],
    values: Mapping[str, Float[np.ndarray, "n d"]],
    categories: Sequence[str],
) -> tuple[tuple[Column, ...], dict[str, Float[np.ndarray, "n d"]]]:
    """The columns, and the values with the places of the levels where these are categories."""
    placed = {name: array.copy() for name, array in values.items()}
    columns = []
    for i, (name, coder) in enumerate(zip(names, coders, strict=True)):
        if coder.kind in ("number", "date") and name not in categories:
            columns.append(Column(name, coder.kind))
            if coder.kind == "number":
                _as_precise(placed, i)
            continue
        codes = np.unique(np.concatenate([array[:, i] for array in values.values()]))
        codes = codes[~np.isnan(codes)]
        texts = [f"{code:.15g}" if coder.kind == "number" else coder.shown(float(code)) for code in codes]
        ranked = np.arange(len(codes))
        order = ranked if coder.kind == "number" else np.array(sorted(ranked, key=lambda k: texts[k]), int)
        places = np.empty(len(codes))
        places[order] = np.arange(len(codes))
        for array in placed.values():
            there = ~np.isnan(array[:, i])
            array[there, i] = places[np.searchsorted(codes, array[there, i])]
        columns.append(Column(name, coder.kind, tuple(texts[k] for k in order)))
    return tuple(columns), placed


def _as_precise(values: Mapping[str, Float[np.ndarray, "n d"]], i: int) -> None:
    """Rounds a column of the real rows to float32 where the samples were saved so, as copies would not equal
    them otherwise.
    """
    if not _single(values["samples"][:, i]):
        return
    for name, array in values.items():
        if name != "samples" and not _single(array[:, i]):
            with np.errstate(over="ignore"):
                rounded = array[:, i].astype(np.float32).astype(np.float64)
            array[:, i] = np.where(np.isinf(rounded), array[:, i], rounded)


def _single(values: Float[np.ndarray, "n"]) -> bool:
    """Whether all numbers that are there are those of float32."""
    there = values[~np.isnan(values)]
    with np.errstate(over="ignore"):
        return bool((there.astype(np.float32) == there).all())
