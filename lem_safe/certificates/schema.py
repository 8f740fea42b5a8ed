"""The JSON Schema of certificate.json, for programs that read certificates."""

from typing import Any

from lem_safe.auditor.schema import object_schema
from lem_safe.certificates.certificate import SCHEMA_VERSION, Certificate

MEANINGS = {
    "verdict": "certified if every tolerance holds at `confidence`, violated if one is known not to, else "
    "inconclusive.",
    "fingerprint": "Of the scenario that was sampled, with its frozen multipliers.",
    "confidence": "Of all constraints together.",
    "upper_bound": "One-sided, anytime-valid; the bounds of all constraints hold simultaneously.",
    "unit": "What is independent: every sample, or every cloud of `particles` samples.",
    "particles": "Samples in one cloud; null if every sample is independent.",
    "sha256": "Of the samples: float64, little-endian, row by row in the order of `columns`; of a file: its "
    "bytes.",
    "evaluations": "After how many samples the bound was evaluated.",
    "budget": "The most samples that would have been drawn, stated before the first.",
    "assumes": "What the bound needs, in words.",
    "question": "The regions and tolerances, as a scenario file that only an audit reads; paths start at the "
    "folder of the certificate.",
    "geometry": "Copies of the files that regions are read from, beside the certificate.",
    "decided_at": "After how many units the constraint was decided; null if it was not.",
    "pilot": "What was learned from particles that are not among the samples; null without a pilot.",
    "replaced_filter": "The scenario's filter, if its particles depend on each other and a tilt took its "
    "place; null otherwise.",
    "data": "Name and hash of every file that the scenario reads.",
    "issued": "The date, in UTC.",
}


def certificate_schema() -> dict[str, Any]:
    """The schema, draft 2020-12. Later versions may add keys, but never change the meaning of one."""
    body = object_schema(Certificate, MEANINGS)
    body["properties"] = {"schema_version": {"const": SCHEMA_VERSION}, **body["properties"]}
    body["required"] = ["schema_version", *body["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "certificate.json of lem-safe",
        **body,
    }
