"""The grammar of rules: comparisons of arithmetic over column names, joined by `and`, `or`, `not`. Text in,
comparisons out.

Python's `ast` parses the text; it may contain only the forms below, and nothing is ever evaluated by Python:

condition   side < side   (also <= > >=, chained)   |   condition and condition   |   condition or condition
    |   not condition
side        number   column   `any column`   pi   e   side + - * / ** side   -side   function(side, ...)

Negation is pushed down to the comparisons, and |·|, max or min alone on one side is split
(`condition.split`).
"""

import ast
import difflib
import math
import re
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

import torch

from barriers.sets.backticks import unquoted
from barriers.sets.condition import Condition, Joined, cases, split, weight
from barriers.sets.expression import (
    FUNCTIONS,
    OPERATIONS,
    Column,
    Expression,
    Number,
    Operation,
    constant,
    evaluate,
)
from barriers.sets.identifiers import identifier, identifiers
from barriers.sets.rule_error import DIVIDE, RuleError, too_much
from barriers.tables import alike

LENGTH = 2000
DEPTH = 250
PARTS = 25_000
CONSTANTS = {"pi": math.pi, "e": math.e}
ALIASES = {"ln": "log", "fabs": "abs", "arctan": "atan", "power": "**", "pow": "**"}
BINARY: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
WAYS_OUT: dict[type[ast.AST], tuple[str, str]] = {
    ast.Eq: ("'=='", "measured numbers are never equal; write abs(a - b) < tolerance"),
    ast.NotEq: ("'!='", "measured numbers are never equal; write abs(a - b) > tolerance"),
    ast.BitAnd: ("'&'", "write 'and'"),
    ast.BitOr: ("'|'", "write 'or'"),
    ast.BitXor: ("'^'", "a power is written '**'"),
    ast.Invert: ("'~'", "write 'not'"),
    ast.Mod: ("'%'", "only + - * / ** are known"),
    ast.FloorDiv: ("'//'", "only + - * / ** are known"),
    ast.MatMult: ("'@'", "only + - * / ** are known"),
}


def read(where: str, columns: Sequence[str]) -> Condition:
    """The condition that `where` states about `columns`; raises RuleError where it is not one."""
    if not isinstance(where, str):
        raise RuleError(f"text expected, got {where!r},", 0)
    if len(where) > LENGTH:
        raise RuleError(f"too long ({len(where)} characters), cut", LENGTH, f": at most {LENGTH}; {DIVIDE}")
    condition = _Reader(where, columns).condition()
    if (many := weight(condition)) > PARTS:
        raise too_much(many, PARTS, 0)
    return condition


class _Reader:
    """The parsing of one text."""

    def __init__(self, where: str, columns: Sequence[str]):
        self.columns, self.names = columns, identifiers(columns)
        self.written = re.sub(r"\s", " ", where)
        self.text, self.quoted, self.spelled = unquoted(self.written, columns)
        self.shift = len(self.text) - len(self.text.lstrip())
        self.source = self.text.strip()
        if not self.source:
            raise RuleError("nothing", 0, ": write a comparison, such as x0 < 1")
        if "#" in self.source:
            raise RuleError("'#'", self.text.index("#"), " has no place in a rule: comments go beside it")

    def condition(self) -> Condition:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.source, mode="eval").body
            return self._condition(tree, False, 0)
        except RuleError:
            raise
        except SyntaxError as error:
            raise self._syntax(error) from None
        except (RecursionError, MemoryError):
            raise RuleError("nested too deeply", self.shift, f": {DIVIDE}") from None
        except ValueError as error:
            raise RuleError("unreadable", self.shift, f": {error}") from None

    def _condition(self, node: ast.expr, negated: bool, depth: int) -> Condition:
        self._depth(node, depth)
        match node:
            case ast.BoolOp(op, values):
                parts = tuple(self._condition(v, negated, depth + 1) for v in values)
                return Joined(isinstance(op, ast.And) != negated, parts)
            case ast.UnaryOp(ast.Not(), operand):
                return self._condition(operand, not negated, depth + 1)
            case ast.Compare(left, ops, comparators):
                sides = [left, *comparators]
                parts = tuple(
                    self._compared(a, op, b, negated, depth)
                    for op, (a, b) in zip(ops, pairwise(sides), strict=True)
                )
                return parts[0] if len(parts) == 1 else Joined(not negated, parts)
            case ast.BinOp(_, op, _) | ast.UnaryOp(op, _) if type(op) in WAYS_OUT:
                self._refuse_operator(node, op)
            case ast.Name() | ast.Constant() | ast.BinOp() | ast.UnaryOp():
                self._side(node, depth)
            case ast.Call():
                self._side(node, depth)
            case _:
                raise self._strange(node)
        raise RuleError(
            f"'{self._excerpt(node)}'",
            self._position(node),
            " compares nothing: a rule needs <, <=, > or >= there",
        )

    def _compared(self, a: ast.expr, op: ast.cmpop, b: ast.expr, negated: bool, depth: int) -> Condition:
        if not isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            what, way_out = WAYS_OUT.get(type(op), ("'is' or 'in'", "only < <= > >= compare"))
            raise RuleError(what, self._between(a, b), f" has no place in a rule: {way_out}")
        left, right = self._side(a, depth + 1), self._side(b, depth + 1)
        if constant(left) and constant(right):
            raise RuleError(
                f"'{self._excerpt(a)}'",
                self._position(a),
                f" and '{self._excerpt(b)}' hold no column to compare",
            )
        if isinstance(op, ast.Gt | ast.GtE):
            left, right = right, left
        if (many := cases(left) * cases(right)) > PARTS:
            raise too_much(many, PARTS, self._position(a))
        strict = isinstance(op, ast.Lt | ast.Gt)
        return split(right, left, not strict, ()) if negated else split(left, right, strict, ())

    def _side(self, node: ast.expr, depth: int) -> Expression:
        self._depth(node, depth)
        match node:
            case ast.Constant(value):
                return self._number(node, value)
            case ast.Name(name):
                return self._name(node, name)
            case ast.UnaryOp(ast.USub(), operand):
                return self._folded(node, Operation("neg", (self._side(operand, depth + 1),)))
            case ast.UnaryOp(ast.UAdd(), operand):
                return self._side(operand, depth + 1)
            case ast.BinOp(left, op, right) if type(op) in BINARY:
                arguments = (self._side(left, depth + 1), self._side(right, depth + 1))
                return self._folded(node, Operation(BINARY[type(op)], arguments))
            case ast.BinOp(_, op, _) | ast.UnaryOp(op, _) if type(op) in WAYS_OUT:
                self._refuse_operator(node, op)
            case ast.Call(ast.Name() as function, arguments, []):
                return self._call(node, function, arguments, depth)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                raise RuleError(
                    f"'{self._excerpt(node)}'",
                    self._position(node),
                    " is a condition, not a number: join them by and, or",
                )
        raise self._strange(node)

    def _number(self, node: ast.expr, value: Any) -> Number:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RuleError(f"'{self._excerpt(node)}'", self._position(node), " is not a number")
        number = float(value) if abs(value) < 1e308 else math.inf
        if not math.isfinite(number):
            raise RuleError(
                f"'{self._excerpt(node)}'", self._position(node), " is too large: every number must be finite"
            )
        return Number(number)

    def _name(self, node: ast.expr, name: str) -> Expression:
        if name in self.quoted:
            return Column(self.quoted[name])
        if name in self.names:
            return Column(self.names[name])
        if name in CONSTANTS:
            return Number(CONSTANTS[name])
        if name in FUNCTIONS:
            raise RuleError(f"'{name}'", self._position(node), f" is a function: write {name}(...)")
        shared = [c for c in self.columns if identifier(c) == name]
        if shared:
            raise RuleError(
                f"'{name}'",
                self._position(node),
                f" could be any of {', '.join(map(repr, shared))}: rename them",
            )
        same = alike(name, list(self.names))
        more = (
            f"; did you mean '{list(self.names)[same]}'?"
            if same is not None
            else _guess(name, list(self.names))
        )
        raise RuleError(
            f"unknown column '{name}'", self._position(node), f"{more} (columns: {_listed(list(self.names))})"
        )

    def _call(self, node: ast.expr, function: ast.Name, arguments: list[ast.expr], depth: int) -> Expression:
        name = self.spelled.get(function.id, function.id)
        if name not in FUNCTIONS:
            more = _guess(name, list(FUNCTIONS))
            raise RuleError(
                f"unknown function '{name}'",
                self._position(node),
                f"{more} (functions: {', '.join(FUNCTIONS)})",
            )
        rule = FUNCTIONS[name]
        if len(arguments) < rule.least or (rule.most is not None and len(arguments) > rule.most):
            wants = "one argument" if rule.most == 1 else "two arguments or more"
            raise RuleError(f"'{name}'", self._position(node), f" takes {wants}; got {len(arguments)}")
        return self._folded(node, Operation(name, tuple(self._side(a, depth + 1) for a in arguments)))

    def _folded(self, node: ast.expr, operation: Operation) -> Expression:
        """A constant part replaced by its value, which must exist."""
        if not all(isinstance(a, Number) for a in operation.arguments):
            return operation
        value = evaluate(operation, torch.zeros(1, dtype=torch.float64))
        if not value.defined:
            raise RuleError(f"'{self._excerpt(node)}'", self._position(node), " has no finite value")
        return Number(float(value.number))

    def _refuse_operator(self, node: ast.expr, op: ast.AST) -> NoReturn:
        what, way_out = WAYS_OUT[type(op)]
        at = self._between(node.left, node.right) if isinstance(node, ast.BinOp) else self._position(node)
        raise RuleError(what, at, f" has no place in a rule: {way_out}")

    def _strange(self, node: ast.expr) -> RuleError:
        kinds: dict[type[ast.AST], str] = {
            ast.Attribute: "an attribute",
            ast.Subscript: "an index",
            ast.Call: "such a call",
            ast.IfExp: "if/else",
            ast.Lambda: "a function definition",
            ast.NamedExpr: "an assignment",
            ast.JoinedStr: "text",
        }
        what = kinds.get(type(node), "this")
        return RuleError(f"'{self._excerpt(node)}'", self._position(node), f": {what} has no place in a rule")

    def _syntax(self, error: SyntaxError) -> RuleError:
        """Python's syntax error in terms of the grammar, for the most common slips."""
        at = self.shift + max((error.offset or 1) - 1, 0)
        slips = [
            (r"&&", "'&&'", "write 'and'"),
            (r"\|\|", "'||'", "write 'or'"),
            (r"!(?!=)", "'!'", "write 'not'"),
            (r"=[<>]", "'=<' or '=>'", "write '<=' or '>='"),
            (r"(?<![<>=!:])=(?!=)", "'='", "write <, <=, > or >="),
        ]
        for pattern, what, way_out in slips:
            if found := re.search(pattern, self.source):
                return RuleError(what, self.shift + found.start(), f" has no place in a rule: {way_out}")
        return RuleError(error.msg or "unreadable", min(at, len(self.text) - 1))

    def _depth(self, node: ast.expr, depth: int) -> None:
        if depth > DEPTH:
            raise RuleError("nested too deeply", self._position(node), f": {DIVIDE}")

    def _position(self, node: ast.expr) -> int:
        return self.shift + len(self.source.encode()[: node.col_offset].decode())

    def _between(self, a: ast.expr, b: ast.expr) -> int:
        """The first character of the operator between two operands."""
        start = self.shift + len(self.source.encode()[: a.end_col_offset].decode())
        gap = self.text[start : self._position(b)]
        return start + len(gap) - len(gap.lstrip(" )"))

    def _excerpt(self, node: ast.expr) -> str:
        text = self.source.encode()[node.col_offset : node.end_col_offset].decode()
        start = self._position(node)
        last = self.spelled.get(text[-1:], " ")
        text = self.written[start : start + len(text) + len(last) - 1]
        return text if len(text) <= 40 else text[:37] + "..."


def _guess(name: str, known: list[str]) -> str:
    close = [ALIASES[name]] if name in ALIASES else difflib.get_close_matches(name, known, 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "")


assert set(BINARY.values()) <= set(OPERATIONS)
