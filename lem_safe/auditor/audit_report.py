"""What an audit found, as one frozen value that becomes text, JSON and a notebook table."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from lem_safe.auditor.formats import FORMATS, to_json
from lem_safe.auditor.text import to_html, to_text
from lem_safe.auditor.verdict import ConstraintReport, UnionReport
from lem_safe.faults import BadInput

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class AuditReport:
    """The verdict on n samples against one scenario. `passed` alone decides the exit status."""

    passed: bool
    samples: int
    confidence: float
    assumes: str
    """independent samples, independent clouds, or coupled cloud: bound not claimed."""
    constraints: tuple[ConstraintReport, ...]
    scenario: str
    """The scenario's name."""
    fingerprint: str
    assumes_detail: str
    """The assumption in a sentence, and how several constraints share the confidence."""
    require: str
    """What passing asks for: `passed`, the census and the trace, or `bound`, the bound as well."""
    correction: str
    """How several constraints share the error: bonferroni or holm."""
    union: UnionReport | None
    """The samples inside any constrained region, where there are several."""
    after_step: int
    """The first step of the trace that is judged."""
    near_within: float | None
    """The distance within which `near` counts; None where it was not asked for."""
    columns: tuple[str, ...]
    columns_matched: str
    """By name, or by position where the samples' names are not the scenario's."""
    source: str

    @property
    def status(self) -> int:
        """The exit status: 0 passed, 1 failed."""
        return 0 if self.passed else 1

    def to_dict(self) -> dict[str, Any]:
        """The content of audit.json: plain lists, dicts, numbers and None."""
        return {"schema_version": SCHEMA_VERSION, **json.loads(json.dumps(dataclasses.asdict(self), allow_nan=False))}

    def to_json(self) -> str:
        """audit.json, readable, without NaN."""
        return to_json(self.to_dict())

    def to(self, form: str) -> str:
        """The audit as `text`, `json`, `junit`, `markdown` or `github`; a ValueError for another form."""
        if form not in FORMATS:
            raise ValueError(f"an audit has no form '{form}'; choose one of {', '.join(FORMATS)}")
        return FORMATS[form](self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "AuditReport":
        """The report that `to_json` wrote; BadInput for a schema version this program does not know."""
        data = json.loads(text)
        version = data.pop("schema_version", None)
        if version != SCHEMA_VERSION:
            raise BadInput(f"audit.json: schema_version must be {SCHEMA_VERSION}; got {version}; audit the samples again")
        constraints = tuple(ConstraintReport.from_dict(c) for c in data.pop("constraints"))
        union = UnionReport.from_dict(data["union"]) if data["union"] else None
        return cls(**{**data, "constraints": constraints, "union": union, "columns": tuple(data["columns"])})

    def to_text(self) -> str:
        """The verdict for a terminal."""
        return to_text(self.to_dict())

    def _repr_html_(self) -> str:
        return to_html(self.to_dict())

    def __str__(self) -> str:
        return self.to_text()
