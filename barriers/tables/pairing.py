"""The matching of the columns of two tables by their names: `Load (kN)` does not match `load`, but `Load`
does.

Names match up to case, spaces and punctuation. Where they differ by more (a unit, a word), the likely
matching is proposed and nothing is matched. Position decides only where one of the two has no names of its
own: none at all, or x0, x1, ... in this order.
"""

import difflib
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple


class Unpaired(ValueError):
    """Columns whose names cannot be matched."""


class Pairing(NamedTuple):
    """order: the positions of the expected columns in the other table. how, detail: the method, and the
    matching in words, empty for equal names.
    """

    order: list[int]
    how: Literal["name", "position"]
    detail: str


def pair(own: Sequence[str] | None, expected: Sequence[str]) -> Pairing | None:
    """The expected columns among `own`, the existing names (None: no names); further ones are left out where
    names decide.

    None where position decides, so that the numbers of columns must agree. Raises Unpaired where both have
    names and these do not match.
    """
    if own is None:
        return None
    own = list(own)
    held = Counter(own)
    twice = next((name for name in expected if held[name] > 1), None)
    if twice is not None:
        raise Unpaired(f"{_unfit(own, expected)}: '{twice}' is the name of two columns; rename one of them")
    if set(expected) <= set(own):
        return Pairing([own.index(name) for name in expected], "name", "")
    found, unclear = _same(own, expected)
    if unclear:
        raise Unpaired(f"{_unfit(own, expected)}: {unclear}; rename one of them")
    if len(found) == len(expected):
        order = [found[name] for name in expected]
        changed = [f"{own[i]} -> {name}" for i, name in zip(order, expected, strict=True) if own[i] != name]
        return Pairing(
            order, "name", f"columns matched by name, ignoring case and punctuation: {listed(changed)}"
        )
    moved = misplaced(own, expected)
    if moved:
        raise Unpaired(_moved(own, expected, moved))
    if defaults(own) or defaults(expected):
        return None
    raise Unpaired(_proposal(own, expected))


def by_position(own: Sequence[str] | None, expected: Sequence[str], places: Sequence[int]) -> Pairing:
    """Columns matched in their given order; `places` are their indices in the file."""
    left = [
        f"{i + 1}" if own is None else f"{i + 1} ({name})"
        for i, name in zip(places, own or places, strict=True)
    ]
    shown = listed([f"{a} -> {b}" for a, b in zip(left, expected, strict=True)])
    return Pairing(list(range(len(expected))), "position", f"columns matched by position: {shown}")


def folded(name: str) -> str:
    """A name without case, spaces and punctuation.

    >>> folded("Load (kN)"), folded("load_kN") == folded("LOAD kn")
    ('loadkn', True)
    """
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def defaults(names: Sequence[str]) -> bool:
    """Whether these are the default names of unnamed columns: x0, x1, ..."""
    return list(names) == [f"x{i}" for i in range(len(names))]


def misplaced(own: Sequence[str], expected: Sequence[str]) -> list[tuple[str, str]]:
    """Columns (own, expected) that seem to be the same and are in different places, even if their names
    differ by a unit.
    """
    found = {name: i for name in expected if (i := alike(name, own)) is not None}
    return [
        (own[i], name)
        for place, name in enumerate(expected)
        if (i := found.get(name)) is not None and i != place
    ]


def alike(name: str, names: Sequence[str]) -> int | None:
    """The one of `names` that matches up to case and punctuation, else up to a unit or a further word; None
    where none or several do.
    """
    for same in (lambda a, b: a == b, lambda a, b: folded(a) == folded(b) != "", _extends):
        found = [i for i, other in enumerate(names) if same(name, other)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names for a message, shortened where there are many."""
    return ", ".join(itertools.islice(names, most)) + (", ..." if len(names) > most else "")


def _same(own: Sequence[str], expected: Sequence[str]) -> tuple[dict[str, int], str]:
    """The expected names that are found up to case and punctuation; and an ambiguity, in words."""
    found = {name: own.index(name) for name in expected if name in own}
    free = [i for i in range(len(own)) if i not in found.values()]
    for name in expected:
        if name in found:
            continue
        like = [i for i in free if folded(own[i]) == folded(name) != ""]
        if len(like) > 1:
            return found, f"'{name}' may be '{own[like[0]]}' or '{own[like[1]]}'"
        if like and like[0] in found.values():
            other = next(known for known, i in found.items() if i == like[0])
            return found, f"'{own[like[0]]}' may be '{other}' or '{name}'"
        if like:
            found[name] = like[0]
    return found, ""


def _words(name: str) -> list[str]:
    """The words of a name: loadKn and load_kn are load, kn."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name))
    return [word for word in re.split(r"[\W_]+", parted.casefold()) if word]


def _extends(a: str, b: str) -> bool:
    """Whether one name begins with all words of the other."""
    one, other = sorted((_words(a), _words(b)), key=len)
    return bool(one) and other[: len(one)] == one


def _unfit(own: Sequence[str], expected: Sequence[str]) -> str:
    return f"columns ({listed(own)}) do not fit the scenario's ({listed(expected)})"


def _moved(own: Sequence[str], expected: Sequence[str], moved: Sequence[tuple[str, str]]) -> str:
    theirs, mine = moved[0]
    if theirs == mine:
        return (
            f"{_unfit(own, expected)}: '{mine}' is in another place, and not every name is known; rename "
            "the columns or put them in the "
            "scenario's order"
        )
    return _proposal(own, expected)


def _proposal(own: Sequence[str], expected: Sequence[str]) -> str:
    """The likely matching of the columns, where there is one, and the remedy."""
    found: dict[str, int] = {}
    for name in expected:
        i = alike(name, own)
        if i is None:
            near = difflib.get_close_matches(folded(name), [folded(other) for other in own], 1)
            i = [folded(other) for other in own].index(near[0]) if near else None
        if i is not None and i not in found.values():
            found[name] = i
    lost = [f"'{name}'" for name in expected if name not in found]
    way = "rename the columns, or list their names in this order under columns: in the scenario"
    if not found:
        return f"{_unfit(own, expected)}: no name is the same; {way}"
    seems = listed([f"{own[i]} -> {name}" for name, i in found.items()])
    without = f", and nothing is called {listed(lost)}" if lost else ""
    return (
        f"{_unfit(own, expected)}: they seem to be {seems}{without}; names may differ by case and "
        f"punctuation only: {way}"
    )
