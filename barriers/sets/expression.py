"""Arithmetic over columns in float64, where a value may be undefined.

A value is undefined if any intermediate number is not finite: the root or logarithm of a negative number, a
division by zero, an overflow. Every operation gets finite arguments (undefined ones are replaced before it),
so no NaN enters a gradient; where a value exists but its derivative does not (√ at 0) or is too large (values
above 1e100), the value is kept and its gradient is 0. Rational comparisons that overflow are made in
fractions, by `comparison`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.by_numpy import by_numpy
from barriers.tables.cell_kinds import DAY

HUGE = 1e100
"""Values above this have gradient 0: third derivatives of functions of them would overflow."""


class Value(NamedTuple):
    """One finite number per row, and whether the rule has a value there (elsewhere the number
    is arbitrary).
    """

    number: Tensor
    defined: Tensor


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Column:
    """The column at position `index` of the rows that are evaluated."""

    index: int


@dataclass(frozen=True)
class Operation:
    """One of OPERATIONS applied to expressions."""

    name: str
    arguments: tuple["Expression", ...]


Expression = Number | Column | Operation


class _Rule(NamedTuple):
    f: Callable[..., Tensor]
    flat: Callable[..., Tensor] | None = None
    kinked: bool = False
    most: int | None = 1
    """The largest number of arguments (None: any number)."""
    least: int = 1


def _alike(of_arrays: Callable[..., np.ndarray], of_tensors: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function that membership depends on, and whose last digit depends on the library."""

    def value(*numbers: Tensor) -> Tensor:
        found = by_numpy(of_arrays, *numbers)
        return of_tensors(*numbers) if found is None else found

    return value


_log, _hypot_of_two = _alike(np.log, torch.log), _alike(np.hypot, torch.hypot)
_sqrt = _alike(np.sqrt, torch.sqrt)


def _hypot(*xs: Tensor) -> Tensor:
    return reduce(_hypot_of_two, xs)


OPERATIONS: dict[str, _Rule] = {
    "+": _Rule(torch.add, most=2, least=2),
    "-": _Rule(torch.sub, most=2, least=2),
    "*": _Rule(torch.mul, most=2, least=2),
    "/": _Rule(torch.div, flat=lambda a, b: b.abs() < 1e-50, most=2, least=2),
    "**": _Rule(_alike(np.power, torch.pow), flat=lambda a, b: a < 1e-30, most=2, least=2),
    "neg": _Rule(torch.neg),
    "%": _Rule(_alike(np.remainder, torch.remainder), kinked=True, most=2, least=2),
    "days": _Rule(lambda a, b: (a - b) / DAY, most=2, least=2),
    "later": _Rule(lambda a, days: a + days * DAY, most=2, least=2),
}
"""The meaning of operators; a constant exponent is handled separately. `a % b` has the sign of b; dates are
microseconds, of which `days` and `later` make and take days.
"""

FUNCTIONS: dict[str, _Rule] = {
    "abs": _Rule(torch.abs, kinked=True),
    "min": _Rule(lambda *xs: reduce(torch.minimum, xs), kinked=True, most=None, least=2),
    "max": _Rule(lambda *xs: reduce(torch.maximum, xs), kinked=True, most=None, least=2),
    "sqrt": _Rule(_sqrt, flat=lambda x: x < 1e-40),
    "hypot": _Rule(_hypot, flat=lambda *xs: _hypot(*xs) < 1e-30, most=None, least=2),
    "exp": _Rule(_alike(np.exp, torch.exp)),
    "expm1": _Rule(_alike(np.expm1, torch.expm1)),
    "log": _Rule(_log, flat=lambda x: x < 1e-50),
    "log1p": _Rule(_alike(np.log1p, torch.log1p)),
    "log2": _Rule(_alike(np.log2, torch.log2), flat=lambda x: x < 1e-50),
    "log10": _Rule(_alike(np.log10, torch.log10), flat=lambda x: x < 1e-50),
    "sin": _Rule(_alike(np.sin, torch.sin)),
    "cos": _Rule(_alike(np.cos, torch.cos)),
    "tan": _Rule(_alike(np.tan, torch.tan)),
    "atan": _Rule(_alike(np.arctan, torch.atan)),
    "sinh": _Rule(_alike(np.sinh, torch.sinh)),
    "cosh": _Rule(_alike(np.cosh, torch.cosh)),
    "tanh": _Rule(_alike(np.tanh, torch.tanh)),
}
"""Every function a rule can call."""


def evaluate(expression: Expression, x: Float[Tensor, "*n k"]) -> Value:
    """The expression at every row of float64 values."""
    match expression:
        case Number(value):
            return Value(x.new_full((), value), torch.ones((), dtype=torch.bool, device=x.device))
        case Column(index):
            number = x[..., index]
            defined = torch.isfinite(number.detach())
            return Value(torch.where(defined, number, 1.0), defined)
        case Operation("**", (base, Number())):
            return operate(expression, (evaluate(base, x),))
        case Operation(_, arguments):
            return operate(expression, tuple(evaluate(a, x) for a in arguments))


def operate(operation: Operation, values: tuple[Value, ...]) -> Value:
    """An operation on the values of its arguments; of a power with a constant exponent, on that of its
    base.
    """
    match operation:
        case Operation("**", (_, Number(exponent))):
            return _apply(*_power(exponent), values[:1])
        case Operation(name, _):
            rule = OPERATIONS.get(name) or FUNCTIONS[name]
            return _apply(rule.f, rule.flat, values)


def kinked(expression: Expression) -> bool:
    """Whether the expression may fail to be twice differentiable inside its domain: |·|, min, max, or the
    root of a square.
    """
    match expression:
        case Operation("sqrt", (Operation("**", (_, Number(power))),)) if power % 2 == 0:
            return True
        case Operation("sqrt", (Operation("*", (a, b)),)) if a == b:
            return True
        case Operation("**", (Operation("**", _) | Operation("*", _), Number(power))) if power != int(power):
            return True
        case Operation(name, arguments):
            return (FUNCTIONS.get(name) or OPERATIONS[name]).kinked or any(kinked(a) for a in arguments)
        case _:
            return False


def constant(expression: Expression) -> bool:
    """Whether the expression contains no column."""
    return not isinstance(expression, Column) and (
        isinstance(expression, Number) or all(constant(a) for a in expression.arguments)
    )


def renumbered(expression: Expression, used: Sequence[int]) -> Expression:
    """The expression over the columns `used` alone."""
    match expression:
        case Column(index):
            return Column(used.index(index))
        case Operation(name, arguments):
            return Operation(name, tuple(renumbered(a, used) for a in arguments))
        case Number():
            return expression


def of_dates(expression: Expression) -> bool:
    """Whether dates are subtracted or moved anywhere in an expression."""
    return isinstance(expression, Operation) and (
        expression.name in ("days", "later") or any(map(of_dates, expression.arguments))
    )


BY_PRODUCTS: dict[float, Callable[..., Tensor]] = {
    1.0: lambda a: a,
    2.0: lambda a: a * a,
    3.0: lambda a: a * a * a,
    0.5: _sqrt,
    -1.0: lambda a: 1 / a,
    -2.0: lambda a: 1 / (a * a),
}
"""Powers that are products, quotients and roots."""


def _power(exponent: float) -> tuple[Callable[..., Tensor], Callable[..., Tensor] | None]:
    whole = exponent == int(exponent) if abs(exponent) < 1e15 else True
    f = BY_PRODUCTS.get(exponent) or _alike(lambda a: np.power(a, exponent), lambda a: a**exponent)
    if whole and exponent >= 0:
        return f, None
    return f, lambda a: (a.abs() if whole else a) < 1e-30


def _apply(
    f: Callable[..., Tensor], flat: Callable[..., Tensor] | None, arguments: tuple[Value, ...]
) -> Value:
    """f, with its gradient set to 0 where it would not be finite."""
    numbers = [a.number for a in arguments]
    with torch.no_grad():
        raw = f(*numbers)
        defined = reduce(torch.logical_and, [a.defined for a in arguments], torch.isfinite(raw))
        usable = defined & (raw.abs() < HUGE)
        if flat is not None:
            usable = usable & ~flat(*numbers)
    if not torch.is_grad_enabled():
        return Value(torch.where(defined, raw, 1.0), defined)
    smooth = f(*(torch.where(usable, number, 1.0) for number in numbers))
    return Value(torch.where(usable, smooth, torch.where(defined, raw, 1.0)), defined)
