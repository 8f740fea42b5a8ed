"""Column names: those of a file, and the identifiers that rules and scenarios use."""

import difflib
import re
from collections import Counter
from collections.abc import Sequence

from barriers.tables import Unpaired, alike, identifier, pair, unquoted
from lem_safe.errors import BadInput, Fault

UNNAMED = "unnamed_column_"
"""The name of an unnamed column where others are chosen."""
SHARED = "_in_column_"
"""What comes between a name that several columns have and the number of the column, from 1."""


def identifiers(raw: Sequence[str], source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Identifiers of the names of one file, with a note for each that changed; BadInput where two are equal
    or one is empty.
    """
    names = [identifier(name) for name in raw]
    faults = []
    for i, name in enumerate(names):
        if not name:
            faults.append(Fault(_no_name(i), source))
        elif name in names[:i]:
            faults.append(Fault(_same_name(raw[names.index(name)], raw[i], name), source))
    if faults:
        raise BadInput(faults)
    notes = tuple(
        f"column '{old}' is called {new}" for old, new in zip(raw, names, strict=True) if old != new
    )
    return tuple(names), notes


def placeholders(raw: Sequence[str]) -> list[str]:
    """Names that differ as identifiers: columns without one, or with the same one, are numbered from 1.

    >>> placeholders(["speed", "load", "load", ""])
    ['speed', 'load_in_column_2', 'load_in_column_3', 'unnamed_column_4']
    """
    words = [identifier(name) for name in raw]
    many = {word for word, count in Counter(words).items() if count > 1}
    return [
        f"{UNNAMED}{i}" if not word else f"{word}{SHARED}{i}" if word in many else name
        for i, (name, word) in enumerate(zip(raw, words, strict=True), 1)
    ]


def base_of(name: str) -> str:
    """The name that several columns have, of one that `placeholders` has renamed; empty for others."""
    found = re.fullmatch(rf"(.+){SHARED}\d+", name)
    return found[1] if found else ""


def chosen_among(columns: Sequence[str], raw: Sequence[str], source: str) -> list[int]:
    """The positions of these columns in a file, in the order asked for: by the file's own names, in backticks
    or not, or by their identifiers. Other columns may be unnamed or have equal names; BadInput for a column
    that is missing, or there twice.
    """
    own, names = [name.strip() for name in raw], [identifier(name) for name in raw]
    faults, kept = [], []
    for column in columns:
        wanted = unquoted(column)
        found = [i for i, name in enumerate(own) if name == wanted] or [
            i for i, name in enumerate(names) if name and name == wanted
        ]
        if not found:
            known_names = [name for name in names if name]
            faults.append(Fault(f"no column '{column}'; {suggestion(column, known_names)}", source))
        elif len(found) > 1:
            faults.append(Fault(_same_name(raw[found[0]], raw[found[1]], names[found[0]]), source))
        else:
            kept.append(found[0])
    if faults:
        raise BadInput(faults)
    if len(set(kept)) < len(kept):
        raise BadInput(Fault(f"columns {list(columns)} name one column twice; name each once", source))
    identifiers([raw[i] for i in kept], source)
    return kept


def expected_among(expected: Sequence[str], names: Sequence[str]) -> list[int] | None:
    """Where the expected columns are among a file's, if names say so: then no other column need be read."""
    try:
        pairing = pair(names, expected)
    except Unpaired:
        return None
    return None if pairing is None else pairing.order


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


def _no_name(i: int) -> str:
    return (
        f"column {i + 1} has no usable name; name it, drop it (pandas: index=False), or choose the others "
        "with columns:"
    )


def _same_name(first: str, second: str, name: str) -> str:
    both = (
        f"'{first}' and '{second}' are both called {name}" if first != second else f"'{first}' appears twice"
    )
    return f"column names must differ; {both}; rename one, or choose others with columns:"
