"""Two sides of a comparison as a condition: what can be compared with what, and how.

| sides | < <= > >= | == != in |
| --- | --- | --- |
| numbers | in float64, over- and underflow in fractions | of whole numbers; else within a tolerance |
| dates, also with a text that is one | of their microseconds | the same |
| texts, truth values | refused: they have no order | the same text, without the spaces around it |
"""

from dataclasses import dataclass, field

from barriers.sets.cells import Cells
from barriers.sets.condition import Compared as Comparing
from barriers.sets.condition import Condition, OneOf, cases, same, split
from barriers.sets.expression import Column, Number, Operation
from barriers.sets.rule_error import PARTS, too_much
from barriers.sets.typed import NOUNS, Typed, whole
from barriers.tables.cell_kinds import CellKind, code_of

TOLERANCE = "give the rule a tolerance, as in tolerance: .005, or write abs(a - b) <= .005"
ALIKE = 1 << 53
"""Whole numbers up to this size differ in float64."""


class Unlike(ValueError):
    """Two sides that cannot be compared, and why; it reads on behind their operator."""


@dataclass
class Demands:
    """What a rule demands of its columns, by position. tolerance: up to which difference numbers are equal.

    whole: those that must hold whole numbers, as they are compared by ==. named: the texts that each is
    compared with. gaps: those that it asks whether they are missing.
    """

    tolerance: float | None = None
    whole: set[int] = field(default_factory=set)
    named: dict[int, set[str]] = field(default_factory=dict)
    gaps: set[int] = field(default_factory=set)


def compared(less: Typed, more: Typed, strict: bool, negated: bool, at: int = 0) -> Condition:
    """less < more (`strict`) or less <= more, or its negation; Unlike where they have no order."""
    less, more, kind = agreed(less, more)
    if kind in ("text", "boolean"):
        raise Unlike(f" is for numbers and dates, and these are {NOUNS[kind]}: write == or in")
    left, right = less.expression, more.expression
    if (many := cases(left) * cases(right)) > PARTS:
        raise too_much(many, PARTS, at)
    if negated:
        left, right, strict = right, left, not strict
    if kind == "date":
        return Comparing(left, right, strict, flat=True)
    return split(left, right, strict, ())


def equal(a: Typed, b: Typed, negated: bool, cells: Cells, demands: Demands) -> Condition:
    """a == b, or with `negated` a != b; Unlike where they cannot be equal."""
    a, b, kind = agreed(a, b)
    if kind == "number":
        return _equal_numbers(a, b, negated, cells, demands)
    if kind == "text":
        return _equal_texts(a, b, negated, demands)
    column, other = (a, b) if isinstance(a.expression, Column) else (b, a)
    if isinstance(column.expression, Column) and isinstance(other.expression, Number):
        return OneOf(column.expression, (other.expression.value,), not negated)
    return same(a.expression, b.expression, negated)


def agreed(a: Typed, b: Typed) -> tuple[Typed, Typed, CellKind]:
    """Both sides as the same kind of thing: a text in quotes beside a date is a date. Unlike where they are
    of two kinds.
    """
    if "date" in (a.kind, b.kind):
        found = (a.as_date() or a, b.as_date() or b)
        quoted = next((side.literal for side in found if side.literal is not None), None)
        if quoted is not None:
            raise Unlike(f" compares a date with '{quoted}', which is none: write it as 2020-12-31")
        a, b = found
    if a.undecided or b.undecided:
        return a, b, a.kind if a.kind == b.kind else "number"
    if a.kind == b.kind:
        return a, b, a.kind
    number = next((side for side in (a, b) if side.kind == "number"), None)
    if number is not None and "date" in (a.kind, b.kind):
        way = "write a date as '2020-12-31', or a difference of dates, in days"
        raise Unlike(f" compares a date with a number: {way}")
    if number is not None and isinstance(number.expression, Number) and "text" in (a.kind, b.kind):
        shown = f"{number.expression.value:g}"
        raise Unlike(f" compares text with the number {shown}: write '{shown}', in quotes, if it is text")
    quoted = next((side.literal for side in (a, b) if side.literal is not None), None)
    if quoted is not None and number is not None:
        raise Unlike(f" compares a number with the text '{quoted}': write a number, without quotes")
    raise Unlike(f" compares {NOUNS[a.kind]} with {NOUNS[b.kind]}, which are never the same")


def _equal_texts(a: Typed, b: Typed, negated: bool, demands: Demands) -> Condition:
    """Of a column and a text, or of two columns."""
    column, other = (a, b) if b.literal is not None else (b, a)
    if not isinstance(column.expression, Column) or other.literal is None:
        return same(a.expression, b.expression, negated)
    if not other.literal.strip():
        raise Unlike(" compares with an empty text, which is a missing cell: write 'is missing'")
    demands.named.setdefault(column.expression.index, set()).add(other.literal.strip())
    return OneOf(column.expression, (code_of(other.literal),), not negated)


def _equal_numbers(a: Typed, b: Typed, negated: bool, cells: Cells, demands: Demands) -> Condition:
    """Within the tolerance where there is one; else of whole numbers."""
    if demands.tolerance is not None:
        difference, most = (
            Operation("abs", (Operation("-", (a.expression, b.expression)),)),
            demands.tolerance,
        )
        left, right = (Number(most), difference) if negated else (difference, Number(most))
        return split(left, right, negated, ())
    if cells.stage == "measured":
        raise Unlike(f" has no place in a rule: measured numbers are never equal; {TOLERANCE}")
    columns = [whole(side.expression) for side in (a, b)]
    if None in columns and not (a.undecided or b.undecided):
        raise Unlike(f" is for whole numbers, and a side of it is not made of these alone; {TOLERANCE}")
    demands.whole |= {i for found in columns if found is not None for i in found}
    return same(a.expression, b.expression, negated)


def together(parts: list[Condition], negated: bool) -> Condition | None:
    """One condition for a column that is compared with several values; None where the parts are others."""
    values = [part for part in parts if isinstance(part, OneOf)]
    if len(values) != len(parts) or len({part.column for part in values}) != 1:
        return None
    return OneOf(values[0].column, tuple(code for part in values for code in part.codes), not negated)
