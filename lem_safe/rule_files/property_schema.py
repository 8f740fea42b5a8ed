"""The schema of one property: what it asks of the cells of a column that are not missing, and whether they
may be.
"""

from decimal import Decimal
from typing import Any, NamedTuple, TypeGuard

from lem_safe.rule_files import conditions
from lem_safe.rule_files.conditions import Unmapped

ABOUT = {"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly"}
ABOUT |= {"$comment", "$id", "$schema", "$defs", "definitions", "name"}
SIGNS = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
READ = {*SIGNS, "multipleOf", "enum", "const", "allOf", "anyOf", "not", "type", "nullable", "$ref"}
TYPES = ("integer", "number", "string", "boolean", "null")
DEEP = 20


class Property(NamedTuple):
    """conditions: of a cell that is not missing, each with its keyword. nullable: whether null is a value.
    unmapped: keywords that are no rule, each with the reason. bare: a keyword that asks for a type alone.
    """

    conditions: tuple[tuple[str, str], ...]
    nullable: bool
    unmapped: tuple[tuple[str, str], ...] = ()
    bare: str | None = None


class Reader:
    """Reads the schemas of properties of one document."""

    def __init__(self, document: dict[str, Any]):
        self.document = document

    def followed(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema with what its `$ref` stands for, within the document."""
        for _ in range(DEEP):
            if "$ref" not in schema:
                return schema
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self._found(schema["$ref"]), **beside}
        raise Unmapped("refers to itself")

    def _found(self, reference: Any) -> dict[str, Any]:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise Unmapped(f"refers to {reference!r}, which is not in this file")
        found: Any = self.document
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                raise Unmapped(f"refers to {reference!r}, which there is not")
            found = found[name]
        if not is_schema(found):
            raise Unmapped(f"refers to {reference!r}, which is no schema")
        return found

    def property(self, schema: Any, column: str, slack: Decimal, depth: int = 0) -> Property:
        """What a schema asks of a column, by its name in rules, accepted up to the slack."""
        if schema is True or schema == {}:
            return Property((), True)
        if not is_schema(schema) or depth > DEEP:
            raise Unmapped("is no schema: a mapping of keywords" if depth <= DEEP else "is nested too deeply")
        whole = self.followed(schema)
        found, left = [], []  # type: list[tuple[str, str]], list[tuple[str, str]]
        for keyword in whole:
            if keyword not in READ:
                left += [(keyword, "is no rule about the cells of a row")] * (keyword not in ABOUT)
                continue
            try:
                text = self._keyword(keyword, whole, column, slack, depth)
            except Unmapped as why:
                left.append((keyword, str(why)))
            else:
                found += [(keyword, text)] if text else []
        asked = [keyword for keyword in whole if keyword in READ]
        bare = asked[0] if asked and not found and not left else None
        return Property(tuple(found), self._nullable(whole, depth), tuple(left), bare)

    def _keyword(
        self, keyword: str, schema: dict[str, Any], column: str, slack: Decimal, depth: int
    ) -> str | None:
        """The condition of one keyword; None where it asks nothing of a cell."""
        value = schema[keyword]
        match keyword:
            case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
                return _bounded(keyword, schema, column, slack)
            case "multipleOf":
                return conditions.multiple(column, value, max(slack, Decimal(0)))
            case "enum" | "const":
                values = value if keyword == "enum" else [value]
                return _values(values, column, slack)
            case "type":
                kinds = _types(schema) - {"null"}
                if not kinds:
                    raise Unmapped("allows null alone")
                if kinds == {"integer"}:
                    return conditions.whole(column, max(slack, Decimal(0)))
                return (
                    conditions.either([f"{column} == true", f"{column} == false"])
                    if kinds == {"boolean"}
                    else None
                )
            case "not":
                inner = self._joined(value, column, -slack, depth)
                if inner is None:
                    raise Unmapped("is the negation of what asks nothing of a cell")
                return f"not ({inner})"
            case "allOf":
                texts = [self._joined(part, column, slack, depth) for part in listed(value)]
                return conditions.every(some) if (some := [t for t in texts if t]) else None
            case "anyOf":
                return self._any(listed(value), column, slack, depth)
        return None

    def _any(self, schemas: list[Any], column: str, slack: Decimal, depth: int) -> str | None:
        """One of several schemas; those of null alone are about missing cells."""
        values = [part for part in schemas if not (is_schema(part) and _types(part) == {"null"})]
        texts = [self._joined(part, column, slack, depth) for part in values]
        return conditions.either([t for t in texts if t]) if texts and all(texts) else None

    def _joined(self, schema: Any, column: str, slack: Decimal, depth: int) -> str | None:
        """A schema within another one: all of it, or Unmapped."""
        found = self.property(schema, column, slack, depth + 1)
        if found.unmapped:
            keyword, why = found.unmapped[0]
            raise Unmapped(f"holds '{keyword}', which {why}")
        return conditions.every([text for _, text in found.conditions]) if found.conditions else None

    def _nullable(self, schema: dict[str, Any], depth: int = 0) -> bool:
        """Whether null is a value."""
        inner, every = (
            [self.followed(part) for part in listed(schema[key]) if is_schema(part)] if key in schema else []
            for key in ("anyOf", "allOf")
        )
        if depth > DEEP or schema.get("nullable") is True:
            return True
        return (
            ("type" not in schema or "null" in _types(schema))
            and ("enum" not in schema or None in listed(schema["enum"]))
            and ("const" not in schema or schema["const"] is None)
            and ("anyOf" not in schema or any(self._nullable(p, depth + 1) for p in inner))
            and all(self._nullable(p, depth + 1) for p in every)
        )


def is_schema(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a mapping of keywords."""
    return isinstance(value, dict)


def _types(schema: dict[str, Any]) -> set[str]:
    """The types that a schema allows; Unmapped where they are none of a cell."""
    found = schema.get("type", [])
    words = found if isinstance(found, list) else [found]
    kinds = {word if isinstance(word, str) else repr(word) for word in words}
    if kinds - set(TYPES):
        raise Unmapped(
            f"has the type {min(map(str, kinds - set(TYPES)))}, and a cell is one of {', '.join(TYPES)}"
        )
    return kinds


def listed(value: Any) -> list[Any]:
    """A list with something in it; Unmapped elsewhere."""
    if not isinstance(value, list) or not value:
        raise Unmapped(f"needs a list; got {value!r:.60}")
    return value


def _values(values: Any, column: str, slack: Decimal) -> str | None:
    """One of some values; null is about missing cells. A slack below 0, within a negation, leaves values
    exact.
    """
    some = [value for value in listed(values) if value is not None]
    if not some:
        raise Unmapped("allows null alone")
    return conditions.among(column, some, max(slack, Decimal(0)))


def _bounded(keyword: str, schema: dict[str, Any], column: str, slack: Decimal) -> str | None:
    """A bound; in draft 4 `exclusiveMinimum: true` makes one of `minimum` strict."""
    value, sign = schema[keyword], SIGNS[keyword]
    if keyword.startswith("exclusive") and isinstance(value, bool):
        return None
    twin = f"exclusive{keyword.capitalize()}"
    if schema.get(twin) is True:
        sign = sign[0]
    return conditions.bound(column, sign, value, slack)
