"""Which columns regions name, told from their specifications alone: nothing has to be known of a table."""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from barriers.sets.backticks import lettered
from barriers.sets.expression import FUNCTIONS
from barriers.sets.rule_text import without_then
from barriers.sets.sides import CONSTANTS, TRUTHS
from barriers.tables import Unpaired, folded, identifier, pair, unquoted

PARTS = {"grow": ("set",), "shrink": ("set",), "smooth_union": ("sets",)}
"""Kinds made of other regions, which are over the same columns: under which keys these are."""


def column_names(
    spec: Any, named: Mapping[str, Any] | None = None, derived: Mapping[str, str] | None = None
) -> list[str] | None:
    """The columns that a region names, in order; None where any part of it takes columns by position.

    named: earlier regions' specifications, by the names that stand for them. derived: expressions, likewise.
    `pi` and `e` are numbers here.

    >>> column_names({"any": [{"kind": "rule", "where": "load > 2 * limit"}, "fast"]},
    ...              {"fast": {"kind": "columns", "columns": ["speed"], "set": {"kind": "box"}}})
    ['load', 'limit', 'speed']
    >>> column_names({"not": {"kind": "ball", "center": [0, 0], "radius": 1}}) is None
    True
    """
    named = named or {}
    match spec:
        case str():
            inner = {name: other for name, other in named.items() if name != spec}
            return column_names(named[spec], inner, derived) if spec in named else []
        case {"kind": "rule"}:
            return rule_names(spec, derived)
        case {"kind": "columns", "columns": [*chosen]}:
            return _distinct(map(_in_rules, chosen)) if all(isinstance(c, str) for c in chosen) else None
        case {"kind": kind}:
            parts = [spec.get(key) for key in PARTS.get(kind, ())]
        case {"any": parts} | {"all": parts}:
            pass
        case {"not": part}:
            parts = [part]
        case _:
            return None
    return _together(
        [part for some in parts for part in (some if isinstance(some, list) else [some])], named, derived
    )


def names_of_all(specs: Mapping[str, Any], derived: Mapping[str, str] | None = None) -> list[str] | None:
    """The columns that any of the regions of a scenario names; None where one takes columns by position."""
    return _together(list(specs.values()), specs, derived)


def names_among(
    specs: Mapping[str, Any], own: Sequence[str], derived: Mapping[str, str] | None = None
) -> list[str] | None:
    """The same where all of them are among `own`, a table's names, up to case and punctuation; else None."""
    names = names_of_all(specs, derived)
    if names is None:
        return None
    names += [
        name
        for name in (*CONSTANTS, *TRUTHS)
        if name in own and name in _mentioned(specs) and name not in names
    ]
    try:
        pairing = pair(own, names)
    except Unpaired:
        return None
    return None if pairing is None else names


def rule_names(spec: Mapping[str, Any], derived: Mapping[str, str] | None = None) -> list[str]:
    """The columns that a rule's texts name, in order; those of a text that cannot be read are left out. A
    name in backticks becomes the identifier of its column: `PM2.5` is PM2_5. A derived name stands for the
    columns of its expression.
    """
    words = [word for key, text in spec.items() if key != "kind" for word in words_in(text)]
    return _distinct(map(_in_rules, _columns(words, derived or {}, set())))


def _columns(words: Iterable[str], derived: Mapping[str, str], seen: set[str]) -> Iterator[str]:
    """The words that are columns, those of derived names among them; each derived name is looked into
    once.
    """
    for word in words:
        if word in derived:
            if word not in seen:
                seen.add(word)
                yield from _columns(words_in(derived[word]), derived, seen)
        elif "`" in word or not (word in CONSTANTS or word in FUNCTIONS or word.lower() in TRUTHS):
            yield word


def _in_rules(name: str) -> str:
    """A column's name: as it is written, or as an identifier where it is in backticks or where these differ
    by more than case and punctuation (2nd: x2nd).
    """
    word = identifier(unquoted(name))
    return name if "`" not in name and folded(word) == folded(name) else word


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))


def _together(
    parts: list[Any], named: Mapping[str, Any], derived: Mapping[str, str] | None
) -> list[str] | None:
    found: list[str] = []
    for part in parts:
        names = column_names(part, named, derived)
        if names is None:
            return None
        found += names
    return _distinct(found) or None


def _mentioned(spec: Any) -> set[str]:
    """Every name in any rule."""
    if isinstance(spec, Mapping) and spec.get("kind") == "rule":
        return {name for text in spec.values() for name in words_in(text)}
    parts = spec.values() if isinstance(spec, Mapping) else spec if isinstance(spec, list) else ()
    return {name for part in parts for name in _mentioned(part)}


def words_in(text: Any) -> Iterator[str]:
    """The names in a rule as written, in backticks or not, from left to right; not `missing` behind `is`."""
    text, quoted = lettered(" ".join(text.split())) if isinstance(text, str) else ("", {})
    try:
        tree = ast.parse(without_then(text)[0].strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # told where the rule is built
        tree = None
    if tree is not None:
        marks = {
            id(side)
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare)
            for op, side in zip(node.ops, node.comparators, strict=True)
            if isinstance(op, ast.Is | ast.IsNot)
        }
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in marks]
        found = [node.id for node in sorted(names, key=lambda node: node.col_offset)]
        yield from (quoted[name][0] if name in quoted else name for name in found)
