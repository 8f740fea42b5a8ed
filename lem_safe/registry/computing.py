"""Derived names that are columns of the table that an energy is learned from: these are computed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from barriers.sets import Cells
from barriers.sets.derived import faults_of, needed, of_columns
from barriers.tables import TableFault
from lem_safe.data.sources import FileTable
from lem_safe.data.typed import Codec, Equality
from lem_safe.data.typed.cells import names_in
from lem_safe.errors import BadInput
from lem_safe.registry.making import make
from lem_safe.training.trained import Trained


def computing(
    energy: Mapping[str, Any], derived: Mapping[str, str], columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """The specification of an energy, to whose table's `derived` those derived names are added that are
    columns of it, with the names that they use. As it is where it is not learned from a file, where the
    scenario gives its columns other names, and where an expression is faulty, which is reported elsewhere.
    """
    table = _table(energy)
    names = [] if table is None else _columns(table)
    if table is None or (columns is not None and list(columns) != names):
        return dict(energy)
    wanted = {name: derived[name] for name in of_columns(derived, names)}
    bases = {f"{name} ": base for name, said in table.told.items() if (base := said.minus or said.over)}
    for name in (*wanted, *bases):
        wanted |= needed({**derived, **bases}, name)
    if not wanted or faulty(derived, names):
        return dict(energy)
    data = energy["data"]
    return {**energy, "data": {**data, "derived": {**(data.get("derived") or {}), **wanted}}}


def faulty(derived: Mapping[str, str], columns: Sequence[str]) -> set[str]:
    """The derived names that are not sound, whatever the columns hold."""
    return {name for name, _ in faults_of(columns, Cells(stage="open"), derived)}


def equal_in(energy: Mapping[str, Any]) -> tuple[Equality, ...]:
    """How often the cells of an energy's table are what is computed of them; empty where none is computed,
    or where nothing can be read, which is reported elsewhere.
    """
    try:
        made = make("energies", energy) if energy else None
        return made.data.equal if isinstance(made, Trained) and isinstance(made.data, FileTable) else ()
    except (BadInput, ValueError, KeyError):
        return ()


def not_computed(
    codec: Codec | None, columns: Sequence[str], derived: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The derived names that are columns of an energy which does not compute them so, and why that cannot be:
    rules would see the column, and nothing would make it equal to the expression.
    """
    if faulty(derived, columns):  # reported elsewhere, and then none is computed
        return
    for name, j in of_columns(derived, columns).items():
        field = None if codec is None else codec.fields[j]
        if field is not None and field.formula == derived[name]:
            continue
        if field is not None and field.formula:
            why = f"is computed as {field.formula} by this energy; write that, or train it again"
        else:
            why = "is a column that this energy has, which can be computed only in a table that it is learned"
            why += " from (data: {kind: file}), under the table's own name; rename it, or leave it out"
        yield name, f"'{name}' {why}"


def _table(energy: Mapping[str, Any]) -> FileTable | None:
    """The file that an energy is learned from; None where there is none."""
    data = energy.get("data")
    if energy.get("kind") != "trained" or not isinstance(data, Mapping) or data.get("kind") != "file":
        return None
    try:
        made = make("data", data)
    except (BadInput, ValueError, KeyError):  # reported elsewhere
        return None
    return made if isinstance(made, FileTable) else None


def _columns(table: FileTable) -> list[str]:
    """The names of its columns; none where it cannot be read, which is reported elsewhere."""
    try:
        names = names_in(table.path, table.form)
    except (BadInput, TableFault, ValueError, OSError):
        return []
    if table.chosen is not None:
        return [name for name in table.chosen if name in names]
    return [name for name in names if name not in table.ignored]
