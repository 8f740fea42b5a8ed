"""One side of a comparison with what it is: a number, a date, a text or a truth value; and the arithmetic of
dates.
"""

from typing import NamedTuple

from barriers.sets.expression import Column, Expression, Number, Operation
from barriers.tables.cell_kinds import CellKind, ticks_of

NOUNS: dict[str, str] = {"number": "a number", "date": "a date", "text": "text", "boolean": "true or false"}


class Typed(NamedTuple):
    """A side. literal: the text of one in quotes. undecided: what the side is, is not known before there is a
    file.
    """

    expression: Expression
    kind: CellKind = "number"
    literal: str | None = None
    undecided: bool = False

    def as_date(self) -> "Typed | None":
        """The same as a date: itself, or the date that a text in quotes is; None where it is none."""
        if self.kind == "date":
            return self
        ticks = None if self.literal is None else ticks_of(self.literal)
        return None if ticks is None else Typed(Number(ticks), "date")


def dated(name: str, a: Typed, b: Typed) -> Typed | None:
    """A date less a date, in days, or a date with days added or taken away; None where it is neither."""
    one, other = a.as_date(), b.as_date()
    if one is not None and other is not None:
        return Typed(Operation("days", (one.expression, other.expression))) if name == "-" else None
    if name == "+" and other is not None:
        one, a, b = other, b, a
    if one is None or b.kind != "number" or name not in ("+", "-"):
        return None
    days = b.expression if name == "+" else Operation("neg", (b.expression,))
    if isinstance(b.expression, Number) and name == "-":
        days = Number(-b.expression.value)
    return Typed(Operation("later", (one.expression, days)), "date")


def whole(expression: Expression) -> list[int] | None:
    """The columns that must hold whole numbers for an expression to be whole, or a number of days between
    dates; None where it is neither.
    """
    match expression:
        case Number(value):
            return [] if value == int(value) else None
        case Column(index):
            return [index]
        case Operation("days", _):
            return []
        case Operation("**", (base, Number(exponent))):
            return whole(base) if exponent == int(exponent) and exponent >= 0 else None
        case Operation("+" | "-" | "*" | "%" | "neg" | "abs" | "min" | "max", arguments):
            parts = [whole(a) for a in arguments]
            known = [part for part in parts if part is not None]
            return [i for part in known for i in part] if len(known) == len(parts) else None
    return None
