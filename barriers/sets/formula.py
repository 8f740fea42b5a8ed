"""The value of a formula over columns at each row: a number, a date, or a condition as a truth value.

NaN stands for a missing cell, of a column that is read and of the value: a formula has no value where a cell
that it needs is missing, or where its arithmetic has none (the root of a negative number, a division by 0).
"""

import ast
from collections.abc import Sequence

from jaxtyping import Float64

from barriers.arrays import Tensor, torch
from barriers.sets.cells import Cells
from barriers.sets.condition import columns_in
from barriers.sets.expression import Column, Expression, Number, Operation, evaluate, renumbered
from barriers.sets.rule import Rule
from barriers.sets.rule_error import RuleError
from barriers.sets.rule_text import RuleText
from barriers.sets.sides import Sides
from barriers.tables.cell_kinds import CellKind

TOTAL = ("+", "-", "*", "neg", "abs", "min", "max", "sin", "cos", "tan", "atan", "tanh", "days", "later")
"""Operations that have a value wherever their arguments have one, overflow apart."""


class Formula:
    """One formula over `columns`, of whose cells `cells` says what they are; raises RuleError.

    kind: what its values are. used: the places of the columns that it reads. whole: those among them that it
    compares by ==, which must hold whole numbers. divisors: those of which none may be 0, so that it has a
    value wherever no cell is missing; None where it may have none for other reasons.
    """

    def __init__(self, text: str, columns: Sequence[str], cells: Cells):
        self.text = text
        read = RuleText(text, columns)
        self._conditions: tuple[Rule, Rule] | None = None
        self._expression: Expression = Number(0.0)
        if is_condition(read.parsed()):
            told = Rule(where=text, columns=columns, cells=cells)
            self._conditions = told, Rule(require=text, columns=columns, cells=cells)
            self.kind: CellKind = "boolean"
            self.used = [list(columns).index(name) for name in told.columns_used]
            self.whole = sorted(told.demands.whole)
            self.divisors: list[int] | None = []
        else:
            side = Sides(read, columns, cells).side(read.parsed(), 0)
            read.must_be_read()
            self._expression, self.kind = side.expression, side.kind
            self.used, self.whole = list(dict.fromkeys(columns_in(side.expression))), []
            self.divisors = _divisors(side.expression)
            if side.kind == "text":
                raise RuleError(
                    f"'{text}'", 0, " is text: what is computed is a number, a date or a condition"
                )

    def values(self, columns: Sequence[Float64[Tensor, "*n"]]) -> Float64[Tensor, "*n"]:
        """The value at each row of these columns, NaN where there is none; differentiable where it is
        arithmetic.
        """
        if self._conditions is not None:
            rows = torch.stack([column.detach() for column in columns], -1)
            there, opposite = (rule.contains(rows) for rule in self._conditions)
            # A rule and its negation both hold a row in which they have no value.
            return torch.where(there & opposite, torch.nan, there.double())
        like = columns[0]
        used = torch.stack([columns[i] for i in self.used], -1) if self.used else like[..., None]
        found = evaluate(renumbered(self._expression, self.used), used)
        number, defined = (part.expand(like.shape) for part in found)
        return torch.where(defined, number, torch.nan)


def is_condition(node: ast.expr) -> bool:
    """Whether a parsed text is a condition, and no arithmetic."""
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return negated or isinstance(node, ast.Compare | ast.BoolOp | ast.Tuple)


def _divisors(expression: Expression) -> list[int] | None:
    """The columns by which an expression divides, wherever it has a value unless one of them is 0; None where
    it may have none for other reasons.
    """
    match expression:
        case Operation("**", (base, Number(power))) if power == int(power) and power >= 0:
            return _divisors(base)
        case Operation("/" | "%", (part, Number(value))) if value != 0:
            return _divisors(part)
        case Operation("/" | "%", (part, Column(index))):
            inner = _divisors(part)
            return None if inner is None else [*inner, index]
        case Operation(name, arguments):
            found = [_divisors(a) for a in arguments]
            if name not in TOTAL or None in found:
                return None
            return [i for inner in found for i in inner or ()]
    return []
