"""Named expressions: `living: above + basement`, worked out from the columns wherever a rule names them.

A name that is a column's is that column: its cells are what a rule sees, and the expression says what they
must be equal to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from barriers.sets.backticks import place_of
from barriers.sets.cells import Cells
from barriers.sets.column_names import words_in
from barriers.sets.expression import FUNCTIONS
from barriers.sets.formula import Formula
from barriers.sets.rule_error import DIVIDE, RuleError
from barriers.sets.rule_text import RuleText
from barriers.sets.sides import CONSTANTS, TRUTHS, Sides
from barriers.sets.typed import Typed
from barriers.tables import folded

SHARED = ("is derived", DIVIDE)
"""What is said of all names that are derived from a faulty one, and once is enough."""


def of_columns(derived: Mapping[str, str], columns: Sequence[str]) -> dict[str, int]:
    """The derived names that are columns, and their places."""
    found = {}
    for name in derived:
        try:
            found[name] = place_of(name, columns)
        except RuleError:
            continue
    return found


def beside(derived: Mapping[str, str] | None, columns: Sequence[str]) -> dict[str, str]:
    """The derived names that are no columns."""
    derived = derived or {}
    own = of_columns(derived, columns)
    return {name: text for name, text in derived.items() if name not in own}


def missing_in(derived: Mapping[str, str] | None, own: Sequence[str]) -> dict[str, str]:
    """The derived names that are no columns of a file, whose names match up to case and punctuation."""
    names = {folded(name) for name in own}
    return {name: text for name, text in (derived or {}).items() if folded(name) not in names}


def needed(derived: Mapping[str, str], name: str) -> dict[str, str]:
    """The derived names that the expression of one names, and those that these name."""
    found: dict[str, str] = {}
    left = [name]
    while left:
        inner = [word for word in words_in(derived[left.pop()]) if word in derived and word not in found]
        found |= {word: derived[word] for word in inner}
        left += inner
    return found


def faults_of(
    columns: Sequence[str], cells: Cells, derived: Mapping[str, str]
) -> Iterator[tuple[str, RuleError]]:
    """What is wrong with each derived name that is not sound, once a name: its form, its expression, or that
    it is made of itself. cells: what is known of the columns.
    """
    known: dict[str, Typed] = {}
    told: list[str] = []
    own = of_columns(derived, columns)
    inner = replace(cells, derived=beside(derived, columns))
    reads: dict[str, list[str]] = {}
    for name, text in derived.items():
        taken = name in FUNCTIONS or name in CONSTANTS or name.lower() in TRUTHS
        if name not in own and (taken or not name.isidentifier()):
            why = " is no name that a rule can use: write letters, digits and _, and no name of a function"
            yield name, RuleError(f"'{name}'", 0, why)
            continue
        try:
            if name in own:
                used = Formula(text, columns, inner).used
                reads[name] = [other for other, place in own.items() if place in used]
                continue
            read = RuleText(text, columns)
            Sides(read, columns, inner, (name,), known).side(read.parsed(), 0)
            read.must_be_read()
        except RuleError as bad:
            if not any(sort in bad.why for sort in told):
                told += [sort for sort in SHARED if sort in bad.why]
                yield name, bad
        except RecursionError:
            yield name, RuleError("nested too deeply", 0, ": derive it in fewer steps")
    if trail := circle(reads):
        yield trail[0], RuleError(f"'{trail[0]}'", 0, f" is derived from itself: {' -> '.join(trail)}")


def circle(reads: Mapping[str, Sequence[str]]) -> list[str]:
    """Names of which each reads the next, the last the first; empty where there are none.

    >>> circle({"a": ["b"], "b": ["c", "a"]}), circle({"a": ["b", "c"], "b": ["c"]})
    (['a', 'b', 'a'], [])
    """
    done: set[str] = set()
    for first in reads:
        trail, left = [first], [iter(reads[first])]
        while left:
            name = next(left[-1], None)
            if name is None:
                left.pop()
                done.add(trail.pop())
            elif name in trail:
                return [*trail[trail.index(name) :], name]
            elif name in reads and name not in done:
                trail.append(name)
                left.append(iter(reads[name]))
    return []
