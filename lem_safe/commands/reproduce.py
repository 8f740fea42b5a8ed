"""`lem-safe reproduce`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Json, Out, Quiet
from lem_safe.commands.outcome import open_progress, say
from lem_safe.errors import BadInput, Fault


def reproduce(
    claims: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CLAIM]...", help="The claims to check; by default all of them."),
    ] = None,
    out: Out = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The first seed.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small clouds and one seed: a test that it runs, not for results.")
    ] = False,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", help="A folder with the published CIFAR-10, SVHN and DTD files."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="The published Energy Matching CIFAR-10 network.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the claims that are already checked in --out.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Check the figures and numbers of the paper, claim by claim, each with a verdict."""
    import json as printer

    from lem_safe.reproduce import CLAIMS, Setting
    from lem_safe.reproduce import reproduce as study
    from lem_safe.run_directory import fresh_under, only_writer

    strange = [name for name in claims or [] if name not in CLAIMS]
    if strange:
        raise BadInput(Fault(f"'{strange[0]}' is not a claim; claims: {', '.join(CLAIMS)}"))
    for folder in (data_root, checkpoint):
        if folder is not None and not folder.exists():
            raise BadInput(Fault("no such file or folder", file=str(folder)))
    place = out if out is not None else fresh_under(Path("runs"), "reproduce")
    progress, leave = open_progress(quiet or json)
    try:
        setting = Setting(progress, seed=seed, quick=quick, data_root=data_root, checkpoint=checkpoint)
        with only_writer(place, resume=resume):
            found = study([CLAIMS[name] for name in claims or CLAIMS], setting, place, resume)
    finally:
        leave()
    say(printer.dumps(found.to_dict(), indent=2) if json else f"{found}\n\n{place / 'reproduce.html'}")
    if found.faults:
        raise BadInput(list(found.faults))
    return 0 if found.passed else 1
