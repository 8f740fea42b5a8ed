"""A parsed rule: comparisons of expressions, joined by `and` and `or`.

|·|, max and min alone on one side of a comparison become separate comparisons (|u| < v is
u < v and −u < v), which keeps them usable by a drift filter (B.5).
"""

from collections.abc import Callable
from dataclasses import dataclass

from barriers.sets.expression import Expression, Operation


@dataclass(frozen=True)
class Compared:
    """left < right (`strict`) or left <= right, over columns of the table; `also` must have values too."""

    left: Expression
    right: Expression
    strict: bool
    also: tuple[Expression, ...] = ()


@dataclass(frozen=True)
class Joined:
    """Conditions joined by `and` (every) or `or`."""

    every: bool
    parts: tuple["Condition", ...]


Condition = Compared | Joined


def split(left: Expression, right: Expression, strict: bool, also: tuple[Expression, ...]) -> Condition:
    """left < right, with |·|, max or min alone on either side split into comparisons."""
    cases: list[tuple[Expression, dict[str, bool], Callable[[Expression], Condition]]] = [
        (
            left,
            {"max": True, "min": False, "abs": True},
            lambda part: split(part, right, strict, (*also, left)),
        ),
        (
            right,
            {"min": True, "max": False, "abs": False},
            lambda part: split(left, part, strict, (*also, right)),
        ),
    ]
    for side, every, compare in cases:
        if isinstance(side, Operation) and side.name in every:
            u = side.arguments
            parts = u if side.name != "abs" else (u[0], Operation("neg", u))
            return Joined(every[side.name], tuple(compare(part) for part in parts))
    return Compared(left, right, strict, also)
