"""Objects from their specifications: built by the constructor of the named kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from barriers.kinds import KindError
from barriers.sets import Cells, Field, UnsafeSet, build_set, build_sets
from barriers.sets.derived import beside
from barriers.specification import Nested, SpecificationError, construct
from barriers.tables import CellKind
from lem_safe.checkpoints import FromFile
from lem_safe.energies import Energy, Untrained
from lem_safe.registry.catalogue import NESTED, TABLES
from lem_safe.samplers import Adaptation
from lem_safe.training.settings import TrainingSettings
from lem_safe.training.truncation import Truncation


def make(
    table: str,
    spec: Mapping[str, Any],
    *,
    context: Mapping[str, Any] | None = None,
    path: tuple[str | int, ...] = (),
    learned: Callable[[Any, tuple[str | int, ...]], Energy] | None = None,
) -> Any:
    """The object that `spec` describes: make("filters", {"kind": "gate"}, context={"sets": ..., "betas":
    ...}).

    learned: builds the energy of a term that is still to be learned, from its description and its path; by
    default a term without values. Raises ValueError (a SpecificationError has the key) for what its
    constructor refuses.
    """
    supplied = context or {}
    if table == "sets":
        return build_set(spec, named={}, context=supplied, path=path, makers=MAKERS)
    chosen = TABLES[table]
    kind = spec.get("kind", chosen.default)
    try:
        entry = chosen.settle(str(kind))
    except KindError as error:
        raise KindError(str(error), (*path, "kind")) from None
    nested: dict[type, Callable[[Any, tuple[str | int, ...]], Any]] = {
        hint: _maker(name, supplied, learned or untrained) for hint, name in NESTED.items()
    }
    nested[TrainingSettings] = lambda value, where: construct(
        TrainingSettings, value, nested={}, context={}, path=where
    )
    nested[Truncation] = lambda value, where: construct(Truncation, value, nested={}, context={}, path=where)
    nested[Adaptation] = lambda value, where: construct(Adaptation, value, nested={}, context={}, path=where)
    return construct(entry.constructor, spec, nested=nested, context=supplied, path=path)


def regions(
    specs: Mapping[str, Any],
    columns: Sequence[str],
    derived: Mapping[str, str] | None = None,
    kinds: Mapping[str, CellKind] | None = None,
) -> dict[str, UnsafeSet]:
    """Every named region of a scenario over `columns`, including those of energies; raises
    SpecificationError. derived: expressions by name; one that is a column is that column. kinds: of the
    columns of a file that hold no numbers; by default they are a sampler's.
    """
    others = beside(derived, columns)
    cells = Cells(derived=others, stage="measured")
    if kinds is not None:
        cells = Cells(kinds, "known", others)
    return build_sets(specs, columns, MAKERS, cells)


def energy_field(spec: Mapping[str, Any], path: tuple[str | int, ...] = ()) -> Field:
    """The energy of a `sublevel` region: analytic, or from a checkpoint. An audit trains nothing, so
    `trained` is refused.
    """
    found = _trained_in(spec, path)
    if found is not None:
        raise SpecificationError(
            "a region's energy is given, not trained: train it once with lem-safe train --out FILE and "
            "write {kind: checkpoint, path: FILE}",
            (*found, "kind"),
        )
    energy = make("energies", spec, path=path, learned=_loaded)
    energy = energy if isinstance(energy, Energy) else _loaded(energy, path)
    return Field(energy, energy.dimension)


MAKERS: Nested = {Field: energy_field}
"""What a region needs besides geometry, to be given to the audit wherever regions are rebuilt."""


def untrained(made: Any, path: tuple[str | int, ...]) -> Energy:
    """An energy without values in place of one that is still to be learned."""
    return Untrained(made.columns)


def _trained_in(spec: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """The path at which a specification needs training, or None."""
    if isinstance(spec, Mapping):
        if spec.get("kind") == "trained":
            return path
        parts: list[tuple[str | int, Any]] = list(spec.items())
    else:
        parts = list(enumerate(spec)) if isinstance(spec, list | tuple) else []
    return next(
        (found for key, part in parts if (found := _trained_in(part, (*path, key))) is not None), None
    )


def _maker(
    table: str, context: Mapping[str, Any], learned: Callable[[Any, tuple[str | int, ...]], Energy]
) -> Callable[[Any, tuple[str | int, ...]], Any]:
    def made(value: Any, where: tuple[str | int, ...]) -> Any:
        part = make(table, value, context=context, path=where, learned=learned)
        return learned(part, where) if table == "energies" and not isinstance(part, Energy) else part

    return made


def _loaded(made: FromFile, path: tuple[str | int, ...]) -> Energy:
    return made.load()
