"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A scenario file, or the name of a bundled one (lem-safe list scenarios).")
]
Out = Annotated[Path | None, typer.Option("--out", help="Directory to write to, empty or absent.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
Strict = Annotated[bool, typer.Option("--strict", help="Pass only what the bound certifies.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
