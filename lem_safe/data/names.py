"""Column names: those of a file, and the identifiers that rules and scenarios use."""

import difflib
import keyword
import re
from collections import Counter
from collections.abc import Sequence

from barriers.tables import alike
from lem_safe.errors import BadInput, Fault


def identifier(name: str) -> str:
    """`name` as an identifier: anything but letters, digits and _ becomes one _, so 'mean perimeter' becomes
    mean_perimeter.
    """
    word = re.sub(r"\W+", "_", name.strip()).strip("_")
    if word[:1].isdigit():
        word = f"x{word}"
    return f"{word}_" if keyword.iskeyword(word) else word


def identifiers(raw: Sequence[str], source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Identifiers of the names of one file, with a note for each that changed; BadInput where two are equal
    or one is empty.
    """
    names = [identifier(name) for name in raw]
    faults = []
    for i, name in enumerate(names):
        if not name:
            faults.append(
                Fault(
                    f"column {i + 1} has no usable name; name it, or drop it (pandas: index=False)",
                    source,
                )
            )
        elif name in names[:i]:
            first, second = raw[names.index(name)], raw[i]
            both = (
                f"'{first}' and '{second}' are both called {name}"
                if first != second
                else f"'{first}' appears twice"
            )
            faults.append(Fault(f"column names must differ; {both}; rename one", source))
    if faults:
        raise BadInput(faults)
    notes = tuple(
        f"column '{old}' is called {new}" for old, new in zip(raw, names, strict=True) if old != new
    )
    return tuple(names), notes


UNNAMED = "unnamed_column_"
"""The name of an unnamed column where others are chosen."""


def placeholders(raw: Sequence[str]) -> list[str]:
    """The same names, with those without a letter or a digit numbered from 1."""
    return [name if identifier(name) else f"{UNNAMED}{i}" for i, name in enumerate(raw, 1)]


SHARED = "_in_column_"
"""What comes between a name that several columns have and the number of the column, from 1."""


def told_apart(raw: Sequence[str]) -> list[str]:
    """Names that differ as identifiers: columns without one, or with the same one, are numbered from 1.

    >>> told_apart(["speed", "load", "load", ""])
    ['speed', 'load_in_column_2', 'load_in_column_3', 'unnamed_column_4']
    """
    names = placeholders(raw)
    words = [identifier(name) for name in names]
    many = {word for word, count in Counter(words).items() if count > 1}
    return [
        f"{word}{SHARED}{i}" if word in many else name
        for i, (name, word) in enumerate(zip(names, words, strict=True), 1)
    ]


def chosen_among(columns: Sequence[str], raw: Sequence[str], source: str) -> list[int]:
    """The positions of these columns in a file, in the file's order; other columns may be unnamed or have
    equal names; BadInput for a missing column.
    """
    names = [identifier(name) for name in raw]
    known(columns, [name for name in names if name], source)
    kept = [i for i, name in enumerate(names) if name in columns]
    identifiers([raw[i] for i in kept], source)
    return kept


def known(columns: Sequence[str], names: Sequence[str], source: str | None = None) -> None:
    """Raises BadInput for every one of `columns` that is not among `names`."""
    unknown = [
        Fault(f"no column '{column}'; {suggestion(column, names)}", source)
        for column in columns
        if column not in names
    ]
    if unknown:
        raise BadInput(unknown)


def suggestion(name: str, names: Sequence[str]) -> str:
    """'did you mean …?' where a name is similar, else the existing names."""
    same = alike(name, names)
    near = [names[same]] if same is not None else difflib.get_close_matches(identifier(name), names, 1)
    if near:
        return f"did you mean '{near[0]}'?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"the columns are {shown}"
