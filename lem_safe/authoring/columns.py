"""What the columns of a table are taken for, in words."""

from barriers.tables import date_text
from lem_safe.data.typed import Codec, Field
from lem_safe.registry import equal_in, table_of
from lem_safe.scenario import Scenario

SHOWN = 4
"""Categories that are named, and values that many rows share."""


def of_columns(scenario: Scenario) -> list[str]:
    """A sentence for each column of the table that an energy is learned from, and one on how they are
    written; empty where its columns are plain numbers.
    """
    codec = table_of(scenario.energy)
    if codec is None:
        return _of_numbers(scenario)
    names = scenario.columns or codec.columns
    said = [f"`{name}`: {in_words(field)}" for name, field in zip(names, codec.fields, strict=True)]
    told = _given(scenario)
    return [
        f"Rows are written to samples.{scenario.output}, and membership is asked of them as written. "
        f"Columns: {'; '.join(said)}.",
        *(f"{equal.in_words().capitalize()} of the table." for equal in equal_in(scenario.energy)),
        *told,
    ]


def _of_numbers(scenario: Scenario) -> list[str]:
    """What is said of paths, and of values that are given; empty for other scenarios."""
    shape = scenario.shape
    if shape is None:
        return _given(scenario)
    agents = f", of {shape[1]} agents together" if len(shape) == 3 else ""
    return [
        f"Rows are paths of {shape[0]} waypoints with {shape[-1]} coordinates each{agents}.",
        *_given(scenario),
    ]


def _given(scenario: Scenario) -> list[str]:
    given = scenario.given or {}
    fixed = ", ".join(f"{name} {'missing' if value is None else value}" for name, value in given.items())
    return [f"All samples have {fixed}."] if given else []


def kinds(codec: Codec) -> str:
    """The kind of each column, briefly."""
    return ", ".join(
        f"{field.name} {'computed ' if field.formula else ''}{field.kind}"
        f"{' (may be missing)' if field.gaps else ''}"
        for field in codec.fields
    )


def in_words(field: Field) -> str:
    """One column as a noun phrase.

    >>> in_words(Field("sex", "category", ("M", "F"), (0.0, 1.0)))
    'one of M, F'
    """
    gaps = f", or missing (written {field.mark!r})" if field.gaps else ""
    if field.formula:
        return f"computed, {field.formula}{gaps}"
    if field.kind == "category":
        more = f" and {len(field.labels) - SHOWN} more" if len(field.labels) > SHOWN else ""
        labels = [repr(label) if "," in label else label for label in field.labels[:SHOWN]]
        return f"one of {', '.join(labels)}{more}{gaps}"
    if field.base:
        how = "as a share of" if field.ratio else "as the difference from"
        return f"{_kind(field)} {_between(field)}{gaps}, modelled {how} {field.base}"
    what = _kind(field)
    often = [_shown(field, v) for v in field.atoms[:SHOWN]]
    values = f", often {', '.join(often)}" if field.moves and often else ""
    if not field.moves:
        return f"{what}: {', '.join(_shown(field, v) for v in field.atoms)}{gaps}"
    return f"{what} {_between(field)}{values}{gaps}"


def _kind(field: Field) -> str:
    return {"integer": "a whole number", "date": "a date", "number": _number(field)}[field.kind]


def _number(field: Field) -> str:
    if field.digits is None:
        return "a number"
    return f"a number with at most {field.digits} decimal{'s' * (field.digits != 1)}"


def _between(field: Field) -> str:
    low = "" if field.low == float("-inf") else f"from {_shown(field, field.low)}"
    high = "" if field.high == float("inf") else f"to {_shown(field, field.high)}"
    return " ".join(part for part in (low, high) if part) or "without bounds"


def _shown(field: Field, value: float) -> str:
    return date_text(value) if field.kind == "date" else f"{value:.10g}"
