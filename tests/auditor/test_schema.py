"""The published schema of audit.json: current, and true of every kind of audit, by a small validator of our
own.
"""

import json
from importlib.resources import files

import numpy as np
from audited import cloud, faults, scenario, trace

from lem_safe.auditor import audit, audit_schema


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
