"""`lem-safe reproduce`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Json, Out, Quiet
from lem_safe.commands.outcome import open_progress, say
from lem_safe.errors import BadInput, Fault
from lem_safe.escaping import on_one_line

ClaimNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CLAIM]...", help="The claims to check; by default all of them."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The first seed.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="Small clouds and one seed: a test that it runs, not for results.")
]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", help="A folder with the published CIFAR-10, SVHN and DTD files."),
]
Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", help="The published Energy Matching CIFAR-10 network.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Keep the claims that are already checked in --out.")]


def reproduce(
    claims: ClaimNames = None,
    out: Out = None,
    seed: Seed = 0,
    quick: Quick = False,
    data_root: DataRoot = None,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
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
    with open_progress(quiet or json) as progress, only_writer(place, resume=resume):
        setting = Setting(progress, seed=seed, quick=quick, data_root=data_root, checkpoint=checkpoint)
        found = study([CLAIMS[name] for name in claims or CLAIMS], setting, place, resume)
    page = on_one_line(place / "reproduce.html")
    say(printer.dumps(found.to_dict(), indent=2) if json else f"{found}\n\n{page}")
    if found.faults:
        raise BadInput(list(found.faults))
    return 0 if found.passed else 1
