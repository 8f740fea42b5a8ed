"""Which columns regions name, told from their specifications alone: nothing has to be known of a table."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from barriers.sets.expression import FUNCTIONS
from barriers.sets.grammar import CONSTANTS
from barriers.tables import Unpaired, pair

PARTS = {"grow": ("set",), "shrink": ("set",), "smooth_union": ("sets",)}
"""Kinds made of other regions, which are over the same columns: under which keys these are."""


def column_names(spec: Any, named: Mapping[str, Any] | None = None) -> list[str] | None:
    """The columns that a region names, in order; None where any part of it takes columns by position.

    named: earlier regions' specifications, by the names that stand for them. `pi` and `e` are numbers here.

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
            return column_names(named[spec], inner) if spec in named else []
        case {"kind": "rule"}:
            return rule_names(spec)
        case {"kind": "columns", "columns": [*chosen]}:
            return list(dict.fromkeys(chosen)) if all(isinstance(c, str) for c in chosen) else None
        case {"kind": kind}:
            parts = [spec.get(key) for key in PARTS.get(kind, ())]
        case {"any": parts} | {"all": parts}:
            pass
        case {"not": part}:
            parts = [part]
        case _:
            return None
    return _together([part for some in parts for part in (some if isinstance(some, list) else [some])], named)


def names_of_all(specs: Mapping[str, Any]) -> list[str] | None:
    """The columns that any of the regions of a scenario names; None where one takes columns by position."""
    return _together(list(specs.values()), specs)


def names_among(specs: Mapping[str, Any], own: Sequence[str]) -> list[str] | None:
    """The same where all of them are among `own`, a table's names, up to case and punctuation; else None."""
    names = names_of_all(specs)
    if names is None:
        return None
    names += [name for name in CONSTANTS if name in own and name in _mentioned(specs)]
    try:
        pairing = pair(own, names)
    except Unpaired:
        return None
    return None if pairing is None else names


def rule_names(spec: Mapping[str, Any]) -> list[str]:
    """The columns that a rule's texts name, in order; those of a text that cannot be read are left out."""
    found = [name for key, text in spec.items() if key != "kind" for name in _words(text)]
    return list(dict.fromkeys(name for name in found if name not in CONSTANTS and name not in FUNCTIONS))


def _together(parts: list[Any], named: Mapping[str, Any]) -> list[str] | None:
    found: list[str] = []
    for part in parts:
        names = column_names(part, named)
        if names is None:
            return None
        found += names
    return list(dict.fromkeys(found)) or None


def _mentioned(spec: Any) -> set[str]:
    """Every name in any rule."""
    if isinstance(spec, Mapping) and spec.get("kind") == "rule":
        return {name for text in spec.values() for name in _words(text)}
    parts = spec.values() if isinstance(spec, Mapping) else spec if isinstance(spec, list) else ()
    return {name for part in parts for name in _mentioned(part)}


def _words(text: Any) -> Iterator[str]:
    """The names in a rule, from left to right."""
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval") if isinstance(text, str) else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # told where the rule is built
        tree = None
    if tree is not None:
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        yield from (node.id for node in sorted(names, key=lambda node: node.col_offset))
