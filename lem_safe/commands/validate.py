"""`lem-safe validate`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from lem_safe.commands.options import Set, given
from lem_safe.commands.outcome import say_line
from lem_safe.errors import BadInput, Fault
from lem_safe.formatting import percent

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
    from lem_safe.registry import load, must_hold

    overrides = given(set_)
    faults: list[Fault] = []
    for scenario in scenarios:
        try:
            loaded = load(scenario, overrides, to_audit=True)
            if not loaded.lacking:
                for variant in [v.scenario for v in loaded.variants] or [loaded]:
                    must_hold(variant)
        except BadInput as bad:
            faults += bad.faults
        else:
            for text in _to_audit(loaded) if loaded.lacking else _to_run(loaded):
                say_line(f"{scenario}: {text}")
    if faults:
        raise BadInput(faults)
    return 0


def _to_audit(scenario: "Scenario") -> Iterator[str]:
    """What is said of a file without an energy or a sampler."""
    asked = ", ".join(f"at most {percent(c.beta)} in {c.set}" for c in scenario.constraints)
    yield f"valid, a file to audit with (no {' and no '.join(scenario.lacking)}): {scenario.name}, {asked}"


def _to_run(scenario: "Scenario") -> Iterator[str]:
    """What is said of a scenario that can be run, with what to know before it is."""
    from lem_safe.authoring.columns import kinds
    from lem_safe.registry import concerning, equal_in, never_passes, table_of
    from lem_safe.runs.feasibility import never_together
    from lem_safe.runs.own_rows import own_rows

    variants, sampler = [v.scenario for v in scenario.variants] or [scenario], scenario.sampler
    yield (
        f"valid: {scenario.name}, {sampler.samples} samples, {sampler.steps} steps, filter "
        f"{scenario.filter['kind']}{_runs(scenario)}"
    )
    if scenario.why_double is not None:
        yield f"note: dtype: float64 is chosen: {scenario.why_double}"
    if (codec := table_of(scenario.energy)) is not None:
        yield f"note: columns: {kinds(codec)}"
    for equal in equal_in(scenario.energy):
        yield f"note: {equal.in_words()}"
    for why in filter(None, dict.fromkeys(map(never_passes, variants))):
        yield f"warning: audit.require: {scenario.audit.require}: no run can pass: {why}"
    for counted in own_rows(scenario):
        yield f"note: {counted}"
    for why in concerning(scenario):
        yield f"warning: {why}"
    for why in filter(None, dict.fromkeys(map(never_together, variants))):
        yield f"warning: constraints: {why}"


def _runs(scenario: "Scenario") -> str:
    return f", a sweep of {len(scenario.variants)} runs" if scenario.variants else ""
