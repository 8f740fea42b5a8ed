"""The JSON Schema of audit.json, generated from the dataclasses that are written to it, for programs that
read audits.
"""

import dataclasses
from collections.abc import Mapping
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
    "passed": "Whether every tolerance was met: by the count, by every judged step, and by the bound "
    "if it is required.",
    "verdict": "The verdict of the bound; it changes `passed` only if `require` is bound or anytime.",
    "upper_bound": "One-sided upper bound on the fraction of the distribution; the bounds of all "
    "constraints hold simultaneously.",
    "max_fraction_over_steps": "The largest fraction over all recorded steps; null for samples from "
    "elsewhere.",
    "clearance_min": "The smallest signed distance to the set, in the data's units, negative inside; null "
    "for sets without a distance.",
    "budget": "The largest count that passes, the integer part of beta times the number of samples.",
    "assumes": "What the bound needs: independent samples, clouds, chains or paths; or why no bound is "
    "claimed.",
    "method": "The method of the bounds; anytime and betting bounds are anytime-valid.",
    "units": "The number of units, of the kind `unit`, that the bounds count.",
    "diagnostic_ess": "The number of independent rows that the samples are equivalent to, by batch means: a "
    "diagnostic that no verdict uses.",
    "clouds": "The separate file of clouds from which the bound is computed; null if it is computed "
    "from the samples.",
    "by_cloud": "For several clouds, one entry per constraint: the mean of the clouds' fractions and the "
    "largest, of the samples and over the judged steps; otherwise empty.",
    "contradicted": "Whether the evaluations of an audit that grows contradict each other: then the units "
    "are not independent draws from one distribution.",
    "columns_matched": "By name, or by position if the samples or the scenario have no names of their own.",
    "columns_detail": "In words, which column of the samples is used as which column of the scenario; empty "
    "if the names are equal.",
    "between": "What was checked of paths: their points, or their segments and how finely; null if "
    "there are no paths.",
    "repeats": "The number of distinct rows and of distinct units: copies are not independent samples.",
    "movement": "For samples of a run: the share of particles that ever moved, the share of moves made, "
    "split R-hat; otherwise null.",
    "dropped": "The number of rows that miss a value in a column that is read and were left out (missing: "
    "drop); null if a missing value is an error.",
    "kinds": "What the columns that hold no numbers hold, by name: text, date or boolean; null if all hold "
    "numbers.",
    "unseen": "Texts that a rule compares a column with and that never occur in it: `close` is a value that "
    "does and is written alike, `values` are some that occur.",
    "unequal": "Columns that are not, in `differ` of the rows, what the scenario derives them as; `first` is "
    "the first such row, counted from 1. Rules are about the cells as they are.",
    "cells": "The values as written, if some columns hold no numbers; null otherwise.",
    "unclaimed": "Why no bound is claimed; null where one is.",
    "looks": "In an audit that grows, the number of evaluations; null for an audit that is made once.",
}


def audit_schema() -> dict[str, Any]:
    """The schema, draft 2020-12. Later versions of the program may add keys, but never change the meaning of
    an existing one.
    """
    body = object_schema(AuditReport, MEANINGS)
    body["properties"] = {"schema_version": {"const": SCHEMA_VERSION}, **body["properties"]}
    body["properties"]["reason"] = {
        "description": "Why it passed or failed, in one sentence.",
        "type": "string",
    }
    body["properties"]["caveats"] = {
        "description": "Remarks that belong to the bound, one or two sentences each.",
        "type": "array",
        "items": {"type": "string"},
    }
    body["required"] = ["schema_version", *body["required"], "reason", "caveats"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "audit.json of lem-safe",
        **body,
    }


def object_schema(cls: type, meanings: Mapping[str, str]) -> dict[str, Any]:
    """The schema of a dataclass as JSON. meanings: descriptions by the name of a field."""
    hints = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    properties = {name: _property(name, hints[name], meanings) for name in names}
    return {"type": "object", "properties": properties, "required": names}


def _property(name: str, hint: Any, meanings: Mapping[str, str]) -> dict[str, Any]:
    described = {"description": meanings[name]} if name in meanings else {}
    limits = {"minimum": 0, "maximum": 1} if name in BETWEEN_0_AND_1 else {}
    return {**described, **_type(hint, meanings), **limits}


def _type(hint: Any, meanings: Mapping[str, str]) -> dict[str, Any]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return object_schema(hint, meanings)
    if get_origin(hint) is dict:
        return {"type": "object"}
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    if isinstance(hint, UnionType):
        inner = [arm for arm in get_args(hint) if arm is not NoneType]
        return {"anyOf": [*(_type(arm, meanings) for arm in inner), {"type": "null"}]}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _type(get_args(hint)[0], meanings)}
    if isinstance(hint, type) and issubclass(hint, tuple):
        fields = list(get_type_hints(hint).values())
        return {
            "type": "array",
            "prefixItems": [_type(f, meanings) for f in fields],
            "minItems": len(fields),
            "maxItems": len(fields),
        }
    return {"type": {bool: "boolean", int: "integer", float: "number", str: "string"}[hint]}
