"""Columns as rules name them."""

import keyword
from collections.abc import Sequence

from barriers.sets.expression import FUNCTIONS
from barriers.sets.sides import CONSTANTS, TRUTHS
from barriers.tables import identifier

WORDS = {*keyword.kwlist, *CONSTANTS, *FUNCTIONS, *TRUTHS, "missing", "then"}
"""Words that mean something else in a rule."""


def column_text(name: str) -> str:
    """A column's name within a rule: as it is where it is a word, else in backticks.

    >>> column_text("load"), column_text("fixed acidity"), column_text("min")
    ('load', '`fixed acidity`', '`min`')
    """
    if name.isascii() and name.isidentifier() and name.casefold() not in WORDS and name not in WORDS:
        return name
    bare = " ".join(name.split())
    return f"`{bare}`" if bare and "`" not in bare else identifier(name)


class Columns:
    """The columns that a file numbers from 0. names: None where they are not known; then y_3 stays y_3.
    source: what messages call the table that the names are from.
    """

    def __init__(self, names: Sequence[str] | None = None, source: str = ""):
        self.names, self.source = names, source
        self.texts = None if names is None else [column_text(name) for name in names]

    def text(self, index: int) -> str:
        """Column `index` within a rule."""
        return f"y_{index}" if self.texts is None else self.texts[index]

    def lacks(self, index: int) -> str | None:
        """Why there is no such column; None where there is."""
        if self.names is None or index < len(self.names):
            return None
        many = len(self.names)
        return f"y_{index} is none of the {many} columns y_0 to y_{many - 1} of {self.source}"
