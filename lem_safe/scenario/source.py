"""The values of a scenario with their positions, for faults that point at a place in the file or in an
option.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ruamel.yaml.nodes import Node, ScalarNode

from lem_safe.errors import Fault
from lem_safe.scenario.key_path import KeyPath, dotted


@dataclass(frozen=True)
class Override:
    """A value that replaces the file's. option: what the user typed. place: its key in the file (for a
    sweep).
    """

    option: str
    value: Any
    place: KeyPath | None = None


@dataclass
class Source:
    """The values of one file, and their positions."""

    file: str
    lines: list[str]
    value: dict[str, Any] = field(default_factory=dict)
    nodes: dict[KeyPath, Node] = field(default_factory=dict)
    keys: dict[KeyPath, Node] = field(default_factory=dict)
    overrides: dict[KeyPath, Override] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)
    """The brackets and blocks open at the parser's position: their start events."""

    def fault(
        self, path: Sequence[str | int], message: str, *, at_key: bool = False, offset: int | None = None
    ) -> Fault:
        """A fault at `path`, or at its nearest existing parent in the file; `offset` counts characters of a
        string value.
        """
        found = tuple(path)
        given = self._given(found)
        if given is not None and given.place is None:
            return Fault(message, file=given.option, key=dotted(path))
        if given is not None and given.place is not None:
            return self.fault(given.place[:-1] if at_key else given.place, message, at_key=at_key)
        while found and found not in self.nodes:
            found = found[:-1]
        node = self.nodes.get(found)
        if (
            at_key
            or found != tuple(path)
            or (isinstance(node, ScalarNode) and node.value == "" and node.style is None)
        ):
            node = self.keys.get(found, node)
        if node is None:
            return Fault(
                message, file=self.file, line=1, column=1, key=dotted(path) or None, source=self.line(0)
            )
        line, column = node.start_mark.line, node.start_mark.column
        if offset is not None and isinstance(node, ScalarNode) and node.start_mark.line == node.end_mark.line:
            column += offset + (1 if node.style in ("'", '"') else 0)
        return Fault(message, self.file, line + 1, column + 1, dotted(path) or None, self.line(line))

    def override(self, path: Sequence[str], override: Override) -> None:
        """Replaces a value of the file: list items are named by index, missing mappings are created."""
        inside, place = self.value, ()  # type: Any, KeyPath
        for i, part in enumerate(path):
            at: str | int = part
            if isinstance(inside, list):
                if not part.isascii() or not part.isdigit() or int(part) >= len(inside):
                    many = f"{len(inside)} entr{'y' if len(inside) == 1 else 'ies'}"
                    self._refuse(
                        override,
                        place,
                        f"is a list of {many}; name one by its index from 0; got '{part}'",
                    )
                    return
                at = int(part)
            elif not isinstance(inside, dict):
                self._refuse(
                    override,
                    place,
                    f"has no key '{part}': it is {repr(inside)[:40]}; set it whole",
                )
                return
            place = (*place, at)
            if i == len(path) - 1:
                inside[at] = override.value
            elif isinstance(inside, dict):
                inside = inside.setdefault(part, {})
            else:
                inside = inside[int(part)]
        self.overrides[place] = override

    def without(self, key: str) -> "Source":
        """The same file without one key, so that its values can be replaced; without the faults
        found so far.
        """
        return replace(
            self,
            value=copy.deepcopy({k: v for k, v in self.value.items() if k != key}),
            overrides=dict(self.overrides),
            faults=[],
        )

    def _refuse(self, override: Override, place: KeyPath, message: str) -> None:
        if override.place is None:
            self.faults.append(Fault(message, file=override.option, key=dotted(place) or None))
        else:
            self.faults.append(self.fault(override.place, f"{dotted(place)} {message}"))

    def _given(self, path: KeyPath) -> Override | None:
        """The override at `path`, above it, or, where the file has nothing at `path`, below it."""
        for depth in range(len(path), 0, -1):
            if path[:depth] in self.overrides:
                return self.overrides[path[:depth]]
        if path and path not in self.nodes:
            return next(
                (given for where, given in self.overrides.items() if where[: len(path)] == path), None
            )
        return None

    def line(self, index: int) -> str:
        """A line of the file, from 0; empty past the end."""
        return self.lines[index] if index < len(self.lines) else ""


def source_fault(source: Source, node: Any, message: str, key: KeyPath = ()) -> Fault:
    """A fault at a node or an event, which need not be part of the tree."""
    line, column = node.start_mark.line, node.start_mark.column
    return Fault(message, source.file, line + 1, column + 1, dotted(key) or None, source.line(line))
