"""What columns are by the rules that name them, and by what a file says where the rules leave it open.

| a column is | where |
| --- | --- |
| text | it is compared with a text in quotes that is no date |
| a truth value | it is compared with true or false |
| a date | the file says so; or it is compared by <, <=, >, >= or in arithmetic with a text that is a date |
| a number | it is compared with a number, or a region other than a rule is over it |
| what another column is | it is compared with that one |
| what its first cells are | nothing of this decides |
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from barriers.sets.identifiers import identifiers
from barriers.sets.rule_error import RuleError
from barriers.sets.rule_text import RuleText
from barriers.sets.sides import TRUTHS
from barriers.tables.cell_kinds import CellKind, Holding, ticks_of

ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
TEXTS = ("where", "require")
"""The keys of a rule that hold its text."""


class Usage:
    """How rules use columns: signs of what each is, and which are compared with which."""

    def __init__(self, columns: Sequence[str], derived: Mapping[str, str]):
        self.columns, self.derived = columns, derived
        self.names = identifiers(columns)
        self.signs: dict[int, set[str]] = {}
        self.linked: list[tuple[int, int]] = []

    def add(self, text: str) -> None:
        """Takes in one rule; nothing of one that cannot be read."""
        try:
            parsed = RuleText(text, self.columns)
            tree = parsed.parsed()
        except RuleError:
            return
        for node in ast.walk(tree):
            match node:
                case ast.Compare(left, ops, comparators):
                    for op, (a, b) in zip(ops, pairwise([left, *comparators]), strict=True):
                        self._compared(parsed, a, op, b)
                case ast.BinOp(left, ast.Add() | ast.Sub(), right):
                    for side, other in ((left, right), (right, left)):
                        if _literal(other) == "date":
                            self._sign(parsed, side, "date")

    def sign(self, column: int, what: str) -> None:
        """Takes in one sign of what a column is."""
        self.signs.setdefault(column, set()).add(what)

    def kinds(self, holds: Callable[[int], Holding]) -> dict[str, CellKind]:
        """What the columns that rules use are, by name; those that nothing tells are left out."""
        held = {i: holds(i) for i in self.signs}
        told = {i: _told(signs, held[i]) for i, signs in self.signs.items()}
        cells = {i: None if told[i] else self._by_cells(i, held[i]) for i in self.signs}
        kinds = dict[int, CellKind | None]()
        for group in self._groups():
            known = [told[i] for i in group] + [cells[i] for i in group]
            shared = next((kind for kind in known if kind not in (None, "number")), None)
            kinds |= {i: told[i] or shared or ("number" if "number" in known else None) for i in group}
        return {self.columns[i]: kind for i, kind in kinds.items() if kind is not None}

    def _groups(self) -> list[set[int]]:
        """The columns that are compared with one another, directly or by way of others."""
        groups = [{i} for i in self.signs]
        for pair in self.linked:
            both = [group for group in groups if not group.isdisjoint(pair)]
            groups = [group for group in groups if group.isdisjoint(pair)] + [set().union(*both)]
        return groups

    def _by_cells(self, column: int, holding: Holding) -> CellKind | None:
        """What the cells of a column are, where its usage allows that."""
        signs = self.signs[column]
        if holding.kind == "text" and "ordered" in signs:
            return None
        return holding.kind

    def _compared(self, text: RuleText, a: ast.expr, op: ast.cmpop, b: ast.expr) -> None:
        if isinstance(op, ast.Is | ast.IsNot):
            self._sign(text, a, "asked")
            return
        if isinstance(op, ast.In | ast.NotIn):
            for item in getattr(b, "elts", []):
                self._compared(text, a, ast.Eq(), item)
            return
        one, other = self._column(text, a), self._column(text, b)
        if one is not None and other is not None:
            self.linked.append((one, other))
        for side, against in ((a, b), (b, a)):
            kind = _literal(against)
            if kind == "date" and not isinstance(op, ORDERED):
                kind = "same date"
            if kind is None or kind == "number" and self._column(text, side) is None:
                kind = "ordered" if isinstance(op, ORDERED) else "equal"
            self._sign(text, side, kind)

    def _sign(self, text: RuleText, side: ast.expr, what: str) -> None:
        """A sign of what a side is: of the column that it is, or of the columns that are added to make it."""
        column = self._column(text, side)
        if column is not None:
            self.sign(column, what)
            return
        for i in self._within(text, side):
            self.sign(i, "asked" if what == "asked" else "ordered")
        match side:
            case ast.BinOp(left, ast.Add() | ast.Sub(), right) if what == "date":
                for part, other in ((left, right), (right, left)):
                    if _literal(other) == "number":
                        self._sign(text, part, "date")

    def _column(self, text: RuleText, node: ast.expr) -> int | None:
        if not isinstance(node, ast.Name) or node.id in self.derived:
            return None
        return text.quoted.get(node.id, self.names.get(node.id))

    def _within(self, text: RuleText, side: ast.expr) -> list[int]:
        """The columns that a side is made of, each derived name looked into once."""
        found: dict[int, None] = {}
        left, looked = [(text, side)], set[str]()
        while left:
            text, part = left.pop()
            for node in ast.walk(part):
                column = self._column(text, node) if isinstance(node, ast.Name) else None
                if column is not None:
                    found[column] = None
                elif isinstance(node, ast.Name) and node.id in set(self.derived) - looked:
                    looked.add(node.id)
                    try:
                        inner = RuleText(self.derived[node.id], self.columns)
                        left.append((inner, inner.parsed()))
                    except RuleError:
                        continue
        return list(found)


def _told(signs: set[str], holding: Holding) -> CellKind | None:
    """What a column is by its type, or by what it is compared with; None where neither tells."""
    if holding.typed and holding.kind == "date":
        return "date"
    for kind in ("text", "boolean", "date", "number"):
        if kind in signs:
            return kind
    if "same date" in signs:
        return "date" if holding.kind in ("date", None) else "text"
    return None


def _literal(node: ast.expr) -> str | None:
    """What a constant is: a number, a text, a date in quotes, or a truth value."""
    match node:
        case ast.Constant(bool()):
            return "boolean"
        case ast.Constant(str() as text):
            return "text" if ticks_of(text) is None else "date"
        case ast.Constant(int() | float()) | ast.UnaryOp(_, ast.Constant(int() | float())):
            return "number"
        case ast.Name(name) if name.lower() in TRUTHS:
            return "boolean"
    return None


def rules_in(spec: Any) -> Iterator[Mapping[str, Any]]:
    """Every rule in a specification, however deep."""
    if isinstance(spec, Mapping) and spec.get("kind") == "rule":
        yield spec
    elif isinstance(spec, Mapping | list | tuple):
        for part in spec.values() if isinstance(spec, Mapping) else spec:
            yield from rules_in(part)


def usage_of(specs: Mapping[str, Any], columns: Sequence[str], derived: Mapping[str, str]) -> Usage:
    """How the rules of a scenario use columns."""
    usage = Usage(columns, derived)
    for rule in rules_in(dict(specs)):
        for key in TEXTS:
            if isinstance(rule.get(key), str):
                usage.add(rule[key])
    return usage
