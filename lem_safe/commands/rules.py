"""`lem-safe rules`: files of rules of other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lem_safe.commands.options import Decimal, Header, Json, Missing, Separator
from lem_safe.commands.outcome import say
from lem_safe.errors import BadInput, Fault

if TYPE_CHECKING:
    pass

RuleFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="Rules in the format of PiShield and C-DGM, a JSON Schema of rows, or a schema that pandera "
        "wrote as YAML.",
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="The table that the rules are about: names its columns, and its rows are counted.",
    ),
]
ColumnNames = Annotated[
    str | None,
    typer.Option(
        "--columns", metavar="A,B,...", help="The names of the columns y_0, y_1, ..., instead of the table's."
    ),
]
Tolerance = Annotated[
    str,
    typer.Option(
        "--tolerance",
        metavar="T",
        help="By how much an inequality may be missed; it is written into the rules.",
    ),
]
Beta = Annotated[float, typer.Option("--beta", help="The fraction of rows that may break each rule.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The scenario to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists already.")]


def convert(
    file: RuleFile,
    data: Table = None,
    columns: ColumnNames = None,
    tolerance: Tolerance = "0",
    beta: Beta = 0.0,
    out: Out = None,
    overwrite: Overwrite = False,
    header: Header = None,
    separator: Separator = None,
    decimal: Decimal = None,
    missing: Missing = "error",
    json: Json = False,
) -> int:
    """Write rules of another program as a scenario to audit with; count how often real rows break them."""
    import json as printer

    from lem_safe.auditing import table_format
    from lem_safe.files import write_text
    from lem_safe.rule_files.convert import Data, convert

    slack = _number(tolerance)
    if out is not None:
        _must_be_writable(out, [file, *([data] if data else [])], overwrite)
    names = None if columns is None else [name.strip() for name in columns.split(",")]
    form = table_format(header, separator, decimal, missing)
    table = None if data is None else Data(data, form, names)
    found = convert(file, data=table, columns=names, tolerance=slack, beta=beta, out=out)
    if out is not None:
        write_text(out, found.converted.to_yaml())
    if json:
        say(printer.dumps(found.to_dict(), indent=2))
    else:
        say(found.converted.to_yaml() if out is None and data is None else found.to_text())
    return 0


def _number(text: str) -> "Number":
    from decimal import Decimal, InvalidOperation

    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadInput(Fault(f"must be a number >= 0; got '{text}'", key="--tolerance")) from None


def _must_be_writable(out: Path, inputs: list[Path], overwrite: bool) -> None:
    """Refuses a file that is there already, is read, or whose directory there is not."""
    from lem_safe.commands.files_asked import must_be_free

    must_be_free([out], inputs, overwrite)
    if not out.parent.is_dir():
        raise BadInput(Fault("no such directory; make it first", file=str(out.parent)))
