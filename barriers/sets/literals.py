"""Texts in quotes within a rule, and what a rule's words may not be taken for because they are inside one."""

import re

STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
"""A text in quotes."""
_PIECES = re.compile(rf"`[^`]*`|({STRING})")


def blanked(text: str) -> str:
    """The rule with the characters of every text in quotes as underscores, as long as it was.

    >>> blanked("a == 'if #' and b < 1")
    "a == '____' and b < 1"
    """
    return _PIECES.sub(lambda found: _hidden(found[0]) if found[1] else found[0], text)


def _hidden(text: str) -> str:
    return text[0] + "_" * (len(text) - 2) + text[-1]
