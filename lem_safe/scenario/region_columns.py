"""Over which columns the regions of a scenario are: its own, or those of samples to come."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from barriers.sets import RuleError
from barriers.sets.column_names import names_among, names_of_all, rule_names
from barriers.sets.derived import faults_of, missing_in, of_columns
from barriers.tables import defaults, listed, misplaced
from lem_safe.errors import Fault
from lem_safe.scenario.key_path import KeyPath
from lem_safe.scenario.parts import Parts
from lem_safe.scenario.placing import of_constructor
from lem_safe.scenario.regions import SAMPLES, Regions, region_of, regions
from lem_safe.scenario.source import Source
from lem_safe.scenario.tables import Tables


class Header(NamedTuple):
    """The columns of samples to come: their names, or how many there are where they have none."""

    names: Sequence[str] | None = None
    width: int | None = None

    def counted(self) -> Sequence[str] | None:
        """The names, x0, x1, ... where there are none; None without samples."""
        return self.names or (None if self.width is None else [f"x{i}" for i in range(self.width)])


NO_SAMPLES = Header()


def over_columns(
    parts: Parts,
    columns: tuple[str, ...] | None,
    energy: Sequence[str] | None,
    samples: Header,
    source: Source,
    tables: Tables,
) -> tuple[Regions, tuple[str, ...] | None]:
    """The regions over the scenario's columns; where that fails, and samples to come have names of their own
    that fit, over these; and these columns. energy: the names of the energy's columns.
    """
    if columns is None and "energy" not in source.value:
        return _nameless(parts, samples.counted(), source, tables), None
    made, header = regions(parts, columns, source, tables), samples.names
    if made.faults and header is not None and _may_be_called(energy, header):
        over_samples = regions(parts, tuple(header), source, tables)
        if not over_samples.faults:
            columns = tuple(header)
        if not over_samples.faults or over_samples.places() == made.places():
            made = over_samples
    return made, columns


def derived_faults(parts: Parts, columns: Sequence[str] | None, source: Source) -> list[Fault]:
    """What is wrong with derived names, over these columns, else over those that the file names itself."""
    over = columns or parts.columns_named()
    there = {} if parts.runs else of_columns(parts.derived, over)  # whose cells a file holds
    return [
        source.fault(("derived", name), str(bad).removeprefix("rule: "), offset=bad.offset)
        for name, bad in faults_of(over, parts.cells(over), parts.derived)
        if (name not in there or "from itself" in bad.why)
        and not (parts.runs and columns is None and _of_a_column(bad))
    ]


def _of_a_column(bad: RuleError) -> bool:
    """Whether a derived name is faulty unless it is a column: only these can be conditions."""
    return "is a condition" in bad.why


def out_of_place(names: Sequence[str], given: Sequence[str]) -> str | None:
    """Why two lists of names for the same columns cannot be both right, where one column seems to be in two
    places; None otherwise.
    """
    moved = misplaced(names, given)
    if not moved:
        return None
    theirs, mine = moved[0]
    seems = f"'{mine}' is" if mine == theirs else f"'{mine}' seems to be '{theirs}', which is"
    return (
        f"({listed(names)}) by place, and {seems} in another; write them in one order, as columns: of the "
        "data chooses it"
    )


def _may_be_called(energy: Sequence[str] | None, header: Sequence[str]) -> bool:
    """Whether samples' names can be those of the energy's columns: as many, and none of them in another
    place.
    """
    return energy is None or (
        len(header) == len(energy) and (defaults(energy) or not misplaced(energy, header))
    )


def _nameless(parts: Parts, header: Sequence[str] | None, source: Source, tables: Tables) -> Regions:
    """The regions of a file that says nothing of its columns, over those that they name.

    header: the names of samples to come. Where any region takes columns by position, all are over the
    samples' columns; without samples, such regions are checked by themselves, and rules one by one.
    """
    specs = dict(parts.under("unsafe"))
    derived = parts.derived if header is None else missing_in(parts.derived, header)
    names = names_of_all(specs, derived) if header is None else names_among(specs, header, derived)
    if names is not None:
        return regions(parts, names, source, tables)
    if header is not None:
        made = regions(parts, tuple(header), source, tables, SAMPLES)
        by_position = regions(parts, [f"x{i}" for i in range(len(header))], source, tables, SAMPLES)
        return by_position if made.faults and not by_position.faults else made
    made = regions(parts, None, source, tables)
    for path, rule in _rules(specs, ("unsafe",)):
        try:
            region_of(rule, path, {}, rule_names(rule, derived) or ["x0"], parts, tables)
        except ValueError as error:
            made.faults.append(of_constructor(error, path, source))
    return made


def _rules(spec: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """Every rule in a specification, and where it is."""
    if isinstance(spec, Mapping) and spec.get("kind") == "rule":
        yield path, spec
    elif isinstance(spec, Mapping | list):
        for key, part in spec.items() if isinstance(spec, Mapping) else enumerate(spec):
            yield from _rules(part, (*path, key))
