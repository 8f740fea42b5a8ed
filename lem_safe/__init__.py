"""lem-safe: unsafe regions in YAML, energy-based sampling under constraints, audits of violations.

>>> import lem_safe
>>> run = lem_safe.run("ring_keep_out", samples=200, steps=40)
>>> run.report.passed, run.samples.shape, run.trace["fraction"].shape
(True, (200, 2), (40, 1))
>>> run.report
<AuditReport ring_keep_out: passed, 200 samples, pillar 3 % of 3 %>
>>> lem_safe.audit(run.samples, run.scenario).constraints[0].violations
6

Importing this package is fast; the first use of a name imports what it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from barriers.sets import Constraint
    from lem_safe import sets
    from lem_safe.auditing import audit
    from lem_safe.auditor import AuditReport
    from lem_safe.certificates.certificate import Certificate
    from lem_safe.certificates.certify import certify
    from lem_safe.certificates.verify import verify
    from lem_safe.errors import BadInput, Fault, NumericalFailure
    from lem_safe.judging.judge import quality
    from lem_safe.judging.judgement import Judgement
    from lem_safe.programming.counting import count
    from lem_safe.programming.energies import energy, score
    from lem_safe.programming.guard import guard
    from lem_safe.programming.sampling import sample
    from lem_safe.programming.shaped import path_columns
    from lem_safe.registry import load, loads
    from lem_safe.runs.result import Run
    from lem_safe.runs.runner import run
    from lem_safe.runs.sweep import Sweep, sweep
    from lem_safe.scenario import Scenario
    from lem_safe.thinning import Thinned, accepted, thin

_HOMES = {
    "AuditReport": "lem_safe.auditor",
    "BadInput": "lem_safe.errors",
    "Certificate": "lem_safe.certificates.certificate",
    "Constraint": "barriers.sets",
    "Fault": "lem_safe.errors",
    "Judgement": "lem_safe.judging.judgement",
    "NumericalFailure": "lem_safe.errors",
    "Run": "lem_safe.runs.result",
    "Scenario": "lem_safe.scenario",
    "Sweep": "lem_safe.runs.sweep",
    "Thinned": "lem_safe.thinning",
    "accepted": "lem_safe.thinning",
    "audit": "lem_safe.auditing",
    "certify": "lem_safe.certificates.certify",
    "count": "lem_safe.programming.counting",
    "energy": "lem_safe.programming.energies",
    "guard": "lem_safe.programming.guard",
    "load": "lem_safe.registry",
    "loads": "lem_safe.registry",
    "path_columns": "lem_safe.programming.shaped",
    "quality": "lem_safe.judging.judge",
    "run": "lem_safe.runs.runner",
    "sample": "lem_safe.programming.sampling",
    "score": "lem_safe.programming.energies",
    "sets": "lem_safe.sets",
    "sweep": "lem_safe.runs.sweep",
    "thin": "lem_safe.thinning",
    "verify": "lem_safe.certificates.verify",
}

__all__ = [
    "AuditReport",
    "BadInput",
    "Certificate",
    "Constraint",
    "Fault",
    "Judgement",
    "NumericalFailure",
    "Run",
    "Scenario",
    "Sweep",
    "Thinned",
    "__version__",
    "accepted",
    "audit",
    "certify",
    "count",
    "energy",
    "guard",
    "load",
    "loads",
    "path_columns",
    "quality",
    "run",
    "sample",
    "score",
    "sets",
    "sweep",
    "thin",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'lem_safe' has no attribute {name!r}")
    if name == "sets":  # a module
        return import_module("lem_safe.sets")
    return getattr(import_module(_HOMES[name]), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("lem-safe")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0"


def __dir__() -> list[str]:
    return sorted(__all__)
