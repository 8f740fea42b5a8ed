"""The auditor: counts samples inside unsafe sets and computes confidence bounds from the counts. It does not
depend on how the samples were made.
"""

from barriers.budget import budget
from lem_safe.auditor.audit import audit, grow
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.badge import badge_json, badge_svg
from lem_safe.auditor.formats import FORMATS
from lem_safe.auditor.samples import replica_arrays
from lem_safe.auditor.schema import audit_schema
from lem_safe.auditor.verdict import ConstraintReport
from lem_safe.bounds.planning import Plan, plan

__all__ = [
    "FORMATS",
    "AuditReport",
    "ConstraintReport",
    "Plan",
    "audit",
    "audit_schema",
    "badge_json",
    "badge_svg",
    "budget",
    "grow",
    "plan",
    "replica_arrays",
]
