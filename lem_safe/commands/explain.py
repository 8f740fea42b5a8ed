"""`lem-safe explain`."""

from typing import Annotated

import typer

from lem_safe.commands.options import ScenarioArgument, Set, given
from lem_safe.commands.outcome import say

Timing = Annotated[
    bool | None,
    typer.Option(
        "--timing/--no-timing",
        help="Time a few steps now, or state no seconds; without either they are timed where this machine "
        "has not yet timed such a scenario.",
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
    if timing and not loaded.lacking:
        kept.drop(loaded)
    clock = None if timing is False else perf_counter
    text = explain_audit.explain(loaded) if loaded.lacking else explained(loaded, clock, kept)
    say(f"{loaded.name}\n\n{text}")
    return 0
