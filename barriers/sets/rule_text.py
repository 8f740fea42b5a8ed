"""The text of a rule, parsed by Python's `ast`, with the place of everything in it.

`if a then b` is no Python: both words are replaced by as many characters, `then` by a comma, which binds as
weakly; so a tuple whose commas are these is an implication.
"""

import ast
import re
import warnings
from collections.abc import Sequence

from barriers.sets.backticks import unquoted
from barriers.sets.literals import blanked
from barriers.sets.rule_error import DIVIDE, RuleError

LENGTH = 2000
SLIPS = (
    (r"&&", "'&&'", "write 'and'"),
    (r"\|\|", "'||'", "write 'or'"),
    (r"!(?!=)", "'!'", "write 'not'"),
    (r"=[<>]", "'=<' or '=>'", "write '<=' or '>='"),
    (r"(?<![<>=!:])=(?!=)", "'='", "write ==, <, <=, > or >="),
    (r"[‘’“”]", "a curly quotation mark", "write a straight one, ' or \""),
    (r"\belse\b", "'else'", "write a second rule, or '(if a then b) and (if not a then c)'"),
)
"""Slips that Python calls a syntax error: a pattern, its name, the way out."""


class RuleText:
    """One text, as written and as parsed. quoted: the columns of names in backticks, by the letter that
    stands for each; spelled: these names.
    """

    def __init__(self, where: str, columns: Sequence[str]):
        if not isinstance(where, str):
            raise RuleError(f"text expected, got {where!r},", 0)
        if len(where) > LENGTH:
            raise RuleError(
                f"too long ({len(where)} characters), cut", LENGTH, f": at most {LENGTH}; {DIVIDE}"
            )
        self.written = re.sub(r"\s", " ", where)
        plain, self.quoted, self.spelled = unquoted(self.written, columns)
        self.text, self.ifs, self.thens = without_then(plain)
        self.shift = len(self.text) - len(self.text.lstrip())
        self.source = self.text.strip()
        if not self.source:
            raise RuleError("nothing", 0, ": write a comparison, such as x0 < 1")
        if "#" in (bare := blanked(self.text)):
            raise RuleError("'#'", bare.index("#"), " has no place in a rule: comments go beside it")

    def parsed(self) -> ast.expr:
        """The syntax tree."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.source, mode="eval").body
        except SyntaxError as error:
            raise self._syntax(error) from None
        except (RecursionError, MemoryError):
            raise RuleError("nested too deeply", self.shift, f": {DIVIDE}") from None
        except ValueError as error:
            raise RuleError("unreadable", self.shift, f": {error}") from None

    def implied(self, node: ast.Tuple) -> bool:
        """Whether a tuple is `if a then b`, or several of them, one within the other's end; then its words
        have been read.
        """
        at, ifs, thens = self.position(node), [], []
        for i, part in enumerate(node.elts):
            start = self.position(part)
            gap = range(at if i else self.before(at), start)
            ifs += [p for p in self.ifs if p in gap]
            thens += [p for p in self.thens if p in gap] if i else []
            at = self.position(part, end=True)
        many = len(node.elts) - 1
        if many < 1 or len(thens) != many or len(ifs) != many:
            return False
        self.ifs = [p for p in self.ifs if p not in ifs]
        self.thens = [p for p in self.thens if p not in thens]
        return True

    def must_be_read(self) -> None:
        """Raises RuleError where an `if` or a `then` stands alone, or within something else."""
        for word, places in (("then", self.thens), ("if", self.ifs)):
            if places:
                way = ": it is written 'if a then b', in parentheses where it is part of something else"
                raise RuleError(f"'{word}'", places[0], way)

    def before(self, at: int) -> int:
        """The first of the spaces and opening brackets before a place, and of an `if` among them."""
        text = self.text[:at]
        return len(text.rstrip(" ("))

    def position(self, node: ast.expr, *, end: bool = False) -> int:
        """The index of a part's first character in the text, or of the first one behind it."""
        offset = node.end_col_offset if end else node.col_offset
        return self.shift + len(self.source.encode()[:offset].decode())

    def between(self, a: ast.expr, b: ast.expr) -> int:
        """The first character of the operator between two operands."""
        start = self.position(a, end=True)
        gap = self.text[start : self.position(b)]
        return start + len(gap) - len(gap.lstrip(" )"))

    def excerpt(self, node: ast.expr) -> str:
        """A part as it is written, cut where it is long."""
        text = self.source.encode()[node.col_offset : node.end_col_offset].decode()
        start = self.position(node)
        last = self.spelled.get(text[-1:], " ")
        text = self.written[start : start + len(text) + len(last) - 1]
        return text if len(text) <= 40 else text[:37] + "..."

    def _syntax(self, error: SyntaxError) -> RuleError:
        """Python's syntax error in terms of the grammar, for the most common slips."""
        at = self.shift + max((error.offset or 1) - 1, 0)
        if len(self.ifs) != len(self.thens):
            self.must_be_read()
        for pattern, what, way_out in SLIPS:
            if found := re.search(pattern, blanked(self.source)):
                return RuleError(what, self.shift + found.start(), f" has no place in a rule: {way_out}")
        return RuleError(error.msg or "unreadable", min(at, len(self.text) - 1))


def without_then(text: str) -> tuple[str, list[int], list[int]]:
    """The text without the words of implications, and where these are."""
    bare = blanked(text)
    thens = [found.start() for found in re.finditer(r"\bthen\b", bare)]
    ifs = [found.start() for found in re.finditer(r"\bif\b", bare)] if thens else []
    plain = list(text)
    for at in ifs:
        plain[at : at + 2] = "  "
    for at in thens:
        plain[at : at + 4] = ",   "
    return "".join(plain), ifs, thens
