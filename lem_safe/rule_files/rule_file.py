"""What a file of rules says: what must hold for each row, in the text of rules, and what it says beside."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from barriers.tables import identifier
from lem_safe.errors import Fault

EXACT = Decimal(0)
"""No tolerance: a rule holds as it is written."""


class Requirement(NamedTuple):
    """One thing that must hold. name: of its region. line: where it stands in the file, from 1. written: as
    the file says it. require: the text of the rule, over the names of columns.
    """

    name: str
    line: int
    written: str
    require: str


class RuleFile(NamedTuple):
    """The rules of a file, under one tolerance.

    form: the format. derived: names for parts of long rules. unmapped: what the file says that is no rule
    about a row, with its place and the reason.
    """

    form: str
    rules: tuple[Requirement, ...]
    derived: Mapping[str, str] = {}
    unmapped: tuple[Fault, ...] = ()


def numeral(value: Decimal) -> str:
    """A number as rules write it.

    >>> numeral(Decimal("0.50")), numeral(Decimal("-3")), numeral(Decimal("1e-30"))
    ('0.50', '-3', '1E-30')
    """
    plain = format(value, "f")
    return plain if len(plain) <= 25 else str(value)


class Names:
    """Names of regions, each used once.

    >>> names = Names(["any_rule"])
    >>> names.new("age minimum"), names.new("age_minimum"), names.new("any_rule")
    ('age_minimum', 'age_minimum_2', 'any_rule_2')
    """

    def __init__(self, taken: Iterable[str] = ()):
        self.taken = set(taken)

    def new(self, wanted: str) -> str:
        """The name itself, as an identifier, or with a number behind it."""
        word = identifier(wanted) or "rule"
        found = next(
            name for i in range(1, len(self.taken) + 2) if (name := _numbered(word, i)) not in self.taken
        )
        self.taken.add(found)
        return found


def _numbered(word: str, i: int) -> str:
    return word if i == 1 else f"{word}_{i}"
