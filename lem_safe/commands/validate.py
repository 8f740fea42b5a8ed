"""`lem-safe validate`."""

from typing import Annotated

import typer

from lem_safe.commands.outcome import say
from lem_safe.faults import BadInput, Fault


def validate(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Scenario files or bundled names.")],
) -> int:
    """Show every error of every scenario, with its line; runs nothing."""
    from lem_safe.catalogue import load

    faults: list[Fault] = []
    for scenario in scenarios:
        try:
            loaded = load(scenario)
        except BadInput as bad:
            faults += bad.faults
        else:
            filtered, sampler = loaded.filter["kind"], loaded.sampler
            say(f"{scenario}: valid: {loaded.name}, {sampler.samples} samples, {sampler.steps} steps, filter {filtered}")
    if faults:
        raise BadInput(faults)
    return 0
