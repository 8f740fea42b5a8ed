"""The sides of comparisons: arithmetic over columns, numbers, dates and texts, of a parsed rule."""

import ast
import difflib
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from barriers.arrays import torch
from barriers.sets.cells import Cells
from barriers.sets.condition import Compared, weight
from barriers.sets.expression import FUNCTIONS, OPERATIONS, Column, Number, Operation, evaluate
from barriers.sets.identifiers import identifier, identifiers
from barriers.sets.rule_error import DIVIDE, PARTS, RuleError, too_much
from barriers.sets.rule_text import RuleText
from barriers.sets.typed import NOUNS, Typed, dated
from barriers.tables import alike
from barriers.tables.cell_kinds import CellKind

DEPTH = 250
CONSTANTS = {"pi": math.pi, "e": math.e}
TRUTHS = {"true": 1.0, "false": 0.0}
ALIASES = {"ln": "log", "fabs": "abs", "arctan": "atan", "power": "**", "pow": "**"}
BINARY: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.Mod: "%",
}
ARITHMETIC = "only + - * / ** % are known"
WAYS_OUT: dict[type[ast.AST], tuple[str, str]] = {
    ast.BitAnd: ("'&'", "write 'and'"),
    ast.BitOr: ("'|'", "write 'or'"),
    ast.BitXor: ("'^'", "a power is written '**'"),
    ast.Invert: ("'~'", "write 'not'"),
    ast.FloorDiv: ("'//'", ARITHMETIC),
    ast.MatMult: ("'@'", ARITHMETIC),
    ast.LShift: ("'<<'", ARITHMETIC),
    ast.RShift: ("'>>'", ARITHMETIC),
}
FOR_FILES = (
    "text, dates and missing cells are for lem-safe audit and thin; the columns of a sampler are numbers"
)


class Sides:
    """Reads the sides of one text. within: the derived names whose expressions this text is part of. known:
    what derived names have been found to be.
    """

    def __init__(
        self,
        text: RuleText,
        columns: Sequence[str],
        cells: Cells,
        within: tuple[str, ...] = (),
        known: dict[str, Typed] | None = None,
    ):
        self.text, self.columns, self.cells, self.within = text, columns, cells, within
        self.names, self.known = identifiers(columns), {} if known is None else known

    def side(self, node: ast.expr, depth: int) -> Typed:
        """What a part of the text says, which must be no condition."""
        self.deep(node, depth)
        match node:
            case ast.Constant(value):
                return self._constant(node, value)
            case ast.Name(name):
                return self._name(node, name)
            case ast.UnaryOp(ast.USub(), operand):
                return self._applied(node, "neg", [self.side(operand, depth + 1)])
            case ast.UnaryOp(ast.UAdd(), operand):
                return self.side(operand, depth + 1)
            case ast.BinOp(left, op, right) if type(op) in BINARY:
                return self._applied(node, BINARY[type(op)], [self.side(s, depth + 1) for s in (left, right)])
            case ast.BinOp(_, op, _) | ast.UnaryOp(op, _) if type(op) in WAYS_OUT:
                self.refuse_operator(node, op)
            case ast.Call(ast.Name() as function, arguments, []):
                return self._call(node, function, arguments, depth)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                raise self.error(node, " is a condition, not a number: join them by and, or")
        raise self.strange(node)

    def error(self, node: ast.expr, why: str) -> RuleError:
        """What is wrong with a part of the text."""
        return RuleError(f"'{self.text.excerpt(node)}'", self.text.position(node), why)

    def deep(self, node: ast.expr, depth: int) -> None:
        """Raises RuleError where parts are within parts too often."""
        if depth > DEPTH:
            raise RuleError("nested too deeply", self.text.position(node), f": {DIVIDE}")

    def refuse_operator(self, node: ast.expr, op: ast.AST) -> NoReturn:
        """Raises RuleError at an operator that no rule has."""
        what, way_out = WAYS_OUT[type(op)]
        at = self.text.position(node)
        if isinstance(node, ast.BinOp):
            at = self.text.between(node.left, node.right)
        raise RuleError(what, at, f" has no place in a rule: {way_out}")

    def strange(self, node: ast.expr) -> RuleError:
        """That a part of Python has no place in a rule."""
        if isinstance(node, ast.Tuple):
            self.text.must_be_read()
        kinds: dict[type[ast.AST], str] = {
            ast.Attribute: "an attribute",
            ast.Subscript: "an index",
            ast.Call: "such a call",
            ast.IfExp: "if/else",
            ast.Lambda: "a function definition",
            ast.NamedExpr: "an assignment",
            ast.JoinedStr: "such a text",
            ast.Tuple: "a list, except behind 'in',",
            ast.List: "a list, except behind 'in',",
            ast.Set: "a list, except behind 'in',",
        }
        return self.error(node, f": {kinds.get(type(node), 'this')} has no place in a rule")

    def _constant(self, node: ast.expr, value: Any) -> Typed:
        if isinstance(value, str | bool) and self.cells.stage == "measured":
            raise self.error(node, f" is not a number: {FOR_FILES}")
        if isinstance(value, str):
            return Typed(Number(0.0), "text", value)
        if isinstance(value, bool):
            return Typed(Number(float(value)), "boolean")
        if not isinstance(value, int | float):
            raise self.error(node, " is not a number")
        number = float(value) if abs(value) < 1e308 else math.inf
        if not math.isfinite(number):
            raise self.error(node, " is too large: every number must be finite")
        return Typed(Number(number))

    def _name(self, node: ast.expr, name: str) -> Typed:
        column = self.text.quoted.get(name, self.names.get(name))
        if name in self.cells.derived:
            return self._derived(node, name)
        if column is not None:
            kind = self.cells.kinds.get(self.columns[column])
            undecided = kind is None and self.cells.stage == "open"
            return Typed(Column(column), kind or "number", undecided=undecided)
        if name in CONSTANTS:
            return Typed(Number(CONSTANTS[name]))
        if name.lower() in TRUTHS and self.cells.stage != "measured":
            return Typed(Number(TRUTHS[name.lower()]), "boolean")
        if name in FUNCTIONS:
            raise RuleError(f"'{name}'", self.text.position(node), f" is a function: write {name}(...)")
        raise self._unknown(node, name)

    def _unknown(self, node: ast.expr, name: str) -> RuleError:
        at, known = self.text.position(node), [*self.names, *self.cells.derived]
        shared = [c for c in self.columns if identifier(c) == name]
        if shared:
            return RuleError(f"'{name}'", at, f" could be any of {', '.join(map(repr, shared))}: rename them")
        same = alike(name, known)
        more = f"; did you mean '{known[same]}'?" if same is not None else _guess(name, known)
        return RuleError(f"unknown column '{name}'", at, f"{more} (columns: {_listed(known)})")

    def _derived(self, node: ast.expr, name: str) -> Typed:
        """The expression that a name stands for."""
        at = self.text.position(node)
        if name in self.within:
            made_of = " -> ".join([*self.within[self.within.index(name) :], name])
            raise RuleError(f"'{name}'", at, f" is derived from itself: {made_of}")
        if name in self.known:
            return self.known[name]
        try:
            text = RuleText(self.cells.derived[name], self.columns)
            inner = Sides(text, self.columns, self.cells, (*self.within, name), self.known)
            found = inner.side(text.parsed(), 0)
        except RuleError as bad:
            if bad.why.startswith(" is derived") or bad.why.endswith(DIVIDE):
                raise RuleError(bad.what, at, bad.why) from None
            why = f" is derived as '{self.cells.derived[name]}', where {bad.what}{bad.why}"
            raise RuleError(f"'{name}'", at, why) from None
        text.must_be_read()
        if (many := weight(Compared(found.expression, Number(0.0), True))) > PARTS:
            raise too_much(many, PARTS, at)
        self.known[name] = found
        return found

    def _call(self, node: ast.expr, function: ast.Name, arguments: list[ast.expr], depth: int) -> Typed:
        name, at = self.text.spelled.get(function.id, function.id), self.text.position(node)
        if name not in FUNCTIONS:
            more = f"{_guess(name, list(FUNCTIONS))} (functions: {', '.join(FUNCTIONS)})"
            raise RuleError(f"unknown function '{name}'", at, more)
        rule = FUNCTIONS[name]
        if len(arguments) < rule.least or (rule.most is not None and len(arguments) > rule.most):
            wants = "one argument" if rule.most == 1 else "two arguments or more"
            raise RuleError(f"'{name}'", at, f" takes {wants}; got {len(arguments)}")
        return self._applied(node, name, [self.side(a, depth + 1) for a in arguments])

    def _applied(self, node: ast.expr, name: str, sides: list[Typed]) -> Typed:
        """An operation on sides: on numbers, or on dates where it means something for these."""
        undecided = any(side.undecided for side in sides)
        kind: CellKind = "number"
        operation = Operation(name, tuple(side.expression for side in sides))
        if any(side.kind != "number" for side in sides):
            dates = [date for side in sides if (date := side.as_date()) is not None]
            made = dated(name, sides[0], sides[1]) if name in ("+", "-") else None
            if name in ("min", "max") and len(dates) == len(sides):
                made = Typed(Operation(name, tuple(date.expression for date in dates)), "date")
            if made is None and not undecided:
                raise self._no_arithmetic(node, name, sides)
            if made is not None and isinstance(made.expression, Operation):
                operation, kind = made.expression, made.kind
        return Typed(self._folded(node, operation), kind, undecided=undecided)

    def _no_arithmetic(self, node: ast.expr, name: str, sides: list[Typed]) -> RuleError:
        other = next(side for side in sides if side.kind != "number")
        what = NOUNS[other.kind] if other.literal is None else f"'{other.literal}', which is no date"
        why = f": '{'-' if name == 'neg' else name}' is for numbers, and one side is {what}"
        dates = "; of dates there are date - date, in days, and date + days" if other.kind == "date" else ""
        return self.error(node, why + dates)

    def _folded(self, node: ast.expr, operation: Operation) -> Operation | Number:
        """A constant part replaced by its value, which must exist."""
        if not all(isinstance(a, Number) for a in operation.arguments):
            return operation
        value = evaluate(operation, torch.zeros(1, dtype=torch.float64))
        if not value.defined:
            raise self.error(node, " has no finite value")
        return Number(float(value.number))


def _guess(name: str, known: list[str]) -> str:
    close = [ALIASES[name]] if name in ALIASES else difflib.get_close_matches(name, known, 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "")


assert set(BINARY.values()) <= set(OPERATIONS)
