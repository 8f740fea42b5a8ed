"""The JSON Schema of audit.json, read from the dataclasses that are written to it: for programs that take an
audit in.
"""

import dataclasses
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from lem_safe.auditor.audit_report import SCHEMA_VERSION, AuditReport

BETWEEN_0_AND_1 = {
    "fraction",
    "upper_bound",
    "lower_bound",
    "confidence",
    "confidence_each",
    "p_value",
    "smallest_beta",
    "beta",
}
MEANINGS = {
    "passed": "Whether every tolerance was met: the count, every judged step, and the bound where it is "
    "required.",
    "verdict": "What the bound says; it changes `passed` only where `require` is bound or anytime.",
    "upper_bound": "One-sided upper bound on the law's fraction; the bounds of all constraints hold "
    "together.",
    "max_fraction_over_steps": "The largest fraction over all recorded steps; null for samples made "
    "elsewhere.",
    "clearance_min": "The smallest signed distance to the set, data units, negative inside; null for sets "
    "without a distance.",
    "budget": "The largest count that passes, the integer part of beta times the number of samples.",
    "assumes": "What the bound needs: independent samples, clouds, chains or paths; or why no bound is "
    "claimed.",
    "method": "What the bounds are by; anytime and betting ones hold however often one looks.",
    "units": "How many units, of the kind `unit`, the bounds count.",
    "diagnostic_ess": "How many independent rows these amount to by batch means: a diagnostic, which no "
    "verdict uses.",
    "clouds": "The file of clouds beside the samples that the bound is taken from; null where it is taken "
    "from the samples.",
    "contradicted": "Whether the looks of an audit that grows exclude each other: the units are no "
    "independent draws of one law.",
    "columns_matched": "By name, or by position where the samples or the scenario have no names of their "
    "own.",
    "columns_detail": "Which column of the samples is which of the scenario's, in words; empty where the "
    "names are equal.",
    "between": "What of paths was looked at: their points, or their segments and how closely; null where "
    "nothing is about paths.",
    "repeats": "How many rows differ, and how many units: copies of one another are not independent samples.",
    "movement": "Of the run that the samples end: the share of particles that ever moved, the share of "
    "moves made, split R-hat; null elsewhere.",
    "unclaimed": "Why no bound is claimed; null where one is.",
    "looks": "In an audit that grows, how often it was looked at; null for an audit made once.",
}


def audit_schema() -> dict[str, Any]:
    """The schema, draft 2020-12. Keys may be added in later versions of the program; none listed here changes
    its meaning.
    """
    body = _object(AuditReport)
    body["properties"] = {"schema_version": {"const": SCHEMA_VERSION}, **body["properties"]}
    body["properties"]["reason"] = {
        "description": "Why it passed or failed, in one sentence.",
        "type": "string",
    }
    body["properties"]["caveats"] = {
        "description": "What stands beside the bound, a sentence or two each.",
        "type": "array",
        "items": {"type": "string"},
    }
    body["required"] = ["schema_version", *body["required"], "reason", "caveats"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "audit.json of lem-safe",
        **body,
    }


def _object(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    properties = {name: _property(name, hints[name]) for name in names}
    return {"type": "object", "properties": properties, "required": names}


def _property(name: str, hint: Any) -> dict[str, Any]:
    described = {"description": MEANINGS[name]} if name in MEANINGS else {}
    limits = {"minimum": 0, "maximum": 1} if name in BETWEEN_0_AND_1 else {}
    return {**described, **_type(hint), **limits}


def _type(hint: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _object(hint)
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    if isinstance(hint, UnionType):
        inner = [arm for arm in get_args(hint) if arm is not NoneType]
        return {"anyOf": [*(_type(arm) for arm in inner), {"type": "null"}]}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _type(get_args(hint)[0])}
    if isinstance(hint, type) and issubclass(hint, tuple):
        fields = list(get_type_hints(hint).values())
        return {
            "type": "array",
            "prefixItems": [_type(f) for f in fields],
            "minItems": len(fields),
            "maxItems": len(fields),
        }
    return {"type": {bool: "boolean", int: "integer", float: "number", str: "string"}[hint]}
