"""The names of a table's columns in a rule."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence


def identifiers(columns: Sequence[str]) -> dict[str, int]:
    """The position of each column by its name in a rule, with everything but letters, digits and _ replaced
    by _. Ambiguous names are left out.
    """
    names = [identifier(c) for c in columns]
    count = Counter(names)
    return {name: i for i, name in enumerate(names) if count[name] == 1}


def identifier(column: str) -> str:
    """A column's name with everything but letters, digits and _ replaced by _."""
    name = unicodedata.normalize("NFKC", str(column))
    if not name.isidentifier():
        name = re.sub(r"\W+", "_", name).strip("_")
        name = f"_{name}" if not name or name[0].isdigit() else name
    return name
