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
    names = _columns(energy)
    if names is None or (columns is not None and list(columns) != names):
        return dict(energy)
    own = of_columns(derived, names)
    wanted = {**{name: derived[name] for name in own}}
    for name in own:
        wanted |= needed(derived, name)
    if not own or faulty(derived, names):
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


def _columns(energy: Mapping[str, Any]) -> list[str] | None:
    """The names of the columns of the file that an energy is learned from; None where there is none."""
    if energy.get("kind") != "trained" or not isinstance(energy.get("data"), Mapping):
        return None
    try:
        made = make("data", energy["data"]) if energy["data"].get("kind") == "file" else None
        if not isinstance(made, FileTable):
            return None
        names = names_in(made.path, made.form)
    except (BadInput, TableFault, ValueError, KeyError, OSError):
        return None
    if made.chosen is not None:
        return [name for name in made.chosen if name in names]
    return [name for name in names if name not in made.ignored]
