"""Arguments and options that several commands take."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lem_safe.errors import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.scenario.overrides import Overrides

ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A scenario file, or the name of a bundled scenario (lem-safe list scenarios).",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Directory for the results; must be empty or absent.")
]
Device = Annotated[str, typer.Option("--device", metavar="cpu|cuda", help="The device to sample on.")]
Json = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Pass only if the bound certifies the tolerance, too.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line of a .csv or other text holds column names. By default this is "
        "detected, and an ambiguous file is refused.",
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        "--separator",
        metavar="MARK",
        help="What is between two cells of text: ',', ';', '|', tab or space (any number of spaces and "
        "tabs). By default this is detected, and an ambiguous file is refused.",
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option("--decimal", metavar="MARK", help="The decimal mark of text: '.', the default, or ','."),
]
Missing = Annotated[
    str,
    typer.Option(
        "--missing",
        metavar="error|drop|keep",
        help="What to do with rows that miss a value in a column that is read; drop reports how many, keep "
        "counts those inside for which a rule has no value.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Replace one value of the scenario, for example sampler.steps=2000; repeatable.",
    ),
]


def given(chosen: Sequence[str] | None, **options: int | None) -> "Overrides":
    """The values that --set and the short options replace: `given(["audit.confidence=.9"], seed=3)`; raises
    BadInput for what cannot be read.

    An option's name is its key, with a dot written as two underscores: sampler__steps.
    """
    from lem_safe.scenario import settings

    named = {name.replace("__", "."): value for name, value in options.items() if value is not None}
    typed = settings(chosen or [])
    twice = [key for key in typed if key in named]
    if twice:
        raise BadInput(
            [
                Fault(
                    f"is given by --{key.rsplit('.', 1)[-1]} too; keep one", file=typed[key].option, key=key
                )
                for key in twice
            ]
        )
    return {**named, **typed}
