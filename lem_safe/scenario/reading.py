"""The text of a scenario as values with positions: YAML 1.2, read once, with all duplicate keys and bad
scalars reported together.

The tree is built from the parser's events and counted as it grows, so that a YAML bomb costs no more than its
limit. Tags, anchors, aliases and several documents are refused, as they could run code or repeat content;
`yes` and `no` are strings, 1e-4 is a number, a date is a string.
"""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from barriers.regular_files import MISSING, refusal
from lem_safe.errors import BadInput, Fault
from lem_safe.scenario.key_path import KeyPath
from lem_safe.scenario.source import Source, source_fault

MAX_BYTES, MAX_DEPTH, MAX_NODES = 500_000, 50, 10_000
"""The limits of a scenario; data belong in separate files."""

FOLD = "\a"
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*$")
_LARGEST = 2**63 - 1
_DEEP = re.compile(rf"(?:[\[{{][ \n]*){{{MAX_DEPTH + 1}}}")
"""Consecutive opening brackets, more than a scenario may nest."""


def read(path: Path) -> Source:
    """The values of a scenario file; raises BadInput where it is not a file, not text or not a
    YAML mapping.
    """
    shown = str(path)
    if (why := refusal(path)) is not None:
        raise BadInput(Fault(why if why == MISSING else f"{why}; a scenario is one YAML file", file=shown))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(Fault(f"cannot be read: {error.strerror or error}", file=shown)) from None
    if len(data) > MAX_BYTES:
        raise BadInput(
            Fault(
                f"must be at most {MAX_BYTES:,} bytes; put data in a file of its own and name it by path",
                file=shown,
                line=1,
            )
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(
            Fault(f"must be UTF-8 text; byte {error.start} is not", file=shown, line=line)
        ) from None
    return parse(text, shown)


def parse(text: str, file: str) -> Source:
    """The values of a scenario's text; `faults` collects duplicate keys and bad scalars; unreadable text
    raises BadInput.
    """
    source = Source(file, text.splitlines() or [""])
    if deep := _DEEP.search(text):  # the scanner would look ahead in it, at quadratic cost
        line, column = text.count("\n", 0, deep.start()), deep.start() - text.rfind("\n", 0, deep.start()) - 1
        raise BadInput(
            Fault(f"must nest at most {MAX_DEPTH} deep", file, line + 1, column + 1, None, source.line(line))
        )
    try:
        root = _compose(text, source)
    except MarkedYAMLError as error:
        raise BadInput(_syntax_fault(error, source)) from None
    except YAMLError as error:
        position = getattr(error, "position", None)
        line = text[:position].count("\n") + 1 if isinstance(position, int) else 1
        raise BadInput(Fault("holds a character that YAML does not allow", file=file, line=line)) from None
    except (ValueError, RecursionError) as error:
        raise BadInput(Fault(f"is not valid YAML: {error}", file=file, line=1)) from None
    if root is None:
        raise BadInput(
            Fault(
                "is empty; a scenario needs at least version, name, energy, unsafe, constraints, sampler",
                file=file,
                line=1,
            )
        )
    if not isinstance(root, MappingNode):
        raise BadInput(
            source_fault(source, root, "must be a mapping of keys such as 'version: 1' and 'name: ...'")
        )
    value = _build(root, (), source)
    source.value = value if isinstance(value, dict) else {}
    return source


def _compose(text: str, source: Source) -> Node | None:
    """The tree of the text's events, None where it is empty; features that a scenario never needs are refused
    at once.
    """
    yaml = YAML(typ="rt", pure=True)
    root: Node | None = None
    parts: list[list[Node]] = []
    nodes = documents = 0
    for event in yaml.parse(text):
        documents += isinstance(event, DocumentStartEvent)
        nodes += isinstance(event, NodeEvent)
        if isinstance(event, CollectionStartEvent):
            source.opened.append(event)
            parts.append([])
        if problem := _refused(event, documents, nodes, len(source.opened)):
            raise BadInput(source_fault(source, event, problem))
        if isinstance(event, ScalarEvent):
            tag = yaml.resolver.resolve(ScalarNode, event.value, event.implicit)
            node: Node = ScalarNode(tag, event.value, event.start_mark, event.end_mark, style=event.style)
        elif isinstance(event, CollectionEndEvent):
            node = _collection(source.opened.pop(), parts.pop(), event)
        else:
            continue
        if parts:
            parts[-1].append(node)
        else:
            root = node
    return root


def _refused(event: Any, documents: int, nodes: int, depth: int) -> str | None:
    """What is wrong with an event that YAML allows and a scenario does not."""
    if documents > 1:
        return "a second document starts here; a scenario file holds one"
    if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
        return "anchors and aliases are not allowed; write the value out, or name a region and use its name"
    if not isinstance(event, NodeEvent):
        return None
    tag = getattr(event, "tag", None)
    if tag and tag != "!":
        return f"tags are not allowed; got {str(tag)!r}; write a plain value"
    if isinstance(event, ScalarEvent) and "\0" in event.value:
        return "holds a NUL character, which no file can keep in a name; remove it"
    if depth > MAX_DEPTH:
        return f"must nest at most {MAX_DEPTH} deep"
    if nodes > MAX_NODES:
        return f"must hold at most {MAX_NODES:,} values; put data in a file of its own and name it by path"
    return None


def _collection(start: Any, parts: list[Node], end: Any) -> Node:
    if isinstance(start, MappingStartEvent):
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        return MappingNode("map", pairs, start.start_mark, end.end_mark, flow_style=start.flow_style)
    return SequenceNode("seq", parts, start.start_mark, end.end_mark, flow_style=start.flow_style)


def _build(node: Node, path: KeyPath, source: Source) -> Any:
    source.nodes[path] = node
    if isinstance(node, SequenceNode):
        return [_build(item, (*path, i), source) for i, item in enumerate(node.value)]
    if isinstance(node, ScalarNode):
        return _scalar(node, path, source)
    assert isinstance(node, MappingNode), "a node is a sequence, a mapping or a scalar"
    built: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode) or not str(key.tag).endswith((":str", ":merge", ":timestamp")):
            source.faults.append(source_fault(source, key, _no_word(key, value), path))
            continue
        name = _text(key, path, source)
        inner = (*path, name)
        if name in built:
            first = source.keys[inner].start_mark.line + 1
            source.faults.append(
                source_fault(
                    source,
                    key,
                    f"key '{name}' is given twice; it stands on line {first} already; remove one",
                    inner,
                )
            )
            continue
        source.keys[inner] = key
        built[name] = _build(value, inner, source)
    return built


def _scalar(node: ScalarNode, path: KeyPath, source: Source) -> Any:
    kind, text = str(node.tag).rsplit(":", 1)[-1], node.value
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind not in ("int", "float"):
        return _text(node, path, source)
    if re.fullmatch(r"0\d\d", text) and _after_a_comma(node, source):
        source.faults.append(
            source.fault(
                path, f"in a list 1,{text} is two numbers; write 1{text}, or a space after the comma"
            )
        )
        return 0
    try:
        plain = text.replace("_", "")
        number = (
            _special(plain) if kind == "float" else int(plain) if _INTEGER.match(plain) else int(plain, 0)
        )
    except ValueError:
        source.faults.append(source.fault(path, f"is not a number that can be read; got {_short(text)}"))
        return 0
    if isinstance(number, int) and abs(number) > _LARGEST:
        source.faults.append(source.fault(path, f"must be at most {_LARGEST:,} in size; got {_short(text)}"))
        return 0
    return number


def _no_word(key: Node, value: Node) -> str:
    """What is wrong with a key that is no word, as where a comma is inside a number in braces."""
    if not isinstance(key, ScalarNode):
        return "a key must be a plain word"
    empty = isinstance(value, ScalarNode) and value.value == ""
    if empty and key.value.isdigit():
        return (
            f"in braces, ',{key.value}' begins another key; write a number with a point for decimals and no "
            "commas"
        )
    return f"a key must be a plain word; got {key.value}; put it in quotes"


def _after_a_comma(node: ScalarNode, source: Source) -> bool:
    """Whether a number follows another one and a comma without a space, like the end of 1,000."""
    mark = node.start_mark
    line = source.lines[mark.line] if mark.line < len(source.lines) else ""
    return re.search(r"\d,$", line[: mark.column]) is not None


def _text(node: ScalarNode, path: KeyPath, source: Source) -> str:
    """A string as Unicode: surrogate pairs, as escaped by JSON, are joined; a lone surrogate is a fault."""
    try:
        value = str(node.value)
        if node.style == ">":  # where ruamel.yaml keeps the places of folded lines, for writing them again
            value = value.replace(FOLD, "")
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        source.faults.append(
            source_fault(
                source, node, "holds half of a character (a lone surrogate); write the character itself", path
            )
        )
        return "?"


def _special(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _syntax_fault(error: MarkedYAMLError, source: Source) -> Fault:
    mark = error.problem_mark or error.context_mark
    problem = (error.problem or "cannot be read").strip()
    brackets = [event.start_mark for event in source.opened if event.flow_style]
    if "<stream end>" in problem and brackets:
        mark, problem = brackets[-1], "this bracket is never closed"
    elif "\\t" in problem or "'\t'" in problem:
        problem = "a tab is used for indentation; use spaces"
    elif problem.startswith("mapping values are not allowed"):
        problem = "a second ': ' on one line; put the value in quotes, or the key on a line of its own"
    elif problem.startswith("could not find expected ':'"):
        problem = "a key without ':'; write 'key: value'"
    else:
        problem = f"is not valid YAML: {problem}" + (f" ({error.context.strip()})" if error.context else "")
    if mark is None:
        return Fault(problem, file=source.file, line=1)
    return Fault(problem, source.file, mark.line + 1, mark.column + 1, None, source.line(mark.line))
