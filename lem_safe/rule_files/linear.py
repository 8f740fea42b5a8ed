"""The format of PiShield, C-DGM and DRL: one rule a line, disjunctions of linear inequalities over y_0,
y_1, …

    ordering y_0 y_1 y_2                  the order in which a layer repairs columns; no rule
    y_0 - 3y_1 - 0.5y_2 >= 1              a linear inequality: >= or >; also < and <=, and = for both
    neg y_0 > 0 or y_1 - y_2 > 0          a disjunction; neg is the negation of one inequality
    y_0 or not y_1                        propositional: a column is true above 0.5, false below
    c0 0 :- 1 n2                          a Horn rule over column numbers: head :- body, n for not

Blank lines and what follows # are left out. `y_3` is the column at position 3, from 0.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from lem_safe.errors import BadInput, Fault

NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?=y_?\d|[^\w.]|$)"
COLUMN = r"y_?\d{1,9}\b"
TOKENS = re.compile(
    rf"\s*(?:(?P<number>{NUMBER})|(?P<column>{COLUMN})|(?P<word>or|neg|not|ordering)\b"
    r"|(?P<sign>>=|<=|==|>|<|=)|(?P<operator>[+*-]))"
)
SIGNS = (">=", ">", "<=", "<", "=")
HALF = Decimal("0.5")
GRAMMAR = "a rule is inequalities such as 'y_0 - 3y_1 >= 2.5', joined by 'or', each perhaps after 'neg'"


class Term(NamedTuple):
    """A number times a column, or with `column` None a number."""

    coefficient: Decimal
    column: int | None


Sum = tuple[Term, ...]


class Inequality(NamedTuple):
    """left > right, or its negation; sign: one of SIGNS."""

    left: Sum
    sign: str
    right: Sum
    negated: bool = False


class Clause(NamedTuple):
    """A rule: at least one of its inequalities holds. line: from 1. written: without a comment."""

    line: int
    written: str
    parts: tuple[Inequality, ...]


class Token(NamedTuple):
    """kind: of TOKENS, or `end`. at: its first character, from 0."""

    kind: str
    text: str
    at: int


class Unread(Exception):
    """A line that cannot be read: what is wrong at which character."""

    def __init__(self, at: int, message: str):
        super().__init__(message)
        self.at = at


def clauses(text: str, file: str) -> list[Clause]:
    """The rules of a text; BadInput with the first fault of every line that cannot be read.

    >>> [clause] = clauses("ordering y_0 y_1\\nneg y_0 > 1 or y_1 >= 0.5", "rules.txt")
    >>> clause.line, [(part.sign, part.negated) for part in clause.parts]
    (2, [('>', True), ('>=', False)])
    """
    found, faults = [], []
    order = _Order()
    for number, written in enumerate(text.splitlines(), 1):
        line = written.split("#", 1)[0].rstrip()
        try:
            if line.split()[:1] == ["ordering"]:
                order.add(line)
            elif line.strip():
                clause = Clause(number, line, tuple(_parts(line)))
                order.must_hold(clause, line)
                found.append(clause)
        except Unread as bad:
            faults.append(Fault(str(bad), file, number, bad.at + 1, source=written))
    if not found and not faults:
        faults = [Fault(f"holds no rule; {GRAMMAR}", file)]
    if faults:
        raise BadInput(faults)
    return found


class _Order:
    """The columns that an `ordering` names; empty where there is none."""

    def __init__(self) -> None:
        self.columns: set[int] = set()

    def add(self, line: str) -> None:
        """The columns of one line; Unread where a word is none, or stands there twice."""
        for word in list(re.finditer(r"\S+", line))[1:]:
            if not re.fullmatch(COLUMN, word[0]):
                raise Unread(word.start(), f"'{word[0]}' is no column: an ordering names y_0, y_1, ...")
            column = _index(word[0])
            if column in self.columns:
                raise Unread(word.start(), f"y_{column} is named twice; name each column once")
            self.columns.add(column)

    def must_hold(self, clause: Clause, line: str) -> None:
        """Refuses a column that is not in the ordering, which is most probably a slip."""
        used = [term.column for part in clause.parts for term in (*part.left, *part.right)]
        other = [column for column in used if column is not None and column not in self.columns]
        if self.columns and other:
            way = "correct it, or add it to the ordering"
            raise Unread(place_of(other[0], line), f"y_{other[0]} is not in the ordering; {way}")


def place_of(column: int, line: str) -> int:
    """The first character of a column's name in a line, from 0."""
    found = re.search(rf"y_?0*{column}\b", line)
    return found.start() if found else 0


def _parts(line: str) -> Iterator[Inequality]:
    """The inequalities of one rule."""
    if ":-" in line:
        return _horn(line)
    return _Reader(list(_tokens(line))).disjunction()


def _tokens(line: str) -> Iterator[Token]:
    at = 0
    while line[at:].strip():
        found = TOKENS.match(line, at)
        if found is None:
            at += len(line[at:]) - len(line[at:].lstrip())
            word = re.match(r"\w+|\S", line[at:])
            raise Unread(at, f"'{word[0] if word else line[at]}' has no place in a rule: {GRAMMAR}")
        kind = found.lastgroup or ""
        yield Token(kind, found[kind], found.start(kind))
        at = found.end()
    yield Token("end", "", len(line))


class _Reader:
    """Reads the tokens of one line."""

    def __init__(self, tokens: Sequence[Token]):
        self.tokens, self.next = tokens, 0

    @property
    def now(self) -> Token:
        """The token that is read next."""
        return self.tokens[self.next]

    def take(self) -> Token:
        """The same, which is then read."""
        self.next += 1
        return self.tokens[self.next - 1]

    def takes(self, *texts: str) -> bool:
        """Whether the next token is one of these; then it is read."""
        found = self.now.kind in ("word", "operator") and self.now.text in texts
        self.next += found
        return found

    def disjunction(self) -> Iterator[Inequality]:
        """literal or literal or …"""
        yield self.literal()
        while self.now.kind != "end":
            if not self.takes("or"):
                raise self.unexpected("'or' or the end of the line")
            yield self.literal()

    def literal(self) -> Inequality:
        """An inequality, its negation, or a column that is true or not."""
        start = self.now
        if self.takes("not"):
            return self.truth(False)
        negated = self.takes("neg")
        alone = self.now.kind == "column" and self.tokens[self.next + 1].text in ("or", "")
        if alone and not negated:
            return self.truth(True)
        left = self.sum()
        if self.now.kind != "sign":
            raise self.unexpected("one of >= > <= <")
        sign = self.take().text.replace("==", "=")
        right = self.sum()
        if self.now.kind == "sign":
            raise self.unexpected("one comparison; write each on a line of its own, not")
        if all(term.column is None for term in (*left, *right)):
            raise Unread(start.at, "compares numbers alone; name a column, as in y_0 >= 1")
        if negated and sign == "=":
            raise Unread(start.at, "'neg' of '=' has no tolerance; write a > b or a < b")
        return Inequality(left, sign, right, negated)

    def truth(self, true: bool) -> Inequality:
        """A column that is true, or false."""
        if self.now.kind != "column":
            raise self.unexpected("a column such as y_1, or 'neg' before an inequality")
        found = literal(_index(self.take().text), true)
        if self.now.kind in ("sign", "operator"):
            raise self.unexpected("'or'; the negation of an inequality is 'neg'")
        return found

    def sum(self) -> Sum:
        """term + term − …"""
        minus = self.takes("-")
        if not minus:
            self.takes("+")
        found = [self.term(minus)]
        while self.now.kind == "operator":
            minus = self.takes("-")
            if not minus and not self.takes("+"):
                raise self.unexpected("+ or -")
            found.append(self.term(minus))
        return tuple(found)

    def term(self, minus: bool) -> Term:
        """3, y_1, 3y_1 or 3*y_1."""
        coefficient, times = Decimal(1), False
        number = self.take() if self.now.kind == "number" else None
        if number is not None:
            coefficient, times = _number(number), self.takes("*")
        column = _index(self.take().text) if self.now.kind == "column" else None
        if column is None and (number is None or times):
            raise self.unexpected("a number or a column such as y_1")
        return Term(-coefficient if minus else coefficient, column)

    def unexpected(self, wanted: str) -> Unread:
        """That another token was expected."""
        got = f"'{self.now.text}'" if self.now.text else "the end of the line"
        return Unread(self.now.at, f"expected {wanted}; got {got}")


def literal(column: int, true: bool) -> Inequality:
    """A column that is true, above 0.5, or false, below."""
    return Inequality((Term(Decimal(1), column),), ">" if true else "<", (Term(HALF, None),))


def _horn(line: str) -> Iterator[Inequality]:
    """head :- body: the head, or the negation of one of the body."""
    words = list(re.finditer(r"\S+", line))
    at = next((i for i, word in enumerate(words) if word[0] == ":-"), 0)
    if at not in (1, 2):
        raise Unread(
            words[min(at, len(words) - 1)].start(), "a Horn rule is written 'head :- body', as in 0 :- 1 n2"
        )
    for i, word in enumerate(words[at - 1 :]):
        found = re.fullmatch(r"(n?)(\d{1,9})", word[0])
        if i == 1:
            continue
        if found is None:
            raise Unread(
                word.start(), f"'{word[0]}' is no literal: write a column's number, after n where it is false"
            )
        yield literal(int(found[2]), (i == 0) != bool(found[1]))


def _number(token: Token) -> Decimal:
    """A number that float64 holds; Unread elsewhere."""
    try:
        value = Decimal(token.text)
        fits = abs(value) < Decimal("1e308") and (value == 0 or abs(value) > Decimal("1e-300"))
    except InvalidOperation:
        fits = False
    if not fits:
        raise Unread(token.at, f"'{token.text}' is too large or too small; numbers are from 1e-300 to 1e308")
    return value


def _index(name: str) -> int:
    return int(name.removeprefix("y").removeprefix("_"))
