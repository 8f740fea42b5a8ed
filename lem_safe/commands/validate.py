"""`lem-safe validate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from lem_safe.commands.options import Set, given
from lem_safe.commands.outcome import say_line
from lem_safe.errors import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario


def validate(
    scenarios: Annotated[
        list[str],
        typer.Argument(metavar="SCENARIO...", help="Scenario files, or names of bundled scenarios."),
    ],
    set_: Set = None,
) -> int:
    """Show every error of every scenario, with its line number; runs nothing."""
    from lem_safe.registry import concerning, load, must_hold, never_passes
    from lem_safe.runs.feasibility import never_together
    from lem_safe.runs.own_rows import own_rows

    overrides = given(set_)
    faults: list[Fault] = []
    for scenario in scenarios:
        try:
            loaded = load(scenario, overrides)
            for variant in [v.scenario for v in loaded.variants] or [loaded]:
                must_hold(variant)
        except BadInput as bad:
            faults += bad.faults
        else:
            filtered, sampler = loaded.filter["kind"], loaded.sampler
            say_line(
                f"{scenario}: valid: {loaded.name}, {sampler.samples} samples, {sampler.steps} steps, "
                f"filter {filtered}{_runs(loaded)}"
            )
            if loaded.why_double is not None:
                say_line(f"{scenario}: note: dtype: float64 is chosen: {loaded.why_double}")
            hopeless = dict.fromkeys(map(never_passes, [v.scenario for v in loaded.variants] or [loaded]))
            for why in filter(None, hopeless):
                say_line(
                    f"{scenario}: warning: audit.require: {loaded.audit.require}: no run can pass: {why}"
                )
            for counted in own_rows(loaded):
                say_line(f"{scenario}: note: {counted}")
            for why in concerning(loaded):
                say_line(f"{scenario}: warning: {why}")
            apart = dict.fromkeys(map(never_together, [v.scenario for v in loaded.variants] or [loaded]))
            for why in filter(None, apart):
                say_line(f"{scenario}: warning: constraints: {why}")
    if faults:
        raise BadInput(faults)
    return 0


def _runs(scenario: "Scenario") -> str:
    return f", a sweep of {len(scenario.variants)} runs" if scenario.variants else ""
