"""`lem-safe new`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Header
from lem_safe.commands.outcome import say_line
from lem_safe.errors import BadInput, Fault

PathArgument = Annotated[Path, typer.Argument(metavar="[PATH]", help="The file to write.")]
Energy = Annotated[str, typer.Option("--energy", metavar="KIND", help="One of lem-safe list energies.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="A table to train the energy on; implies --energy trained."),
]
ColumnNames = Annotated[
    str | None, typer.Option("--columns", metavar="A,B,...", help="The names of the coordinates.")
]
SetKind = Annotated[
    str | None,
    typer.Option(
        "--set-kind",
        metavar="KIND",
        help="One of lem-safe list sets; by default a ball, and with --data a rule that a few per cent "
        "of the rows break.",
    ),
]
Rules = Annotated[
    list[str] | None,
    typer.Option("--rule", metavar="RULE", help='What is unsafe, for example "loan > income"; repeatable.'),
]
Beta = Annotated[
    float | None,
    typer.Option(
        "--beta",
        help="The fraction of samples tolerated inside; by default 0.05, or 0.01 of a region that the "
        "rows of --data place.",
    ),
]
Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="KIND",
        help="One of lem-safe list filters; by default step, or gate for a table that does not hold "
        "numbers alone.",
    ),
]
Sampler = Annotated[
    str | None,
    typer.Option(
        "--sampler",
        metavar="KIND",
        help="One of lem-safe list samplers; by default langevin, or mixed for such a table.",
    ),
]


def new(
    path: PathArgument = Path("scenario.yaml"),
    energy: Energy = "gaussian_mixture",
    data: Data = None,
    header: Header = None,
    columns: ColumnNames = None,
    set_kind: SetKind = None,
    rule: Rules = None,
    beta: Beta = None,
    filter_: Filter = None,
    sampler: Sampler = None,
) -> int:
    """Write a commented scenario as a starting point; it is valid and runs in seconds."""
    from lem_safe.authoring.starter import Choices, starter
    from lem_safe.files import write_json, write_text
    from lem_safe.registry import json_schema

    _must_be_free(path)
    names = tuple(name.strip() for name in columns.split(",")) if columns is not None else None
    text = starter(
        path,
        Choices(
            energy=energy if data is None else "trained",
            data=data,
            columns=names,
            set_kind=set_kind,
            beta=beta,
            filter=filter_,
            sampler=sampler,
            header=header,
            rules=tuple(rule or ()),
        ),
    )
    write_text(path, text)
    schema = path.parent / "scenario.schema.json"
    if not schema.exists():
        write_json(schema, json_schema())
    say_line(f"{path}: run it with  lem-safe run {path}")
    _say_relations(path, data, names, header)
    say_line(f"{schema}: the schema for completion in editors")
    return 0


def _say_relations(
    path: Path, data: Path | None, columns: tuple[str, ...] | None, header: bool | None
) -> None:
    """Which columns of the data others determine, with the line that has them computed."""
    from lem_safe.authoring.relations import in_file

    for relation in [] if data is None else in_file(data, columns, header):
        say_line(f"{path}: {relation.in_words()}")


def _must_be_free(path: Path) -> None:
    """Refuses a path that is taken, or whose directory does not exist."""
    if os.path.lexists(path):
        raise BadInput(Fault("is there already; choose another name, or remove it", file=str(path)))
    if not path.parent.is_dir():
        raise BadInput(Fault("no such directory; make it first", file=str(path.parent)))
