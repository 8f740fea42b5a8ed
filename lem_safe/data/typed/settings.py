"""What a scenario says of one column of its data: `columns: {age: {kind: integer, range: [0, null]}}`."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from barriers.tables import number, ticks_of

Kind = Literal["number", "integer", "category", "date", "ignore"]
Transform = Literal["quantile", "none"]
KEYS = ("kind", "range", "digits", "transform", "minus", "over")


@dataclass(frozen=True)
class ColumnSettings:
    """One column; what is None is inferred from its cells.

    kind: what its cells are; `ignore` leaves the column out. range: its least and greatest value, None where
    it has no bound; by default those of the data. digits: decimals that are written. transform: `quantile`,
    ranks to a normal distribution, or `none`, a linear map. minus, over: an expression over other columns;
    what is modelled is the difference from it, or the ratio to it.
    """

    kind: Kind | None = None
    range: tuple[float | None, float | None] | None = None
    digits: int | None = None
    transform: Transform | None = None
    minus: str | None = None
    over: str | None = None


def settings_of(name: str, given: Any) -> ColumnSettings:
    """Checks what stands under one column; ValueError names the key, the value and the rule."""
    if given is None:
        return ColumnSettings()
    if not isinstance(given, dict):
        raise ValueError(f"columns.{name}: must be a mapping such as {{kind: integer}}; got {given!r}")
    unknown = [key for key in given if key not in KEYS]
    if unknown:
        keys = f"{', '.join(KEYS[:-1])} and {KEYS[-1]}"
        raise ValueError(f"columns.{name}: has no key '{unknown[0]}'; the keys are {keys}")
    _one_of(name, "kind", given.get("kind"), Kind)
    _one_of(name, "transform", given.get("transform"), Transform)
    digits = given.get("digits")
    if digits is not None and (
        isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 15
    ):
        raise ValueError(f"columns.{name}: digits must be a whole number from 0 to 15; got {digits!r}")
    if given.get("kind") in ("category", "ignore") and len(given) > 1:
        raise ValueError(f"columns.{name}: kind {given['kind']} takes no other key")
    if given.get("kind") in ("integer", "date") and digits:
        raise ValueError(f"columns.{name}: kind {given['kind']} has no decimals; leave digits out")
    base = [key for key in ("minus", "over") if given.get(key) is not None]
    for key in base:
        if not isinstance(given[key], str) or not given[key].strip():
            raise ValueError(
                f"columns.{name}: {key} must be an expression over other columns; got {given[key]!r}"
            )
    if len(base) > 1 or (base == ["over"] and given.get("kind") == "date"):
        why = "one of minus and over" if len(base) > 1 else "kind date without over"
        raise ValueError(f"columns.{name}: takes {why}")
    range_, transform = _range(name, given.get("range")), given.get("transform")
    return ColumnSettings(given.get("kind"), range_, digits, transform, given.get("minus"), given.get("over"))


def _one_of(name: str, key: str, value: Any, allowed: Any) -> None:
    if value is not None and value not in get_args(allowed):
        raise ValueError(
            f"columns.{name}: {key} must be one of {', '.join(get_args(allowed))}; got {value!r}"
        )


def _range(name: str, value: Any) -> tuple[float | None, float | None] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"columns.{name}: range must be [least, greatest], null for none; got {value!r}")
    low, high = (_bound(name, bound) for bound in value)
    if low is not None and high is not None and not low <= high:
        raise ValueError(f"columns.{name}: range must not be empty; got {value!r}")
    return low, high


def _bound(name: str, bound: Any) -> float | None:
    if bound is None:
        return None
    if isinstance(bound, int | float) and not isinstance(bound, bool) and abs(bound) < 1e300:
        return float(bound)
    found = ticks_of(str(bound)) if number(str(bound)) is None else None
    if found is None:
        raise ValueError(
            f"columns.{name}: range holds numbers, dates such as '2020-12-31', or null; got {bound!r}"
        )
    return found


def must_be_computable(name: str, said: ColumnSettings) -> None:
    """Refuses what makes no sense of a column that is computed from others: ValueError."""
    given = (key for key in ("range", "transform", "minus", "over") if getattr(said, key) is not None)
    if key := next(given, None):
        message = f"{key} is for columns that are modelled, and derived computes this one"
        raise ValueError(f"columns.{name}: {message}; make a rule of it, or take the column out of derived")
