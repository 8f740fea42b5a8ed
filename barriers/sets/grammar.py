"""The grammar of rules: comparisons of columns, numbers, texts and dates, joined by `and`, `or`, `not` and
`if ... then`. Text in, conditions out.

Python's `ast` parses the text; it may contain only the forms below, and nothing is ever evaluated by Python:

condition   side < side   (also <= > >= == !=, chained)   |   side in (side, ...)   |   column is missing
    |   side not in (side, ...)   |   column is not missing   |   condition and condition   |   not condition
    |   condition or condition   |   if condition then condition
side        number   'text'   '2020-12-31'   true   false   column   `any column`   pi   e   derived name
    |   side + - * / ** % side   -side   function(side, ...)

Negation is pushed down to the comparisons, and |·|, max or min alone on one side is split
(`condition.split`).
"""

import ast
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from barriers.sets.cells import MEASURED, Cells
from barriers.sets.condition import Condition, Gap, Joined, columns_in, weight
from barriers.sets.expression import Column, constant
from barriers.sets.meeting import Demands, Unlike, compared, equal, together
from barriers.sets.rule_error import DIVIDE, PARTS, RuleError, too_much
from barriers.sets.rule_text import RuleText
from barriers.sets.sides import CONSTANTS, FOR_FILES, TRUTHS, WAYS_OUT, Sides

SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


class Understood(NamedTuple):
    """The condition of a rule, and what it demands of its columns."""

    condition: Condition
    demands: Demands


def read(where: str, columns: Sequence[str]) -> Condition:
    """The condition that `where` states about columns of numbers; raises RuleError where it is not one."""
    return understood(where, columns, MEASURED).condition


def understood(
    where: str, columns: Sequence[str], cells: Cells, *, tolerance: float | None = None, negated: bool = False
) -> Understood:
    """The condition that a text states about columns, or its negation; raises RuleError where it is none.

    tolerance: up to which difference two numbers are equal.
    """
    reader = _Reader(where, columns, cells, tolerance)
    try:
        condition = reader.condition(reader.text.parsed(), negated, 0)
    except RecursionError:
        raise RuleError("nested too deeply", reader.text.shift, f": {DIVIDE}") from None
    reader.text.must_be_read()
    if (many := weight(condition)) > PARTS:
        raise too_much(many, PARTS, 0)
    return Understood(condition, reader.demands)


class _Reader(Sides):
    """The reading of one text."""

    def __init__(self, where: str, columns: Sequence[str], cells: Cells, tolerance: float | None):
        super().__init__(RuleText(where, columns), columns, cells)
        self.demands = Demands(tolerance)

    def condition(self, node: ast.expr, negated: bool, depth: int) -> Condition:
        """The condition of a part of the text, or its negation."""
        self.deep(node, depth)
        match node:
            case ast.BoolOp(op, values):
                parts = tuple(self.condition(v, negated, depth + 1) for v in values)
                return Joined(isinstance(op, ast.And) != negated, parts)
            case ast.UnaryOp(ast.Not(), operand):
                return self.condition(operand, not negated, depth + 1)
            case ast.Tuple(elts) if self.text.implied(node):
                *given, last = elts
                parts = tuple(self.condition(part, not negated, depth + 1) for part in given)
                return Joined(negated, (*parts, self.condition(last, negated, depth + 1)))
            case ast.Compare(left, ops, comparators):
                sides = [left, *comparators]
                parts = tuple(
                    self._compared(a, op, b, negated, depth)
                    for op, (a, b) in zip(ops, pairwise(sides), strict=True)
                )
                return parts[0] if len(parts) == 1 else Joined(not negated, parts)
            case ast.BinOp(_, op, _) | ast.UnaryOp(op, _) if type(op) in WAYS_OUT:
                self.refuse_operator(node, op)
            case ast.Name() | ast.Constant() | ast.BinOp() | ast.UnaryOp():
                self.side(node, depth)
            case ast.Call():
                self.side(node, depth)
            case _:
                raise self.strange(node)
        raise self.error(node, " compares nothing: a rule needs <, <=, > or >= there, ==, != or in")

    def _compared(self, a: ast.expr, op: ast.cmpop, b: ast.expr, negated: bool, depth: int) -> Condition:
        match op:
            case ast.Is() | ast.IsNot():
                return self._missing(a, b, isinstance(op, ast.Is) != negated, depth)
            case ast.In() | ast.NotIn():
                return self._among(a, b, isinstance(op, ast.NotIn) != negated, depth)
        left, right = (self.side(s, depth + 1) for s in (a, b))
        if constant(left.expression) and constant(right.expression):
            raise self.error(a, f" and '{self.text.excerpt(b)}' hold no column to compare")
        try:
            if isinstance(op, ast.Eq | ast.NotEq):
                return equal(left, right, isinstance(op, ast.NotEq) != negated, self.cells, self.demands)
            less, more = (left, right) if isinstance(op, ast.Lt | ast.LtE) else (right, left)
            strict = isinstance(op, ast.Lt | ast.Gt)
            return compared(less, more, strict, negated, self.text.position(a))
        except Unlike as bad:
            raise RuleError(f"'{SIGNS[type(op)]}'", self.text.between(a, b), str(bad)) from None

    def _among(self, a: ast.expr, b: ast.expr, negated: bool, depth: int) -> Condition:
        """A side among several values, or with `negated` none of them."""
        if not isinstance(b, ast.Set | ast.List | ast.Tuple) or not b.elts:
            why = " is no list of values: write x in {'a', 'b'}"
            raise self.error(b, why)
        if self.text.thens and isinstance(b, ast.Tuple) and self.text.implied(b):
            raise self.error(b, " is no list of values")
        parts = [
            self._compared(a, ast.NotEq() if negated else ast.Eq(), item, False, depth) for item in b.elts
        ]
        return together(parts, negated) or Joined(negated, tuple(parts))

    def _missing(self, a: ast.expr, b: ast.expr, missing: bool, depth: int) -> Condition:
        """Whether any column of a side is missing, or with `missing` false whether none is."""
        if not (isinstance(b, ast.Name) and b.id == "missing"):
            raise self.error(b, " stands behind 'is': only 'is missing' and 'is not missing' are known")
        if self.cells.stage == "measured":
            raise RuleError("'is missing'", self.text.between(a, b), f" has no place here: {FOR_FILES}")
        used = dict.fromkeys(columns_in(self.side(a, depth + 1).expression))
        if not used:
            raise self.error(a, " holds no column that could be missing")
        self.demands.gaps |= set(used)
        parts = tuple(Gap(Column(i), missing) for i in used)
        return parts[0] if len(parts) == 1 else Joined(not missing, parts)


__all__ = ["CONSTANTS", "TRUTHS", "Understood", "read", "understood"]
