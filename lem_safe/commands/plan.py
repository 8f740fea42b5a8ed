"""`lem-safe plan`."""

from typing import Annotated

import typer

from lem_safe.commands.outcome import say
from lem_safe.errors import BadInput, Fault


def plan(
    beta: Annotated[float, typer.Option("--beta", help="The tolerance to certify.")],
    true: Annotated[
        float | None,
        typer.Option(
            "--true", help="The fraction that you expect to be inside. By default a table of several."
        ),
    ] = None,
    confidence: Annotated[float, typer.Option("--confidence", help="The confidence of the bound.")] = 0.95,
    power: Annotated[
        float, typer.Option("--power", help="The probability with which the certificate should be obtained.")
    ] = 0.9,
) -> int:
    """Compute how many independent samples a certificate needs."""
    from barriers.specification import SpecificationError
    from lem_safe.bounds.planning import plan as planned
    from lem_safe.bounds.planning import plans

    try:
        say(plans(beta, confidence, power) if true is None else str(planned(beta, true, confidence, power)))
    except SpecificationError as error:
        raise BadInput(Fault(str(error), key=f"--{error.path[0]}")) from error
    return 0
