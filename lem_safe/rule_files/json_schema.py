"""A JSON Schema of a row, or of an array of rows, as rules about columns.

A property is a column. A missing cell is an absent property, or null where the property is required. Each
keyword of a property becomes a rule; `anyOf`, `not`, `if`/`then`/`else` and `dependentRequired` become rules
about whole rows. What no rule says (patterns, lengths, `additionalProperties`, ...) is listed.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from lem_safe.errors import BadInput, Fault
from lem_safe.rule_files import property_schema
from lem_safe.rule_files.column_text import column_text
from lem_safe.rule_files.conditions import Unmapped, either, enclosed, every, missing, present
from lem_safe.rule_files.property_schema import Property, Reader, is_schema, listed
from lem_safe.rule_files.rule_file import Names, Requirement, RuleFile
from lem_safe.scenario.source import Source

FORM = "JSON Schema"
ABOUT = {*property_schema.ABOUT, "type", "$anchor"}
ROW = ("properties", "required", "allOf", "anyOf", "not", "if", "then", "else", "dependentRequired", "$ref")
Path = tuple[str | int, ...]


def schema_rules(source: Source, tolerance: Decimal) -> RuleFile:
    """The rules of a schema; BadInput where it holds none, or a keyword that cannot be read."""
    found = _Rows(source, tolerance)
    schema, path = source.value, ()  # type: dict[str, Any], Path
    if schema.get("type") == "array" or ("items" in schema and "properties" not in schema):
        found.list_others(schema, path, {"items", *ABOUT})
        schema, path = schema.get("items") or {}, ("items",)
    found.add(schema, path)
    if not found.rules:
        what = "; ".join(f"{f.key} {f.message}" for f in found.unmapped[:4])
        raise BadInput(
            Fault(f"holds nothing that is a rule about columns ({what or 'no properties'})", source.file)
        )
    return RuleFile(FORM, tuple(found.rules), {}, tuple(found.unmapped))


class _Rows:
    """The rules of a schema of rows, as they are found."""

    def __init__(self, source: Source, tolerance: Decimal):
        self.source, self.tolerance = source, tolerance
        self.reader = Reader(source.value)
        self.names, self.rules, self.unmapped = Names(["any_rule"]), [], []  # type: Names, list[Requirement], list[Fault]

    def add(self, schema: Any, path: Path) -> None:
        """All that a schema of a row asks, a rule for each part."""
        if not is_schema(schema):
            raise BadInput(
                self.source.fault(path, f"must be a schema, a mapping of keywords; got {schema!r:.60}")
            )
        self.list_others(schema, path, {*ROW, *ABOUT})
        try:
            required, properties = names_in(schema.get("required", [])), mapping_in(schema, "properties")
        except Unmapped as why:
            raise BadInput(self.source.fault(path, str(why))) from None
        for name, inner in properties.items():
            self._property(name, inner, (*path, "properties", name), name in required)
        for name in required:
            if name not in properties:
                self.rule(
                    f"{name}_required", (*path, "required"), present(column_text(name)), f"required: {name}"
                )
        if "allOf" in schema:
            self._whole(path, "allOf", lambda: self._all(schema["allOf"], (*path, "allOf")))
        if "$ref" in schema:
            self._whole(path, "$ref", lambda: self.add(self.reader.followed(schema), path))
        for key in ("anyOf", "not", "dependentRequired"):
            if key in schema:
                self._condition(key, path, {key: schema[key]})
        if "if" in schema:
            self._condition("if", path, {k: schema[k] for k in ("if", "then", "else") if k in schema})
        elif "then" in schema or "else" in schema:
            self.list_(path, "then", "has no effect without if")

    def _all(self, parts: Any, path: Path) -> None:
        for i, part in enumerate(listed(parts)):
            self.add(part, (*path, i))

    def _property(self, name: str, schema: Any, path: Path, required: bool) -> None:
        """The rules about one column: one for each keyword, and that it is there."""
        column = column_text(name)
        try:
            found = self.reader.property(schema, column, self.tolerance)
        except Unmapped as why:
            self.list_(path[:-1], name, str(why))
            return
        may_miss = not required or found.nullable
        for label, condition in found.conditions:
            text = either([missing(column), condition]) if may_miss else condition
            self.rule(f"{name}_{label}", (*path, label), text)
        if not may_miss:
            self.rule(f"{name}_required", path, present(column), f"required: {name}")
        for keyword, reason in found.unmapped:
            self.list_(path, keyword, reason)
        if found.bare is not None:
            reason = "asks for a type alone, which is no rule: each rule reads a column as its type"
            self.list_(path, found.bare, reason)

    def _condition(self, label: str, path: Path, part: dict[str, Any]) -> None:
        """A rule about whole rows, of one keyword."""

        def make() -> None:
            text = condition(self.reader, part, self.tolerance)
            if text is not None:
                self.rule(label, (*path, label), text)

        self._whole(path, label, make)

    def _whole(self, path: Path, key: str, make: Any) -> None:
        """A keyword that becomes rules, or is listed as a whole."""
        try:
            make()
        except Unmapped as why:
            self.list_(path, key, str(why))

    def rule(self, name: str, path: Path, text: str, written: str | None = None) -> None:
        """One rule more."""
        fault = self.source.fault(path, "")
        shown = written or f"{'.'.join(map(str, path))}: {self._written(path)}"
        self.rules.append(Requirement(self.names.new(name), fault.line or 1, shown, text))

    def _written(self, path: Path) -> str:
        value: Any = self.source.value
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return ""
        return f"{value}"

    def list_(self, path: Path, key: str, why: str) -> None:
        """One part more that is no rule."""
        self.unmapped.append(self.source.fault((*path, key), why, at_key=True))

    def list_others(self, schema: dict[str, Any], path: Path, known: set[str]) -> None:
        """The keywords of a schema that are none of these."""
        for key in schema:
            if key not in known:
                self.list_(path, key, "is no rule about the cells of a row")


def condition(reader: Reader, schema: Any, slack: Decimal) -> str | None:
    """What a schema asks of a row, as one condition; None where it asks nothing. Unmapped where any part of
    it is no rule.
    """
    if not is_schema(schema):
        raise Unmapped("holds a part that is no schema")
    schema = reader.followed(schema)
    others = [key for key in schema if key not in ROW and key not in ABOUT]
    if others:
        raise Unmapped(f"holds '{others[0]}', which is no rule about the cells of a row")
    found = list(_conditions(reader, schema, slack))
    return every(found) if found else None


def _conditions(reader: Reader, schema: dict[str, Any], slack: Decimal) -> Iterator[str]:
    required, properties = names_in(schema.get("required", [])), mapping_in(schema, "properties")
    for name, inner in properties.items():
        yield from _of_property(
            column_text(name), reader.property(inner, column_text(name), slack), name in required
        )
    yield from (present(column_text(name)) for name in required if name not in properties)
    for part in listed(schema["allOf"]) if "allOf" in schema else []:
        yield from filter(None, [condition(reader, part, slack)])
    if "anyOf" in schema:
        ways = [condition(reader, part, slack) for part in listed(schema["anyOf"])]
        if all(way is not None for way in ways):
            yield either([way for way in ways if way is not None])
    if "not" in schema:
        inner = condition(reader, schema["not"], -slack)
        if inner is None:
            raise Unmapped("holds a 'not' of what asks nothing")
        yield f"not ({inner})"
    yield from _implied(reader, schema, slack)


def _of_property(column: str, found: Property, required: bool) -> Iterator[str]:
    """What one property of a condition asks."""
    if found.unmapped:
        keyword, why = found.unmapped[0]
        raise Unmapped(f"holds '{keyword}', which {why}")
    may_miss = not required or found.nullable
    texts = [text for _, text in found.conditions]
    if texts and may_miss:
        yield either([missing(column), every(texts)])
    elif not may_miss:
        yield every([present(column), *texts])


def _implied(reader: Reader, schema: dict[str, Any], slack: Decimal) -> Iterator[str]:
    """if … then … else …, and what one property requires of others."""
    for name, others in mapping_in(schema, "dependentRequired").items():
        if names_in(others):
            then = every([present(column_text(other)) for other in others])
            yield f"if {present(column_text(name))} then {then}"
    if "if" not in schema:
        return
    given, inverse = condition(reader, schema["if"], -slack), condition(reader, schema["if"], slack)
    for key, supposed in (("then", given), ("else", inverse and f"not ({inverse})")):
        wanted = condition(reader, schema[key], slack) if key in schema else None
        if wanted is None:
            continue
        if supposed is None and key == "then":
            yield wanted
        elif supposed is not None:
            given_text, wanted_text = (enclosed(t) if " then " in t else t for t in (supposed, wanted))
            yield f"if {given_text} then {wanted_text}"


def names_in(value: Any) -> list[str]:
    """A list of names; Unmapped elsewhere."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Unmapped(f"must be a list of names of properties; got {value!r:.60}")
    return value


def mapping_in(schema: dict[str, Any], key: str) -> dict[str, Any]:
    """What stands under a key, by name; Unmapped where it is no mapping."""
    found = schema.get(key, {})
    if not is_schema(found):
        raise Unmapped(f"{key} must be a mapping of names; got {found!r:.60}")
    return found
