"""A parsed rule: comparisons of expressions, joined by `and` and `or`.

|·|, max and min alone on one side of a comparison become separate comparisons (|u| < v is
u < v and −u < v), which keeps them usable by a drift filter (B.5).
"""

from collections.abc import Callable
from dataclasses import dataclass

from barriers.sets.expression import Column, Expression, Operation


@dataclass(frozen=True)
class Compared:
    """left < right (`strict`) or left <= right, over columns of the table; `also` must have values too.

    flat: whether the difference of the sides is no distance, as that of dates is none.
    """

    left: Expression
    right: Expression
    strict: bool
    also: tuple[Expression, ...] = ()
    flat: bool = False


@dataclass(frozen=True)
class OneOf:
    """The column has one of these values, or with `inside` false another one."""

    column: Column
    codes: tuple[float, ...]
    inside: bool


@dataclass(frozen=True)
class Gap:
    """The column's cell is missing, or with `inside` false is not."""

    column: Column
    inside: bool


@dataclass(frozen=True)
class Joined:
    """Conditions joined by `and` (every) or `or`."""

    every: bool
    parts: tuple["Condition", ...]


Condition = Compared | OneOf | Gap | Joined


def weight(condition: Condition) -> int:
    """How many numbers, columns and operations are worked out for one row: all that its comparisons read."""
    sizes: dict[int, int] = {}

    def size(expression: Expression) -> int:
        if id(expression) not in sizes:
            arguments = expression.arguments if isinstance(expression, Operation) else ()
            sizes[id(expression)] = 1 + sum(map(size, arguments))
        return sizes[id(expression)]

    total, left = 0, [condition]
    while left:
        part = left.pop()
        if isinstance(part, Joined):
            left += part.parts
        elif isinstance(part, OneOf):
            total += 1 + len(part.codes)
        elif isinstance(part, Gap):
            total += 1
        else:
            total += sum(map(size, (part.left, part.right, *part.also)))
    return total


def cases(side: Expression) -> int:
    """Of how many comparisons a side makes one, at most, where max, min and |·| are taken apart."""
    if not (isinstance(side, Operation) and side.name in ("max", "min", "abs")):
        return 1
    return sum(map(cases, side.arguments)) + (side.name == "abs")


def split(left: Expression, right: Expression, strict: bool, also: tuple[Expression, ...]) -> Condition:
    """left < right, with |·|, max or min alone on either side split into comparisons; each of these must have
    a value, and has one where the outermost of its side has.
    """
    cases: list[tuple[Expression, dict[str, bool], Callable[[Expression], Condition]]] = [
        (
            left,
            {"max": True, "min": False, "abs": True},
            lambda part: split(part, right, strict, also if _within(left, also) else (*also, left)),
        ),
        (
            right,
            {"min": True, "max": False, "abs": False},
            lambda part: split(left, part, strict, also if _within(right, also) else (*also, right)),
        ),
    ]
    for side, every, compare in cases:
        if isinstance(side, Operation) and side.name in every:
            u = side.arguments
            parts = u if side.name != "abs" else (u[0], Operation("neg", u))
            return Joined(every[side.name], tuple(compare(part) for part in parts))
    return Compared(left, right, strict, also)


def same(left: Expression, right: Expression, negated: bool) -> Condition:
    """left == right without a tolerance, or with `negated` left != right."""
    sides = ((left, right), (right, left))
    return Joined(not negated, tuple(Compared(a, b, negated, flat=True) for a, b in sides))


def columns_in(expression: Expression) -> list[int]:
    """The columns that an expression reads, in order, some perhaps more than once."""
    match expression:
        case Column(index):
            return [index]
        case Operation(_, arguments):
            return [i for a in arguments for i in columns_in(a)]
        case _:
            return []


def _within(expression: Expression, also: tuple[Expression, ...]) -> bool:
    """Whether an expression is an argument of one of these, or of their arguments of the same kind."""
    left = list(also)
    while left:
        whole = left.pop()
        if isinstance(whole, Operation) and whole.name in ("max", "min", "abs", "neg"):
            if any(part is expression for part in whole.arguments):
                return True
            left += whole.arguments
    return False
