"""Faults of values in words: pydantic's findings with a place, a rule, the value and a remedy."""

import difflib
import re
import types
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, Tag, ValidationError

from lem_safe.errors import Fault
from lem_safe.scenario.key_path import KeyPath
from lem_safe.scenario.numerals import instead, truth
from lem_safe.scenario.shapes import MARK
from lem_safe.scenario.source import Source

_BOUNDS = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "<="),
}
_MAPPING = "a mapping of keys to values"
_NOUNS = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "none_required": "left out",
    "finite_number": "finite",
}


def faults(error: ValidationError, source: Source, document: type[BaseModel]) -> list[Fault]:
    """One fault per finding; a missing key and its probable misspelling are reported once."""
    found = error.errors(include_url=False)
    unknown = {
        (key_path(e["loc"])[:-1], near(key_path(e["loc"])[-1], _keys(document, e["loc"][:-1])))
        for e in found
        if e["type"] == "extra_forbidden"
    }
    told = []
    for e in found:
        path = key_path(e["loc"])
        if e["type"] == "missing" and (path[:-1], path[-1]) in unknown:
            continue
        told.append(_fault(e, path, source, document))
    return told


def key_path(location: Sequence[str | int]) -> KeyPath:
    """A pydantic location without its union tags: the place of the value in the file."""
    return tuple(part for part in location if not (isinstance(part, str) and part.startswith(MARK)))


def near(word: Any, options: Iterable[str]) -> str | None:
    """The option that a misspelt word most probably means."""
    by_lower = {option.lower(): option for option in options}
    found = difflib.get_close_matches(str(word).lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: Any, options: Sequence[str]) -> str:
    """' - did you mean 'ball'?', or the options themselves where none is similar."""
    close = near(word, options)
    return f" - did you mean '{close}'?" if close else f"; known: {', '.join(options) or 'none'}"


def shown(value: Any) -> str:
    """A value as it was written, shortened where it is long."""
    if isinstance(value, dict):
        return f"a mapping with {', '.join(map(repr, list(value)[:4]))}" if value else "an empty mapping"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fault(e: Any, path: KeyPath, source: Source, document: type[BaseModel]) -> Fault:
    kind, value, context = e["type"], e["input"], e.get("ctx") or {}
    if kind == "extra_forbidden":
        return source.fault(
            path,
            f"unknown key '{path[-1]}'{did_you_mean(path[-1], _keys(document, e['loc'][:-1]))}",
            at_key=True,
        )
    if kind == "missing":
        return source.fault(path[:-1], f"missing key '{path[-1]}'{_example(document, e['loc'])}", at_key=True)
    if kind == "kind":
        return _kind_fault(e["msg"], value, context, path, source)
    return source.fault(path, _rule(kind, value, context, e["msg"]))


def _rule(kind: str, value: Any, context: dict[str, Any], message: str) -> str:
    got = f"; got {shown(value)}"
    if kind in _BOUNDS:
        name, sign = _BOUNDS[kind]
        return f"must be {sign} {context[name]:g}{got}"
    if kind in _NOUNS:
        hint = (
            f"; write {value:.0f}"
            if isinstance(value, float) and value.is_integer() and "whole" in _NOUNS[kind]
            else ""
        )
        if isinstance(value, str) and kind in ("float_type", "int_type"):
            hint = instead(value)
        if isinstance(value, str) and kind == "bool_type":
            hint = truth(value)
        return f"must be {_NOUNS[kind]}{got}{hint}"
    if kind == "shape":
        return f"must be {message}{got}{_of_shape(value, message)}"
    if kind == "literal_error":
        options = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
        return f"must be {' or '.join(options)}{got}" + (
            f" - did you mean '{n}'?"
            if (n := near(value, options)) and n != value
            else instead(value)
            if isinstance(value, str)
            else ""
        )
    if kind in ("too_short", "string_too_short"):
        return (
            f"must hold at least {context['min_length']} "
            f"entr{'y' if context['min_length'] == 1 else 'ies'}{got}"
        )
    if kind in ("too_long", "string_too_long"):
        return f"must hold at most {context['max_length']} entries{got}"
    if kind == "string_pattern_mismatch":
        return (
            f"must be letters, digits, '_', '-', '.', '+' and spaces, beginning with a letter or digit{got}"
        )
    return f"{message.removeprefix('Value error, ')}{got}"


def _kind_fault(noun: str, value: Any, context: dict[str, Any], path: KeyPath, source: Source) -> Fault:
    kinds, algebra = context["kinds"], [arm for arm in context["arms"] if arm in ("any", "all", "not")]
    article = "an" if noun[0] in "aeiou" else "a"
    if not isinstance(value, dict):
        names = ", or the name of one above" if "name" in context["arms"] else ""
        return source.fault(
            path, f"must be {article} {noun}, such as {{kind: {kinds[-1]}, ...}}{names}; got {shown(value)}"
        )
    if "kind" in value:
        if isinstance(value["kind"], str) and value["kind"] in context["refused"]:
            why = context["refused"][value["kind"]]
            return source.fault((*path, "kind"), f"{noun} kind '{value['kind']}' cannot be used: {why}")
        known = f"{noun} kind {shown(value['kind'])} is not known"
        return source.fault((*path, "kind"), known + did_you_mean(value["kind"], kinds))
    also = f", or one of {', '.join(algebra)}" if algebra else ""
    key = next((k for k in value if near(k, ["kind", *algebra])), None)
    if key is not None:
        return source.fault(
            (*path, key), f"unknown key '{key}'{did_you_mean(key, ['kind', *algebra])}", at_key=True
        )
    return source.fault(path, f"missing key 'kind'{also}; known kinds: {', '.join(kinds)}", at_key=True)


def _of_shape(value: Any, shapes: str) -> str:
    """How to write text that is a number or a truth value, where one is wanted."""
    if not isinstance(value, str):
        return ""
    return instead(value) if "number" in shapes else truth(value) if "true or false" in shapes else ""


def model_at(document: type[BaseModel], path: KeyPath) -> Any:
    """The model of one part of a scenario: of `energy`, of one region, of one constraint."""
    annotation: Any = document.model_fields[str(path[0])].annotation
    for _ in path[1:]:
        annotation = get_args(_without_annotations(annotation))[-1]
    return _without_annotations(annotation)


def _example(document: type[BaseModel], location: Sequence[str | int]) -> str:
    model = _model_at(document, location[:-1])
    for name, info in getattr(model, "model_fields", {}).items():
        if (info.alias or name) == location[-1] and info.examples:
            return f"; add it, as in '{location[-1]}: {flow(info.examples[0])}'"
    return ""


def flow(value: Any) -> str:
    """A value as YAML writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    return str(value)


def _keys(document: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    model = _model_at(document, location)
    return [info.alias or name for name, info in getattr(model, "model_fields", {}).items()]


def _model_at(annotation: Any, location: Sequence[str | int]) -> Any:
    """The model at a pydantic location, found by walking annotations: keys, list indices and union tags."""
    annotation = _without_annotations(annotation)
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _model_at(annotation.model_fields["root"].annotation, location)
    if not location:
        return annotation
    part, rest = location[0], location[1:]
    if get_origin(annotation) in (Union, types.UnionType):
        arms = get_args(annotation)
        tagged = [arm for arm in arms if any(isinstance(m, Tag) and m.tag == part for m in get_args(arm)[1:])]
        if tagged:
            return _model_at(tagged[0], rest)
        return _model_at(next((arm for arm in arms if arm is not type(None)), None), location)
    if isinstance(part, str) and part.startswith(MARK):
        return _model_at(annotation, rest)  # the tag of a union with one arm, which Python simplifies away
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, info in annotation.model_fields.items():
            if (info.alias or name) == part:
                return _model_at(info.annotation, rest)
        return None
    if get_origin(annotation) in (list, dict):
        return _model_at(get_args(annotation)[-1], rest)
    return None


def _without_annotations(annotation: Any) -> Any:
    return (
        _without_annotations(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation
    )
