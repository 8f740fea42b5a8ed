"""Names in backticks: `fixed acidity` in a rule is the column of that name, whatever characters it holds.

Each is replaced by one letter that the rule does not have, and spaces, so that all positions stay what they
were.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from barriers.sets.identifiers import identifier
from barriers.sets.literals import STRING, blanked
from barriers.sets.rule_error import RuleError
from barriers.tables import identifier as of_file
from barriers.tables import unquoted as bare

_QUOTED = re.compile(rf"`([^`]*)`|{STRING}")
_LETTERS = range(0x4E00, 0x9FFF)


class Unquoted(NamedTuple):
    """A rule without backticks, as long as it was; the column that each letter stands for, and its name as
    written.
    """

    text: str
    columns: dict[str, int]
    names: dict[str, str]


def unquoted(text: str, columns: Sequence[str]) -> Unquoted:
    """The rule with every name in backticks as a letter; raises RuleError."""
    plain, found = lettered(text, columns)
    if "`" in blanked(plain):
        raise RuleError(
            "'`'", blanked(plain).rindex("`"), " is never closed: a name stands between two backticks"
        )
    places = {letter: place_of(match[0], columns, match.start()) for letter, match in found.items()}
    return Unquoted(plain, places, {letter: match[0] for letter, match in found.items()})


def lettered(text: str, taken: Sequence[str] = ()) -> tuple[str, dict[str, re.Match[str]]]:
    """The text with every name in backticks as a letter that is neither in the text nor `taken`, padded with
    spaces to the same length; and what each letter stands for.
    """
    letters = (chr(code) for code in _LETTERS if chr(code) not in text and chr(code) not in taken)
    names = (match for match in _QUOTED.finditer(text) if match[0][0] == "`")
    found = dict(zip(letters, names, strict=False))
    plain = list(text)
    for letter, match in found.items():
        plain[match.start() : match.end()] = letter.ljust(len(match[0]))
    return "".join(plain), found


def place_of(name: str, columns: Sequence[str], offset: int = 0) -> int:
    """Which column a name is, in backticks or not: the same, else the one that is written so as an
    identifier. Raises RuleError where it is none, or one of several.
    """
    name = bare(name)
    ways = (str, of_file, identifier)
    for way in ways:
        same = [i for i, column in enumerate(columns) if name and way(column) == way(name) != ""]
        if len(same) == 1:
            return same[0]
        if same:
            shared = ", ".join(repr(columns[i]) for i in same[:4])
            raise RuleError(f"'`{name}`'", offset, f" could be any of {shared}: rename them")
    shown = ", ".join(list(columns)[:12]) + (", ..." if len(columns) > 12 else "")
    raise RuleError(f"unknown column '{name}'", offset, f" (columns: {shown})")
