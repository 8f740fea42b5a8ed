"""What somebody says of how a table is written: whether it has a header, what is between its cells, what its
decimals are marked by, and what to do with rows that miss a value.
"""

from dataclasses import dataclass, fields
from typing import Literal

Missing = Literal["error", "drop"]
Gaps = Literal["error", "drop", "keep"]
Decimal = Literal[".", ","]
Separator = Literal[",", ";", "|", "tab", "space", "\t", " "]

SEPARATORS: dict[str, str] = {",": ",", ";": ";", "|": "|", "tab": "\t", "space": " ", "\t": "\t", " ": " "}
"""What a separator may be called, and its character; a space stands for any number of spaces and tabs."""


@dataclass(frozen=True)
class TableFormat:
    """What is known of a table beforehand; None where the file is to say it.

    header: whether the first line is names. separator: what is between two cells. decimal: the decimal mark.
    missing: what is done with a row that misses a value in a column that is read; `keep` is for rules, which
    have no value there, so that the row is inside. Raises ValueError for anything else, and where one mark
    would be both.
    """

    header: bool | None = None
    separator: Separator | None = None
    decimal: Decimal | None = None
    missing: Gaps = "error"

    def __post_init__(self) -> None:
        if self.separator is not None and self.separator not in SEPARATORS:
            raise ValueError(
                "separator must be ',', ';', '|', tab or space (any number of spaces and tabs); got "
                f"{self.separator!r}"
            )
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"decimal must be '.' or ','; got {self.decimal!r}")
        if self.missing not in ("error", "drop", "keep"):
            raise ValueError(f"missing must be error, drop or keep; got {self.missing!r}")

    @property
    def of_text(self) -> list[str]:
        """The keys given that only text has."""
        return [f.name for f in fields(self) if f.name != "missing" and getattr(self, f.name) is not None]


HEADER = (
    "Whether the first line of text holds column names. By default this is detected, and an ambiguous file "
    "is refused."
)
SEPARATOR = (
    "What is between two cells of text; space means any number of spaces and tabs. By default this is "
    "detected, and an ambiguous file is refused."
)
DECIMAL = "The decimal mark of text, a point by default."
MISSING = (
    "What to do with rows that miss a value in a column that is read: error, the default, or drop; the "
    "number of dropped rows is reported."
)
"""What the keys mean, for the schema."""

UNKNOWN = TableFormat()
"""Nothing is known; a missing value is an error."""


def name_of(character: str) -> str:
    """What a separator is called in a message.

    >>> name_of(";"), name_of("\\t")
    ("';'", 'tabs')
    """
    return {"\t": "tabs", " ": "spaces"}.get(character, f"'{character}'")


def only_of_text(form: TableFormat, kind: str) -> str:
    """That a key which only text has was given for something else."""
    what = {"header": "whose first line may be names", "separator": "whose cells are separated"}
    key = form.of_text[0]
    why = what.get(key, "whose numbers are written in digits")
    return f"{key} is for a .csv or other text, {why}; a {kind} has none: leave it out"
