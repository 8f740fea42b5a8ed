"""`lem-safe explain`."""

from typing import Annotated

import typer

from lem_safe.commands.options import ScenarioArgument, Set, given
from lem_safe.commands.outcome import say

Timing = Annotated[
    bool,
    typer.Option(
        "--timing/--no-timing",
        help="Also time a few steps, which takes longer than all else, and keep nothing.",
    ),
]


def explain(scenario: ScenarioArgument, set_: Set = None, timing: Timing = True) -> int:
    """Explain in sentences what a scenario will sample, what it promises and what it costs."""
    from time import perf_counter

    from lem_safe.authoring import explain_audit
    from lem_safe.authoring.explain import explain as explained
    from lem_safe.registry import load

    loaded = load(scenario, given(set_), to_audit=True)
    clock = perf_counter if timing else None
    text = explain_audit.explain(loaded) if loaded.lacking else explained(loaded, clock)
    say(f"{loaded.name}\n\n{text}")
    return 0
