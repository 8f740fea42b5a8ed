"""YAML with comments: every key with its description from the published schema."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

WIDTH = 110


def block(key: str, spec: Mapping[str, Any], about: Mapping[str, Any], model: Mapping[str, Any]) -> list[str]:
    """A section: its key, and the keys of its specification."""
    return [*commented(f"{key}:", about, ""), *keys(spec, model, "  ")]


def keys(spec: Mapping[str, Any], model: Mapping[str, Any], indent: str) -> list[str]:
    """Every key of a specification, described by its part of the schema."""
    return [
        line for key, value in spec.items() for line in key_line(key, value, model["properties"][key], indent)
    ]


def key_line(key: str, value: Any, about: Mapping[str, Any], indent: str) -> list[str]:
    """One key and its value."""
    return commented(f"{key}: {flow(value)}", about, indent)


def commented(text: str, about: Mapping[str, Any], indent: str) -> list[str]:
    """A line with its description, behind it if that fits, else above."""
    meaning = " ".join(str(about.get("description", "")).split())
    if meaning.startswith("Which "):
        meaning = meaning.split(": ", 1)[1]
    line = f"{indent}{text}"
    if not meaning:
        return [line]
    if len(line) + 4 + len(meaning) <= WIDTH:
        return [f"{line}  # {meaning}"]
    return [*(f"{indent}# {part}" for part in wrap(meaning, WIDTH - 2 - len(indent))), line]


def flow(value: Any) -> str:
    """A value on one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return (
            value
            if value.replace("_", "").isalnum() and not value[0].isdigit()
            else '"' + value.replace('"', '\\"') + '"'
        )
    return str(value)
