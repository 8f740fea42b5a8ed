"""A region written as a formula over column names: `mean_perimeter < 2*sqrt(pi*mean_area)`.

The text (see `grammar`) becomes comparisons over the few columns each one uses, joined by the algebra of
sets: so a pull normalises every comparison by its own first-order distance, and a drift filter softens every
kink. Where a rule has no value (the root of a negative number, say) the row is inside, also for `not` of the
rule: an undefined value does not pass (see `comparison`).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor
from barriers.derivatives import Jet, Scalar
from barriers.sets.algebra import AllOf, AnyOf, complement
from barriers.sets.backticks import place_of
from barriers.sets.base import UnsafeSet
from barriers.sets.cells import MEASURED, Cells
from barriers.sets.columns import Columns
from barriers.sets.comparison import Comparison
from barriers.sets.condition import Condition, Gap, Joined, OneOf, columns_in
from barriers.sets.expression import of_dates, renumbered
from barriers.sets.flat import Absent, Among, Stepped
from barriers.sets.grammar import understood
from barriers.sets.identifiers import identifiers
from barriers.sets.rule_error import RuleError
from barriers.sets.soft import soften
from barriers.specification import Context


class Rule(UnsafeSet):
    """Everything for which `where` is true; or, with `require`, everything for which that is not.

    Raises RuleError, whose `offset` is the position of the faulty character and whose `key` is where its text
    stands.
    """

    exact = False
    example: ClassVar[dict[str, object]] = {
        "kind": "rule",
        "where": "x0**2 + x1 < 0.5 and not (x0 > 1 or x1 <= -sqrt(2 + x0))",
    }

    def __init__(
        self,
        where: Annotated[
            str | None, Doc("What must not hold: comparisons of columns, joined by and, or, not.")
        ] = None,
        columns: Annotated[Sequence[str], Context("columns")] = (),
        require: Annotated[
            str | None, Doc("In place of where: what must hold, so all else is unsafe.")
        ] = None,
        tolerance: Annotated[
            float | None, Gt(0), Doc("Up to which difference ==, != and in take two numbers for equal.")
        ] = None,
        cells: Annotated[Cells, Context("cells")] = MEASURED,
    ):
        super().__init__()
        if (where is None) == (require is None):
            given = "both" if where is not None else "neither"
            raise ValueError(f"Rule: needs where, what must not hold, or require, what must; got {given}")
        self.key = "where" if where is not None else "require"
        self.text = where if where is not None else str(require)
        try:
            found = understood(self.text, columns, cells, tolerance=tolerance, negated=where is None)
        except RuleError as bad:
            bad.key = self.key
            raise
        condition, self.demands = found
        self.columns_used = [list(columns)[i] for i in _indices(condition)]
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
        case {"kind": "rule"}:
            given = {key: value for key, value in spec.items() if key != "kind"}
            found = Rule(**given, columns=columns, cells=Cells(stage="open")).columns_used
        case {"kind": "columns", "columns": chosen}:
            found = [columns[place_of(c, columns) if isinstance(c, str) else c] for c in chosen]
        case Mapping():
            found = [name for value in spec.values() for name in columns_used(value, columns, named)]
        case list() | tuple():
            found = [name for value in spec for name in columns_used(value, columns, named)]
    return list(dict.fromkeys(found))


def _compile(condition: Condition, columns: tuple[str, ...]) -> UnsafeSet:
    match condition:
        case Joined(every, parts):
            sets = [_compile(part, columns) for part in parts]
            return AllOf(sets) if every else AnyOf(sets)
        case OneOf(column, codes, inside):
            return Columns([column.index], Among(codes, inside), columns)
        case Gap(column, inside):
            return Columns([column.index], Absent(inside), columns)
    sides = (condition.left, condition.right, *condition.also)
    used = list(dict.fromkeys(i for side in sides for i in columns_in(side)))
    left, right, *also = (renumbered(side, used) for side in sides)
    compared = Comparison(left, right, condition.strict, len(used), tuple(also))
    flat = condition.flat or any(map(of_dates, sides))
    return Columns(list(used), Stepped(compared) if flat else compared, columns)


def _indices(condition: Condition) -> list[int]:
    match condition:
        case Joined(_, parts):
            found = [i for part in parts for i in _indices(part)]
        case OneOf(column, _, _) | Gap(column, _):
            found = [column.index]
        case _:
            found = [i for side in (condition.left, condition.right) for i in columns_in(side)]
    return list(dict.fromkeys(found))


__all__ = ["Rule", "columns_used", "identifiers"]
