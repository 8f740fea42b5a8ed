"""`lem-safe quality`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lem_safe.commands.options import Decimal, Header, Json, Out, Quiet, Separator
from lem_safe.commands.outcome import open_progress, say, say_line
from lem_safe.errors import BadInput, Fault

Samples = Annotated[
    Path,
    typer.Argument(
        metavar="SAMPLES",
        help="Samples from any source: .npz (array x), .npy, .parquet or text (.csv, .tsv, ..., also .gz); a "
        "directory, or a pattern in quotes such as 'parts/*.parquet'.",
    ),
]
Real = Annotated[
    Path,
    typer.Option("--real", metavar="DATA", help="The real rows, with the same columns: the training data."),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="Train models to predict this column, on samples and on real rows, and compare them.",
    ),
]
Holdout = Annotated[
    Path | None,
    typer.Option(
        "--holdout",
        metavar="DATA",
        help="Real rows that the generator has not seen: they show whether samples are nearer to the "
        "training data, and models of --target are tested on them.",
    ),
]
HoldoutShare = Annotated[
    float | None,
    typer.Option(
        "--holdout-share",
        metavar="SHARE",
        help="Without --holdout, the share of the real rows on which models of --target are tested; "
        "0.5 by default.",
    ),
]
Columns = Annotated[
    str | None, typer.Option("--columns", metavar="A,B,...", help="Judge these columns alone.")
]
Category = Annotated[
    list[str] | None,
    typer.Option("--category", metavar="COLUMN", help="A column of numbers that are categories; repeatable."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed for the splits and the classifiers.")]


def quality(
    samples: Samples,
    real: Real,
    target: Target = None,
    holdout: Holdout = None,
    holdout_share: HoldoutShare = None,
    columns: Columns = None,
    category: Category = None,
    seed: Seed = 0,
    out: Out = None,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Judge how alike samples and real rows are, each measure beside its noise floor: two halves of the real
    rows.
    """
    import json as printer

    from lem_safe.judging import quality as judged
    from lem_safe.report.quality_page import write_quality
    from lem_safe.run_directory import only_writer

    asked: dict[str, Any] = {
        "target": target,
        "columns": _names(columns),
        "categories": category or (),
        "seed": seed,
    }
    text: dict[str, Any] = {"header": header, "separator": separator, "decimal": decimal}
    held = _held(holdout, holdout_share)
    with open_progress(quiet or json) as progress, only_writer(out):
        found = judged(samples, real, **asked, **text, **held, progress=progress)
        page = None if out is None else write_quality(found, out)
    say(printer.dumps(found.to_dict(), indent=2, allow_nan=False) if json else str(found))
    if page is not None and not json:
        say_line(page)
    return 0


def _names(columns: str | None) -> list[str] | None:
    return None if columns is None else [name.strip() for name in columns.split(",") if name.strip()]


def _held(holdout: Path | None, share: float | None) -> dict[str, Any]:
    """The rows held out, or their share; BadInput for both."""
    if holdout is not None and share is not None:
        raise BadInput(Fault("is given beside --holdout; keep one", key="--holdout-share"))
    return {"holdout": holdout} if share is None else {"holdout_share": share}
