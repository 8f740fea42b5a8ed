"""lem-safe: unsafe regions in YAML, constrained energy sampling, audited violations.

>>> import lem_safe
>>> run = lem_safe.run("ring_keep_out", samples=200, steps=40)
>>> run.report.passed, run.samples.shape, run.trace["fraction"].shape
(True, (200, 2), (40, 1))
>>> run.report
<AuditReport ring_keep_out: passed, 200 samples, pillar 0 % of 3 %>
>>> lem_safe.audit(run.samples, run.scenario).constraints[0].violations
0

Importing this package imports nothing heavy; the first use of a name does.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lem_safe.auditing import audit
    from lem_safe.auditor import AuditReport
    from lem_safe.catalogue import load, loads
    from lem_safe.faults import BadInput, Fault, NumericalFailure
    from lem_safe.finished_run import Run
    from lem_safe.runner import run
    from lem_safe.scenario import Scenario
    from lem_safe.sweeping import Sweep, sweep

_HOMES = {
    "AuditReport": "lem_safe.auditor",
    "BadInput": "lem_safe.faults",
    "Fault": "lem_safe.faults",
    "NumericalFailure": "lem_safe.faults",
    "Run": "lem_safe.finished_run",
    "Scenario": "lem_safe.scenario",
    "Sweep": "lem_safe.sweeping",
    "audit": "lem_safe.auditing",
    "load": "lem_safe.catalogue",
    "loads": "lem_safe.catalogue",
    "run": "lem_safe.runner",
    "sweep": "lem_safe.sweeping",
}

try:
    __version__ = version("lem-safe")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0"

__all__ = [
    "AuditReport",
    "BadInput",
    "Fault",
    "NumericalFailure",
    "Run",
    "Scenario",
    "Sweep",
    "__version__",
    "audit",
    "load",
    "loads",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lem_safe' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
