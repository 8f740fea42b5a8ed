"""`lem-safe new`."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lem_safe.commands.options import Header
from lem_safe.commands.outcome import say_line
from lem_safe.errors import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.authoring.copied import Copy
    from lem_safe.authoring.starter import Choices

PathArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]",
        help="The file to write; by default scenario.yaml, or NAME.yaml with --from NAME.",
        show_default=False,
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="NAME",
        help="Copy this one of lem-safe list scenarios, with the files that it reads, and change that.",
    ),
]
Energy = Annotated[
    str | None,
    typer.Option(
        "--energy", metavar="KIND", help="One of lem-safe list energies; by default gaussian_mixture."
    ),
]
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
    path: PathArgument = None,
    from_: From = None,
    energy: Energy = None,
    data: Data = None,
    header: Header = None,
    columns: ColumnNames = None,
    set_kind: SetKind = None,
    rule: Rules = None,
    beta: Beta = None,
    filter_: Filter = None,
    sampler: Sampler = None,
) -> int:
    """Write a commented scenario as a starting point; it is valid and runs in seconds. With --from NAME, copy
    a bundled one.
    """
    from lem_safe.authoring.starter import WRITTEN, Choices

    names = tuple(name.strip() for name in columns.split(",")) if columns is not None else None
    choices = Choices(
        energy=(energy or "gaussian_mixture") if data is None else "trained",
        data=data,
        columns=names,
        set_kind=set_kind,
        beta=beta,
        filter=filter_,
        sampler=sampler,
        header=header,
        rules=tuple(rule or ()),
    )
    if from_ is None:
        return _begin(path or Path(WRITTEN), choices)
    if others := _given(choices._replace(energy=energy or "")):
        raise BadInput(Fault(f"copies a scenario as it is: leave out {', '.join(others)}", file="--from"))
    return _copy(from_, path)


def _given(choices: "Choices") -> list[str]:
    """The options that were given, of which none has the value here that it has where it is left out."""
    names = {"set_kind": "set-kind", "rules": "rule"}
    return [
        f"--{names.get(field, field)}" for field, v in choices._asdict().items() if v not in (None, "", ())
    ]


def _begin(path: Path, choices: "Choices") -> int:
    """Writes a new scenario."""
    from lem_safe.authoring.starter import starter
    from lem_safe.files import write_text

    _must_be_free(path)
    write_text(path, starter(path, choices))
    say_line(f"{path}: run it with  lem-safe run {path}")
    _say_relations(path, choices.data, choices.columns, choices.header)
    _write_schema(path.parent)
    return 0


def _copy(name: str, path: Path | None) -> int:
    """Copies a bundled scenario or program, with the files that it reads; refuses to overwrite any."""
    from lem_safe.authoring.copied import copied
    from lem_safe.files import sha256_of, write_text

    copy = copied(name, path)
    _must_be_free(copy.path)
    needed = {}
    for to, source in copy.beside.items():
        if not (to.is_file() and sha256_of(to) == sha256_of(source)):
            _must_be_new(to)
            needed[to] = source
    for to, source in needed.items():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, to)
    write_text(copy.path, copy.text)
    say_line(f"{copy.path}: run it with  {_command(copy)} {copy.path}")
    for to in copy.beside:
        say_line(f"{to}: a file that it reads")
    if not copy.program:
        _write_schema(copy.path.parent)
    return 0


def _command(copy: "Copy") -> str:
    return "python" if copy.program else "lem-safe run"


def _write_schema(folder: Path) -> None:
    """The schema that the first line of a scenario names, unless one is there."""
    from lem_safe.files import write_json
    from lem_safe.registry import json_schema

    schema = folder / "scenario.schema.json"
    if not schema.exists():
        write_json(schema, json_schema())
    say_line(f"{schema}: the schema for completion in editors")


def _say_relations(
    path: Path, data: Path | None, columns: tuple[str, ...] | None, header: bool | None
) -> None:
    """Which columns of the data others determine, with the line that has them computed."""
    from lem_safe.authoring.relations import in_file

    for relation in [] if data is None else in_file(data, columns, header):
        say_line(f"{path}: {relation.in_words()}")


def _must_be_free(path: Path) -> None:
    """Refuses a path that is taken, or whose directory does not exist."""
    _must_be_new(path)
    if not path.parent.is_dir():
        raise BadInput(Fault("no such directory; make it first", file=str(path.parent)))


def _must_be_new(path: Path) -> None:
    if os.path.lexists(path):
        raise BadInput(Fault("is there already; choose another name, or remove it", file=str(path)))
