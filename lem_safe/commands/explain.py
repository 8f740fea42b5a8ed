"""`lem-safe explain`."""

from typing import Annotated

import typer

from lem_safe.commands.options import ScenarioArgument, Set, given
from lem_safe.commands.outcome import say

Timing = Annotated[
    bool | None,
    typer.Option(
        "--timing/--no-timing",
        help="Time a few steps now, or state no seconds; without either, the seconds of the last timing on "
        "this machine, or an estimate where there is none.",
    ),
]


def explain(scenario: ScenarioArgument, set_: Set = None, timing: Timing = None) -> int:
    """Explain in sentences what a scenario will sample, what it promises and what it costs."""
    from time import perf_counter

    from lem_safe.authoring import explain_audit
    from lem_safe.authoring.explain import explain as explained
    from lem_safe.authoring.timings import Timings
    from lem_safe.registry import load

    loaded, kept = load(scenario, given(set_), to_audit=True), Timings.here()
    if loaded.lacking:
        text = explain_audit.explain(loaded)
    elif timing is False:
        text = explained(loaded)
    elif timing:
        kept.drop(loaded)
        text = explained(loaded, clock=perf_counter, kept=kept)
    else:
        text = explained(loaded, kept=kept, estimating=perf_counter)
    say(f"{loaded.name}\n\n{text}")
    return 0
