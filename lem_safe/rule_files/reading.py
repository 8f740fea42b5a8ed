"""A file of rules in any of the formats that are known, told by its content."""

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_be_readable
from lem_safe.rule_files.column_text import Columns
from lem_safe.rule_files.json_schema import schema_rules
from lem_safe.rule_files.linear_rules import linear_rules
from lem_safe.rule_files.pandera_schema import pandera_rules
from lem_safe.rule_files.rule_file import RuleFile
from lem_safe.scenario.reading import parse

MAX_BYTES = 5_000_000
FORMATS = "the format of PiShield and C-DGM, a JSON Schema, or a schema that pandera wrote as YAML"
MAPPING = re.compile(r"\s*\{|(?:^|\n)(?:[\"']?[$\w]+[\"']?):(?:\s|$)")
"""What JSON and YAML mappings have and rules about y_0, y_1, … do not."""


def read_rules(path: Path, columns: Sequence[str] | None, tolerance: Decimal, source: str = "") -> RuleFile:
    """The rules of a file under a tolerance; BadInput with every fault found.

    columns: the names of the columns that a file numbers, y_0, y_1, …; None where these stay. source: what
    messages call the table that the names are from. tolerance: by how much an inequality may be missed, in
    the units of its sides, at least 0.
    """
    text = _text(path)
    if not MAPPING.match(_without_comments(text)):
        return linear_rules(text, str(path), Columns(columns, source), tolerance)
    found = parse(text, str(path))
    if found.faults:
        raise BadInput(found.faults)
    keys: Any = found.value
    if keys.get("schema_type") is not None or ("columns" in keys and "properties" not in keys):
        return pandera_rules(found, tolerance)
    if {"properties", "$schema", "items", "allOf", "$ref", "required", "if", "anyOf"} & set(keys):
        return schema_rules(found, tolerance)
    first = ", ".join(map(repr, list(keys)[:4]))
    raise BadInput(
        Fault(f"is none of the files of rules that are known: {FORMATS}; its keys are {first}", str(path))
    )


def _text(path: Path) -> str:
    must_be_readable(path)
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadInput(
            Fault(f"must be at most {MAX_BYTES:,} bytes, as a file of rules; divide it", str(path))
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"must be UTF-8 text; byte {error.start} is not; it must hold rules: {FORMATS}"
        raise BadInput(Fault(message, str(path), line)) from None
    if not text.strip():
        raise BadInput(Fault(f"is empty; it must hold rules: {FORMATS}", str(path)))
    return text


def _without_comments(text: str) -> str:
    """The text from its first line on that is neither blank nor a comment."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() and line.lstrip()[0] != "#"), 0)
    return "\n".join(line for line in lines[start:] if line.strip() != "---")
