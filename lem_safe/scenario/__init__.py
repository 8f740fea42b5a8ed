"""The scenario: a YAML file that states what to sample, which regions to avoid, and how much is tolerated."""

from lem_safe.scenario.aim import Judged, aims, leaves_room, never_certified, without_aim
from lem_safe.scenario.bundled import (
    bundled_directory,
    bundled_programs,
    bundled_scenarios,
    expected_verdict,
    first_comment,
    first_sentence,
)
from lem_safe.scenario.fingerprint import fingerprint
from lem_safe.scenario.given import constraints_given, of_regions, regions_given
from lem_safe.scenario.in_python import STAND_IN, InPython, in_python
from lem_safe.scenario.inits import INITS
from lem_safe.scenario.loading import fault_in, find, load, loads, must_run, of_values
from lem_safe.scenario.model import Scenario, Variant
from lem_safe.scenario.overrides import settings
from lem_safe.scenario.schema import json_schema
from lem_safe.scenario.sections import Audit, Constraint, Penalty, Sampler
from lem_safe.scenario.sweep import named
from lem_safe.scenario.tables import Table, Tables

__all__ = [
    "INITS",
    "STAND_IN",
    "Audit",
    "Constraint",
    "InPython",
    "Judged",
    "Penalty",
    "Sampler",
    "Scenario",
    "Table",
    "Tables",
    "Variant",
    "aims",
    "bundled_directory",
    "bundled_programs",
    "bundled_scenarios",
    "constraints_given",
    "expected_verdict",
    "fault_in",
    "find",
    "fingerprint",
    "first_comment",
    "first_sentence",
    "in_python",
    "json_schema",
    "leaves_room",
    "load",
    "loads",
    "must_run",
    "named",
    "never_certified",
    "of_regions",
    "of_values",
    "regions_given",
    "settings",
    "without_aim",
]
