"""A region written as a formula over column names: `mean_perimeter < 2*sqrt(pi*mean_area)`.

The text (see `grammar`) becomes comparisons over the few columns each one uses, joined by the algebra of
sets: so a pull normalises every comparison by its own first-order distance, and a drift filter softens every
kink. Where a rule has no value (the root of a negative number, say) the row is inside, also for `not` of the
rule: an undefined value does not pass (see `comparison`).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import Doc

from barriers.derivatives import Jet, Scalar
from barriers.sets.algebra import AllOf, AnyOf, complement
from barriers.sets.backticks import place_of
from barriers.sets.base import UnsafeSet
from barriers.sets.columns import Columns
from barriers.sets.comparison import Comparison
from barriers.sets.condition import Condition, Joined
from barriers.sets.expression import Column, Expression, Number, Operation
from barriers.sets.grammar import read
from barriers.sets.identifiers import identifiers
from barriers.sets.soft import soften
from barriers.specification import Context


class Rule(UnsafeSet):
    """Everything for which `where` is true.

    Raises RuleError, whose `offset` is the position of the faulty character.
    """

    exact = False
    example: ClassVar[dict[str, object]] = {
        "kind": "rule",
        "where": "x0**2 + x1 < 0.5 and not (x0 > 1 or x1 <= -sqrt(2 + x0))",
    }

    def __init__(
        self,
        where: Annotated[str, Doc("A comparison over column names, or several joined by and, or, not.")],
        columns: Annotated[Sequence[str], Context("columns")],
    ):
        super().__init__()
        condition = read(where, columns)
        self.where, self.columns_used = where, [list(columns)[i] for i in _indices(condition)]
        self.tree = _compile(condition, tuple(columns))
        self.smooth, self.dimension = self.tree.smooth, len(columns)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.tree(x)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.tree.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return self.tree.jet(x)


@complement.register
def _complement_of_rule(unsafe: Rule) -> UnsafeSet:
    return complement(unsafe.tree)


@soften.register
def _soft_rule(unsafe: Rule, width: Scalar) -> UnsafeSet:
    return soften(unsafe.tree, width)


def columns_used(spec: Any, columns: Sequence[str], named: Mapping[str, Any] | None = None) -> list[str]:
    """The columns that rules and `columns` regions of a specification name, in order. named: specifications
    of earlier regions.
    """
    found: list[str] = []
    match spec:
        case str() if named and spec in named:
            found = columns_used(named[spec], columns, named)
        case {"kind": "rule", "where": where}:
            found = Rule(where, columns).columns_used
        case {"kind": "columns", "columns": chosen}:
            found = [columns[place_of(c, columns) if isinstance(c, str) else c] for c in chosen]
        case Mapping():
            found = [name for value in spec.values() for name in columns_used(value, columns, named)]
        case list() | tuple():
            found = [name for value in spec for name in columns_used(value, columns, named)]
    return list(dict.fromkeys(found))


def _compile(condition: Condition, columns: tuple[str, ...]) -> UnsafeSet:
    if isinstance(condition, Joined):
        parts = [_compile(part, columns) for part in condition.parts]
        return AllOf(parts) if condition.every else AnyOf(parts)
    sides = (condition.left, condition.right, *condition.also)
    used = list(dict.fromkeys(i for side in sides for i in _columns(side)))
    left, right, *also = (_renumbered(side, used) for side in sides)
    return Columns(list(used), Comparison(left, right, condition.strict, len(used), tuple(also)), columns)


def _indices(condition: Condition) -> list[int]:
    if isinstance(condition, Joined):
        found = [i for part in condition.parts for i in _indices(part)]
    else:
        found = [i for side in (condition.left, condition.right) for i in _columns(side)]
    return list(dict.fromkeys(found))


def _columns(expression: Expression) -> list[int]:
    match expression:
        case Column(index):
            return [index]
        case Operation(_, arguments):
            return [i for a in arguments for i in _columns(a)]
        case _:
            return []


def _renumbered(expression: Expression, used: list[int]) -> Expression:
    match expression:
        case Column(index):
            return Column(used.index(index))
        case Operation(name, arguments):
            return Operation(name, tuple(_renumbered(a, used) for a in arguments))
        case Number():
            return expression


__all__ = ["Rule", "columns_used", "identifiers"]
