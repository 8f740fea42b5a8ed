"""Comparisons of rational expressions where float64 over- or underflows: + − * / abs min max and whole
powers, in exact fractions.

Elsewhere a rule means its float64 value as written, operation by operation, as in any program that reads the
same file. Beyond the range of float64 that is no value at all, or 0 for a nonzero number, though the
expression has a value: there it is compared exactly.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.sets.expression import Column, Expression, Number, Operation, Value, evaluate, operate

SMALL = 1e-290
"""Below this, a product may have lost digits to underflow."""
POWER = 1000
"""The largest whole exponent that is computed."""
DEGREE = 2 * POWER
"""The largest degree of powers of powers."""

PLAIN: dict[str, Callable[..., Fraction]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "neg": lambda a: -a,
    "abs": abs,
    "min": min,
    "max": max,
}


def rational(expression: Expression) -> bool:
    """Whether every value of the expression is an exact fraction."""
    match expression:
        case Operation("**", (base, Number(exponent))):
            whole = exponent == int(exponent) and abs(exponent) <= POWER
            return whole and rational(base) and degree(expression) <= DEGREE
        case Operation(name, arguments):
            return name in PLAIN and all(rational(a) for a in arguments)
        case _:
            return True


def degree(expression: Expression) -> float:
    """How many columns are multiplied at most: the length of exact numbers grows with it."""
    match expression:
        case Operation("**", (base, Number(exponent))):
            return abs(exponent) * degree(base)
        case Operation("*" | "/", arguments):
            return sum(degree(a) for a in arguments)
        case Operation(_, arguments):
            return max(degree(a) for a in arguments)
        case Column():
            return 1.0
        case _:
            return 0.0


def scales(expression: Expression) -> bool:
    """Whether the expression contains a product, a quotient or a power: only these underflow, and sums of
    columns alone hardly overflow.
    """
    match expression:
        case Operation(name, arguments):
            return name in ("*", "/", "**", "+", "-") or any(scales(a) for a in arguments)
        case _:
            return False


def underflows(expression: Expression, x: Float[Tensor, "n k"]) -> Bool[Tensor, "n"]:
    """The rows where some intermediate product, quotient or power is nearly 0, though none of its factors is
    0.
    """
    return _underflowing(expression, x)[1]


def _underflowing(expression: Expression, x: Float[Tensor, "n k"]) -> tuple[Value, Bool[Tensor, "n"]]:
    """The expression's value, and the rows where something on the way to it underflows."""
    found = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    if not isinstance(expression, Operation):
        return evaluate(expression, x), found
    parts = [_underflowing(argument, x) for argument in expression.arguments]
    value = operate(expression, tuple(part for part, _ in parts))
    for _, inside in parts:
        found = found | inside
    if expression.name in ("*", "/", "**"):
        small = value.number.abs() < SMALL
        for factor, _ in parts[:1] if expression.name == "**" else parts:
            small = small & (factor.number != 0)
        found = found | small
    return value, found


def divides_by_zero(expression: Expression, x: Float[Tensor, "n k"]) -> Bool[Tensor, "n"]:
    """The rows where a divisor is 0, and not by underflow: there the expression has no value, and need not be
    evaluated exactly.
    """
    found = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    if not isinstance(expression, Operation):
        return found
    for argument in expression.arguments:
        found = found | divides_by_zero(argument, x)
    if expression.name == "/":
        divisor = evaluate(expression.arguments[1], x)
        found = found | (divisor.defined & (divisor.number == 0) & ~underflows(expression.arguments[1], x))
    return found


def below(
    left: Expression, right: Expression, strict: bool, also: Sequence[Expression], rows: Float[Tensor, "n k"]
) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Whether left < right (left ≤ right) holds exactly at finite rows, and whether all expressions have a
    value there.
    """
    holds, defined = np.zeros(len(rows), dtype=bool), np.ones(len(rows), dtype=bool)
    for i, row in enumerate(rows.tolist()):
        x = [Fraction(v) for v in row]
        try:
            a, b, *_ = [_value(e, x) for e in (left, right, *also)]
        except ZeroDivisionError:
            defined[i] = False
            continue
        holds[i] = a < b if strict else a <= b
    return holds, defined


def _value(expression: Expression, x: Sequence[Fraction]) -> Fraction:
    match expression:
        case Number(value):
            return Fraction(value)
        case Column(index):
            return x[index]
        case Operation("**", (base, Number(exponent))):
            return _value(base, x) ** int(exponent)
        case Operation(name, arguments):
            return PLAIN[name](*(_value(a, x) for a in arguments))
