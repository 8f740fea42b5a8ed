"""The published schema of audit.json: current, and true of every kind of audit, by a small validator of our own."""

import json
from importlib.resources import files

import numpy as np
from test_auditor import cloud, scenario, trace

from lem_safe.auditor import audit, audit_schema

NAMES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def faults(value, schema, path="$"):
    """What in `value` breaks `schema`; only the keywords that the schema uses."""
    if "anyOf" in schema:
        each = [faults(value, arm, path) for arm in schema["anyOf"]]
        return [] if any(not f for f in each) else each[0]
    if "const" in schema or "enum" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{path}: {value!r}"]
    kind = schema["type"]
    if kind in ("number", "integer"):
        numeric = not isinstance(value, bool) and isinstance(value, int if kind == "integer" else (int, float))
        return [] if numeric and schema.get("minimum", value) <= value <= schema.get("maximum", value) else [f"{path}: {value!r}"]
    if not isinstance(value, NAMES[kind]):
        return [f"{path}: {value!r}"]
    found = []
    if kind == "object":
        found += [f"{path}: no {name}" for name in schema["required"] if name not in value]
        found += [f for name, v in value.items() for f in faults(v, schema["properties"][name], f"{path}.{name}")]
    if kind == "array":
        arms = schema.get("prefixItems") or [schema["items"]] * len(value)
        found += [f"{path}: length {len(value)}"] if len(arms) != len(value) else []
        found += [f for i, (v, arm) in enumerate(zip(value, arms, strict=False)) for f in faults(v, arm, f"{path}[{i}]")]
    return found


def audits():
    yield audit(cloud(250, 5000), scenario([("pillar", 0.03), ("strip", 0.06)]), near=0.5, correction="holm")
    yield audit(cloud(3, 100), scenario([("pillar", 0.03)]), trace=trace([1, 2, 3], 100), coupled=True)
    rule = {"kind": "rule", "where": "x0 < 2*sqrt(x1)"}
    yield audit(np.array([[5.0, 4.0], [1.0, -1.0]]), scenario([("r", 0.5)], unsafe={"r": rule}), strict=True)


def test_every_audit_fits_the_schema():
    for report in audits():
        assert faults(json.loads(report.to_json()), audit_schema()) == []


def test_the_validator_finds_planted_faults():
    data = json.loads(next(audits()).to_json())
    schema = audit_schema()
    constraint = data["constraints"][0]
    for broken, place in (
        ({**data, "schema_version": 2}, "$.schema_version"),
        ({**data, "passed": "yes"}, "$.passed"),
        ({key: v for key, v in data.items() if key != "samples"}, "$: no samples"),
        ({**data, "constraints": [{**constraint, "verdict": "fine"}]}, "$.constraints[0].verdict"),
        ({**data, "constraints": [{**constraint, "fraction": 1.5}]}, "$.constraints[0].fraction"),
    ):
        (fault,) = faults(broken, schema)
        assert fault.startswith(place)


def test_the_published_file_is_current():
    published = (files("lem_safe.auditor") / "audit.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == audit_schema()
