"""Clauses of linear inequalities as rules over named columns, under a tolerance.

An inequality is accepted up to the tolerance T: a > b becomes a > b - T, and so does a part of a disjunction;
the negation of a > b, which is a <= b, becomes a <= b + T. Negated parts beside others are what an
implication supposes: `neg a > 1 or b > 0` is `if a > 1 then b > 0`.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from barriers.sets.rule_text import LENGTH
from lem_safe.errors import BadInput, Fault
from lem_safe.rule_files.column_text import Columns
from lem_safe.rule_files.linear import Clause, Inequality, Sum, Term, clauses, place_of
from lem_safe.rule_files.rule_file import Names, Requirement, RuleFile, numeral

FORM = "PiShield"
NOT = {">=": "<", ">": "<=", "<=": ">", "<": ">="}
LONG, PIECE, TERMS = 1500, 1000, 60
"""From so many characters on sums of a rule are named; the characters and terms of what one name stands for.
"""


def linear_rules(text: str, file: str, columns: Columns, tolerance: Decimal) -> RuleFile:
    """The rules of a text in the format of `linear`; BadInput with a fault of every faulty line."""
    found = clauses(text, file)
    faults = [fault for clause in found for fault in _lacking(clause, file, columns)]
    if faults:
        raise BadInput(faults)
    derived: dict[str, str] = {}
    names, rules = Names([*(columns.names or ()), *(columns.texts or ())]), []
    for clause in found:
        name = names.new(f"line_{clause.line}")
        require = _Writer(columns, tolerance).clause(clause.parts)
        if len(require) > LONG:
            require = _Writer(columns, tolerance, _Parts(name, names, derived)).clause(clause.parts)
        if len(require) > LENGTH:
            what = f"has {len(require):,} characters as a rule, of at most {LENGTH:,}; split it"
            faults.append(Fault(what, file, clause.line))
        rules.append(Requirement(name, clause.line, clause.written.strip(), require))
    if faults:
        raise BadInput(faults)
    return RuleFile(FORM, tuple(rules), derived)


def _lacking(clause: Clause, file: str, columns: Columns) -> list[Fault]:
    """The columns of a clause that there are not."""
    used = [term.column for part in clause.parts for term in (*part.left, *part.right)]
    way = "give the table that the rules were written for, or its names with --columns"
    return [
        Fault(
            f"{reason}; {way}",
            file,
            clause.line,
            place_of(column, clause.written) + 1,
            source=clause.written,
        )
        for column in dict.fromkeys(used)
        if column is not None and (reason := columns.lacks(column))
    ]


class _Writer:
    """Writes inequalities over these columns, accepted up to a tolerance. parts: names for those of long
    sums; None where they are written out.
    """

    def __init__(self, columns: Columns, tolerance: Decimal, parts: "_Parts | None" = None):
        self.columns, self.tolerance, self.parts = columns, tolerance, parts

    def clause(self, parts: Sequence[Inequality]) -> str:
        """A rule that asks for one of the parts."""
        supposed = [self.compared(part, part.sign, -1) for part in parts if part.negated]
        others = [self.compared(part, part.sign) for part in parts if not part.negated]
        if supposed and others:
            return f"if {' and '.join(supposed)} then {' or '.join(others)}"
        if supposed:
            return " or ".join(self.compared(part, NOT[part.sign]) for part in parts)
        return others[0] if len(others) == 1 else " or ".join(map(_enclosed, others))

    def compared(self, part: Inequality, sign: str, way: int = 1) -> str:
        """left > right - tolerance; with `way` -1 left > right + tolerance."""
        left, slack = self.sum(part.left), way * self.tolerance
        if sign != "=":
            return f"{left} {sign} {self.right(part.right, -slack if sign[0] == '>' else slack)}"
        if not slack:
            return f"{left} >= {self.right(part.right, slack)} and {left} <= {self.right(part.right, slack)}"
        return f"{left} >= {self.right(part.right, -slack)} and {left} <= {self.right(part.right, slack)}"

    def right(self, terms: Sum, slack: Decimal) -> str:
        """The right side, moved by the tolerance: a number as one number."""
        if all(term.column is None for term in terms) and len(terms) == 1:
            return numeral(terms[0].coefficient + slack)
        return self.sum((*terms, Term(slack, None)) if slack else terms)

    def sum(self, terms: Sum) -> str:
        """Terms as written, from left to right."""
        texts = [self.term(term) for term in terms]
        return _joined(texts) if self.parts is None or len(texts) < 3 else self.parts.sum(texts)

    def term(self, term: Term) -> str:
        """A term with its sign in front."""
        sign, size = ("-" if term.coefficient < 0 else "+"), abs(term.coefficient)
        if term.column is None:
            return f"{sign} {numeral(size)}"
        name = self.columns.text(term.column)
        return f"{sign} {name}" if size == 1 else f"{sign} {numeral(size)}*{name}"


class _Parts:
    """Names for the parts of one rule's long sums. derived: all of a file's, to which they are added."""

    def __init__(self, rule: str, names: Names, derived: dict[str, str]):
        self.rule, self.names, self.derived = rule, names, derived
        self.known: dict[str, str] = {}

    def sum(self, texts: Sequence[str]) -> str:
        """The sum of terms with their signs, as one of names."""
        cuts, size = [0], 0
        for i, text in enumerate(texts):
            size += len(text) + 1
            if size > PIECE or i - cuts[-1] >= TERMS:
                cuts.append(i)
                size = len(text) + 1
        parts = [_joined(texts[a:b]) for a, b in pairwise([*cuts, len(texts)])]
        return " + ".join(map(self.name, parts))

    def name(self, part: str) -> str:
        """The name of a part; one that has a name already keeps it."""
        if part not in self.known:
            self.known[part] = self.names.new(f"{self.rule}_sum_{len(self.known) + 1}")
            self.derived[self.known[part]] = part
        return self.known[part]


def _joined(texts: Sequence[str]) -> str:
    """Terms with their signs as a sum, which begins without a plus."""
    first = texts[0][2:] if texts[0].startswith("+") else f"-{texts[0][2:]}"
    return " ".join([first, *texts[1:]])


def _enclosed(text: str) -> str:
    return f"({text})" if " and " in text else text
