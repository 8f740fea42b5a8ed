"""`lem-safe explain`."""

from lem_safe.commands.options import ScenarioArgument, Set, given
from lem_safe.commands.outcome import say


def explain(scenario: ScenarioArgument, set_: Set = None) -> int:
    """Explain in sentences what a scenario will sample, what it promises and what it costs; a few steps are
    timed for that, and nothing is kept.
    """
    from time import perf_counter

    from lem_safe.authoring import explain_audit
    from lem_safe.authoring.explain import explain as explained
    from lem_safe.registry import load

    loaded = load(scenario, given(set_), to_audit=True)
    text = explain_audit.explain(loaded) if loaded.lacking else explained(loaded, perf_counter)
    say(f"{loaded.name}\n\n{text}")
    return 0
