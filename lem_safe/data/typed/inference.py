"""What a column is, from its cells and from what a scenario says of it."""

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from barriers.tables import DAY, number, ticks_of
from lem_safe.data.typed.cells import Column
from lem_safe.data.typed.fields import ATOM, ATOM_ROWS, Field, FieldKind, Knots
from lem_safe.data.typed.settings import ColumnSettings
from lem_safe.errors import BadInput, Fault

FEW = 12
"""An ordered column of at most so many different values has a code for each."""
FIRST, LAST = (float(ticks_of(text) or 0) for text in ("0001-01-01", "9999-12-31"))
"""The dates that can be written."""
MOST_KNOTS = 4096
MOST_LABELS = 1000
"""Labels of a category at most, unless a scenario says that the column is one."""
TAIL = 0.05
"""The share of the values from which an open end goes on."""

_WHOLE = re.compile(r"-?(0|[1-9]\d*)")
_PLAIN = re.compile(r"[+-]?\d+(?:\.(\d*))?")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ])\d{2}:\d{2}.*")


def field_of(column: Column, settings: ColumnSettings, source: str) -> Field:
    """The field of a column, fitted to its cells; BadInput where they are not what the scenario says, where
    all are missing, or where the column only numbers the rows.
    """
    cells = [cell for cell in column.cells if cell is not None]
    counts = np.bincount(column.at, minlength=len(column.cells))
    many = np.array([c for cell, c in zip(column.cells, counts, strict=True) if cell is not None])
    used = [i for i in range(len(cells)) if many[i]]
    cells, many = [cells[i] for i in used], many[used]
    if not cells:
        raise BadInput(Fault(f"column '{column.name}': every cell is missing; leave it out", source))
    kind = settings.kind or _inferred(column, cells, many, source)
    gaps = bool(column.missing.any())
    if kind == "category" or kind == "ignore":
        if settings.kind is None:
            _must_repeat(column.name, cells, int(many.sum()), source)
        order = np.argsort(-many, kind="stable")
        labels = tuple(cells[i] for i in order)
        atoms = tuple(map(float, range(len(labels))))
        return Field(column.name, "category", labels, atoms, gaps=gaps, mark=column.mark)
    values = _values(column.name, cells, kind, source)
    return _ordered(column, cells, values, many, kind, settings, gaps, source)


def values_of(column: Column, field: Field, source: str) -> Float64[np.ndarray, "n"]:
    """The values of a column's rows; BadInput for a cell that is none of the field's."""
    there = [cell for cell in column.cells if cell is not None]
    if field.kind == "category":
        places = {label: float(i) for i, label in enumerate(field.labels)}
        new = next((cell for cell in there if cell not in places), None)
        if new is not None:
            raise BadInput(Fault(f"column '{field.name}': '{new[:40]}' is none of its categories", source))
        found = [np.nan if cell is None else places[cell] for cell in column.cells]
    else:
        known = iter(_values(field.name, there, field.kind, source))
        found = [np.nan if cell is None else next(known) for cell in column.cells]
    return np.array(found, dtype=np.float64)[column.at]


def _inferred(column: Column, cells: Sequence[str], many: np.ndarray, source: str) -> FieldKind:
    """The kind of a column that a scenario says nothing of; BadInput where most of its cells are numbers or
    dates and others are not.
    """
    if column.typed is not None and column.typed.startswith(("date", "timestamp")):
        return "date"
    if column.typed is not None and column.typed.startswith(("string", "large_string", "dictionary", "bool")):
        return "category"
    named = any(re.fullmatch(r"[+-]?0\d+", cell) for cell in cells)  # 007 is a name
    readers = (("number", number), ("date", ticks_of))
    for what, read in readers:
        fits = np.array([read(cell) is not None for cell in cells])
        if fits.all() and not (named and what == "number"):
            whole = what == "number" and all(float(number(cell) or 0).is_integer() for cell in cells)
            return "integer" if whole else "date" if what == "date" else "number"
        if 2 * many[fits].sum() > many.sum() and not named:
            odd = cells[int(np.flatnonzero(~fits)[0])]
            row = column.number(int(np.flatnonzero(column.at == column.cells.index(odd))[0]))
            message = (
                f"column '{column.name}': row {row} holds '{odd[:40]}', and most of its cells are {what}s"
            )
            raise BadInput(Fault(f"{message}; mend it, or say {{kind: category}}", source))
    return "category"


def _must_repeat(name: str, cells: Sequence[str], rows: int, source: str) -> None:
    """Refuses a column of text whose values name rows, which has no distribution to learn."""
    if len(cells) > MOST_LABELS or (len(cells) > 50 and len(cells) > rows / 2):
        way = "leave it out (data.columns), or say {kind: category} if it is one"
        message = f"column '{name}': {len(cells):,} different texts in {rows:,} rows are no categories; {way}"
        raise BadInput(Fault(message, source))


def _values(name: str, cells: Sequence[str], kind: str, source: str) -> Float64[np.ndarray, "k"]:
    read = ticks_of if kind == "date" else number
    found = [read(cell) for cell in cells]
    wrong = next((i for i, v in enumerate(found) if v is None or not np.isfinite(v)), None)
    if wrong is None and kind == "integer":
        wrong = next((i for i, v in enumerate(found) if v is not None and not float(v).is_integer()), None)
    if wrong is not None:
        what = {"date": "a date", "integer": "a whole number", "number": "a number"}[kind]
        raise BadInput(
            Fault(
                f"column '{name}': '{cells[wrong][:40]}' is not {what}; mend it, or say another kind", source
            )
        )
    return np.array(found, dtype=np.float64)


def _ordered(
    column: Column,
    cells: Sequence[str],
    values: np.ndarray,
    many: np.ndarray,
    kind: FieldKind,
    settings: ColumnSettings,
    gaps: bool,
    source: str,
) -> Field:
    step, digits, places, style = _grid(cells, values, kind, settings)
    values = values if digits is None else np.round(values, digits)
    unique, at = np.unique(values, return_inverse=True)
    counts = np.bincount(at, weights=many).astype(np.int64)
    low, high = _range(column.name, settings, unique, digits, step, source)
    linear = settings.transform == "none"
    atoms, rest = shape_of(unique, counts, settings.range, linear=linear)
    return Field(
        name=column.name,
        kind=kind,
        atoms=atoms,
        knots=rest,
        low=low,
        high=high,
        step=step,
        digits=digits,
        places=places,
        least=min(_fewest(cells), places or 0),
        style=style,
        gaps=gaps,
        mark=column.mark,
        linear=linear,
    )


def shape_of(
    unique: Float64[np.ndarray, "k"],
    counts: Int64[np.ndarray, "k"],
    bounds: tuple[float | None, float | None] | None,
    *,
    linear: bool,
) -> tuple[tuple[float, ...], Knots | None]:
    """The values that are codes, and the curve of the others; None where there are none."""
    coded = np.full(len(unique), len(unique) == 1 or (len(unique) <= FEW and not linear))
    coded |= (counts >= max(ATOM * counts.sum(), ATOM_ROWS)) & (not linear)
    rest = None
    if not coded.all():
        rest = _line(unique, counts) if linear else _knots(unique[~coded], counts[~coded], bounds)
    return tuple(float(v) for v in unique[coded]), rest


def _grid(
    cells: Sequence[str], values: np.ndarray, kind: FieldKind, settings: ColumnSettings
) -> tuple[float | None, int | None, int | None, str]:
    """The step of a column's values, its decimals, how many are written, and how dates are."""
    if kind == "date":
        times = [_TIME.fullmatch(cell) for cell in cells]
        style = "date" if not any(times) else next(found[1] for found in times if found)
        steps = (float(DAY), 60e6, 1e6, 1.0)
        step = next(s for s in steps if np.all(values % s == 0))
        return (DAY if style == "date" else step), None, None, style
    decimals = _decimals(cells)
    if kind == "integer":
        return None, 0, max(decimals or 0, 0), ""
    if settings.digits is not None:
        return None, settings.digits, settings.digits, ""
    return None, decimals, decimals, ""


def _decimals(cells: Sequence[str]) -> int | None:
    """The most decimals of any cell; None where one is written with an exponent or with more digits than
    float64 holds.
    """
    found = [_PLAIN.fullmatch(cell) for cell in cells]
    if not all(found):
        return None
    most = max(len(match[1] or "") for match in found if match)
    whole = max(len(cell.split(".")[0].lstrip("+-")) for cell in cells)
    return most if most + whole <= 15 else None


def _fewest(cells: Sequence[str]) -> int:
    """The fewest decimals of any cell."""
    return min(len(cell.partition(".")[2]) for cell in cells)


def _range(
    name: str,
    settings: ColumnSettings,
    unique: np.ndarray,
    digits: int | None,
    step: float | None,
    source: str,
) -> tuple[float, float]:
    """The least and the greatest value, on the column's grid; BadInput where data are outside the range that
    is given.
    """
    if settings.range is None:
        return float(unique[0]), float(unique[-1])
    unit = step or (None if digits is None else 10.0**-digits)
    low, high = settings.range
    if step is not None:  # dates end with the years that can be written
        low, high = FIRST if low is None else low, LAST if high is None else high
    least = -np.inf if low is None else low if unit is None else _on_grid(low, unit, digits, np.ceil)
    most = np.inf if high is None else high if unit is None else _on_grid(high, unit, digits, np.floor)
    if unique[0] < least or unique[-1] > most:
        wrong = unique[0] if unique[0] < least else unique[-1]
        message = f"the data hold {wrong:g}, outside the range [{low}, {high}]; mend the range, or the data"
        raise BadInput(Fault(f"column '{name}': {message}", source))
    return float(least), float(most)


def _on_grid(bound: float, unit: float, digits: int | None, toward: np.ufunc) -> float:
    if digits is None:
        return float(toward(bound / unit) * unit)
    return float(toward(round(bound * 10.0**digits, 6)) / 10.0**digits)


def _line(unique: np.ndarray, counts: np.ndarray) -> Knots:
    """A linear map: the mean, and one standard deviation above it."""
    mean = float(np.average(unique, weights=counts))
    std = float(np.sqrt(np.average((unique - mean) ** 2, weights=counts)))
    return Knots((0.5, 0.8413447460685429), (mean, mean + std))


def _knots(unique: np.ndarray, counts: np.ndarray, bounds: tuple[float | None, float | None] | None) -> Knots:
    """Ranks and values: of a repeated value both ends of its ranks, of another one its middle. An end whose
    range goes beyond the data goes on from the middle of the ranks of its value.
    """
    n, ends = counts.sum(), np.cumsum(counts)
    starts, again = ends - counts, counts > 1
    p = np.stack([np.where(again, starts, starts + 0.5), np.where(again, ends, starts + 0.5)], 1) / n
    kept = np.stack([np.ones(len(again), bool), again], 1)
    v = np.stack([unique, unique], 1)[kept]
    middle, p = p.mean(1), p[kept]
    if len(p) > MOST_KNOTS:
        chosen = np.unique(np.linspace(0, len(p) - 1, MOST_KNOTS).round().astype(int))
        p, v = p[chosen], v[chosen]
    below = above = 0.0
    if bounds is not None and len(unique) > 2:
        from scipy.special import ndtri  # on first use: it is slow to import

        z, k = ndtri(np.clip(middle, 1e-9, 1 - 1e-9)), max(1, round(TAIL * len(unique)))
        if bounds[0] is None or bounds[0] < unique[0]:
            p[0], below = middle[0], (unique[k] - unique[0]) / max(z[k] - z[0], 1e-3)
        if bounds[1] is None or bounds[1] > unique[-1]:
            p[-1], above = middle[-1], (unique[-1] - unique[-1 - k]) / max(z[-1] - z[-1 - k], 1e-3)
    return Knots(tuple(p.tolist()), tuple(v.tolist()), float(below), float(above))
