"""`lem-safe sample`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lem_safe.commands.options import Device, Quiet
from lem_safe.commands.outcome import open_progress, say_line
from lem_safe.errors import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.runs.sample_files import Draws

RunArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The directory of a finished run.")]
Samples = Annotated[int, typer.Option("--samples", help="The number of rows to draw.")]
File = Annotated[
    Path | None,
    typer.Option("--out", help="The file to write: .npz, .npy, .csv or .parquet; by default DIR/more.npz."),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", min=0, help="Seed of the noise; by default a new one. It is recorded in the file."
    ),
]
BurnIn = Annotated[
    int | None,
    typer.Option("--burn-in", help="Steps before the first row is taken; by default as many as the run had."),
]
Pool = Annotated[
    int,
    typer.Option(
        "--pool", help="How many times the cloud is recorded; the rows of one particle are one chain."
    ),
]
Thin = Annotated[
    int | None,
    typer.Option("--thin", help="Steps between two recordings; by default a tenth of --burn-in."),
]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Number of torch threads.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue an interrupted draw, with bitwise identical results.")
]


def sample(
    directory: RunArgument,
    samples: Samples,
    out: File = None,
    seed: Seed = None,
    burn_in: BurnIn = None,
    pool: Pool = 1,
    thin: Thin = None,
    device: Device = "cpu",
    threads: Threads = 1,
    resume: Resume = False,
    quiet: Quiet = False,
) -> int:
    """Draw more samples with the energy and filter of a finished run, with as many clouds; trains nothing."""
    import torch

    from lem_safe.runs import more_samples, unfinished_draw

    torch.set_num_threads(threads)
    path = out or (unfinished_draw.last_unfinished(directory) if resume else None) or _fresh(directory)
    if resume and unfinished_draw.finished(path, samples, seed, pool):
        say_line(f"{path}: was drawn to its end; nothing is left to resume")
        return 0
    with open_progress(quiet) as progress:
        try:
            drawn = more_samples.draw_into(
                path,
                directory,
                samples,
                seed=seed,
                burn_in=burn_in,
                thin=thin,
                pool=pool,
                device=device,
                progress=progress,
                resume=resume,
            )
        except BadInput as bad:
            raise BadInput([_of_option(fault) for fault in bad.faults]) from None
    say_line(f"{path}: {_drawn(drawn, path.suffix.lower())}")
    return 0


def _fresh(directory: Path) -> Path:
    taken = (directory / f"more{'' if k == 1 else f'-{k}'}.npz" for k in range(1, 10_000))
    return next(path for path in taken if not (path.exists() or path.with_name(f"{path.name}.part").exists()))


def _of_option(fault: Fault) -> Fault:
    if fault.file is not None or fault.key not in ("samples", "seed", "burn_in", "thin", "pool"):
        return fault
    return Fault(fault.message, file=f"--{fault.key.replace('_', '-')}")


def _drawn(drawn: "Draws", suffix: str) -> str:
    """What a draw has left in its file."""
    return f"{len(drawn.x):,} samples, seed {drawn.seed}; {_dependence(drawn, suffix)}"


def _dependence(drawn: "Draws", suffix: str) -> str:
    from lem_safe.auditor.movement import FROZEN

    if drawn.moved < FROZEN:
        stayed = f"{100 * (1 - drawn.moved):.3g} % of the particles never moved from where they started"
        if suffix == ".npy":
            return f"{stayed}, which a .npy cannot say: claim no bound for them"
        return f"{stayed}, marked so: an audit claims no bound for them"
    if drawn.replicas > 1:
        return f"{drawn.replicas} independent clouds, numbered so: an audit counts clouds"
    if drawn.coupled:
        return "one cloud whose particles are coupled, marked so: an audit claims no bound for it"
    return (
        "each particle's rows are one chain, numbered so"
        if drawn.pool > 1
        else "particles independent of one another"
    )
