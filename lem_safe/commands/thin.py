"""`lem-safe thin`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import (
    Decimal,
    Header,
    Json,
    Missing,
    Quiet,
    ScenarioArgument,
    Separator,
    Set,
    given,
)
from lem_safe.commands.outcome import complain, open_progress, say

Samples = Annotated[
    Path,
    typer.Argument(
        metavar="SAMPLES",
        help="Samples from any source: .npz (array x), .npy, .parquet or text (.csv, .tsv, .txt, .dat, "
        ".data, also .gz); a directory, or a pattern in quotes such as 'parts/*.parquet'.",
    ),
]
File = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="FILE",
        help="The file to write, of the same kind as SAMPLES; a directory where SAMPLES are several files.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", min=0, help="Seed of the choice of rows; by default the scenario's."),
]
Independent = Annotated[
    bool,
    typer.Option(
        "--independent",
        help="Decide each row on its own, with probabilities that a fifth of the rows determine, which are "
        "not written: independent samples then remain independent, and can be certified.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists already.")]


def thin(
    samples: Samples,
    scenario: ScenarioArgument,
    out: File,
    seed: Seed = None,
    independent: Independent = False,
    overwrite: Overwrite = False,
    set_: Set = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    missing: Missing = "error",
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Remove rows of finished samples until every tolerance is met; keeps all rows outside the regions."""
    import json as printer

    from lem_safe import auditing
    from lem_safe.commands.files_asked import must_not_be_read
    from lem_safe.thinning import thinned

    form = auditing.table_format(header, separator, decimal, missing)
    must_not_be_read(out, [Path(scenario)])
    with open_progress(quiet or json) as progress:
        found = thinned(
            samples,
            scenario,
            given(set_),
            out,
            form=form,
            seed=seed,
            independent=independent,
            overwrite=overwrite,
            progress=progress,
        )
    say(printer.dumps(found.to_dict(), indent=2) if json else str(found))
    if not found.passed:
        complain(f"{out}: not written, as a tolerance is not met; thin by count, without --independent")
        return 1
    return 0
