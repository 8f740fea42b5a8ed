"""The regions of a scenario, built over its columns in file order; a region may use the names of earlier
ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from barriers.regular_files import refusal
from barriers.sets import UnsafeSet, build_set
from barriers.specification import UnknownRegion
from lem_safe.errors import BadInput, Fault
from lem_safe.scenario.key_path import KeyPath
from lem_safe.scenario.messages import did_you_mean
from lem_safe.scenario.parts import Parts, files_in, longest_list
from lem_safe.scenario.placing import of_constructor
from lem_safe.scenario.source import Source
from lem_safe.scenario.tables import Tables


class Regions(NamedTuple):
    """The regions that could be built, and the faults of the others."""

    built: dict[str, UnsafeSet]
    faults: list[Fault]

    def places(self) -> list[tuple[str | None, int | None, str | None]]:
        """The places of the faults."""
        return [(f.file, f.line, f.key) for f in self.faults]


ENERGY = "where the energy has {}"
SAMPLES = (
    "where the samples have {} columns; say which of them, as in {{kind: columns, columns: [a, b], set: ...}}"
)
"""Whose columns a region must be over, at the end of a message."""


def regions(
    parts: Parts, columns: Sequence[str] | None, source: Source, tables: Tables, whose: str = ENERGY
) -> Regions:
    """Every well-formed region over these columns; rules are skipped where the columns are unknown."""
    made = Regions({}, [])
    for name, spec in parts.under("unsafe"):
        path: KeyPath = ("unsafe", name)
        if any(refusal(file) is not None for _, file in files_in(spec, path)):
            continue  # already reported
        try:
            region = region_of(spec, path, made.built, columns, parts, tables)
        except _CannotBeChecked:
            continue
        except BadInput as bad:
            made.faults.extend(source.fault(path, str(f)) for f in bad.faults)
        except UnknownRegion as error:
            made.faults.extend(_of_name(error, name, source))
        except ValueError as error:
            made.faults.append(of_constructor(error, path, source))
        else:
            if columns is not None and region.dimension not in (None, len(columns)):
                many = f"has {region.dimension} dimension{'s' * (region.dimension != 1)}"
                message = f"{many} {whose.format(len(columns))}"
                made.faults.append(source.fault(longest_list(spec, path), message))
            else:
                made.built[name] = region
    return made


def names_declared(source: Source) -> list[str] | None:
    """The names under `unsafe`, well-formed or not; None where it has none."""
    return list(source.value["unsafe"]) if isinstance(source.value.get("unsafe"), dict) else None


class _CannotBeChecked(Exception):
    """A part depends on something that another fault of the file leaves unknown."""


class _Unknown(Mapping[str, Any]):
    """An unknown context: parts that use it cannot be checked."""

    def __getitem__(self, key: str) -> Any:
        raise _CannotBeChecked(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def region_of(
    spec: Any,
    path: KeyPath,
    named: Mapping[str, UnsafeSet],
    columns: Sequence[str] | None,
    parts: Parts,
    tables: Tables,
) -> UnsafeSet:
    """One region; ValueError at what is wrong with it, and _CannotBeChecked where it needs columns that
    are not known.
    """
    context: Mapping[str, Any] = _Unknown()
    if columns is not None:
        context = {"columns": tuple(columns), "cells": parts.cells(columns)}
    return build_set(spec, named=named, context=context, path=path, makers=tables.makers)


def _of_name(error: UnknownRegion, region: str, source: Source) -> list[Fault]:
    """The faults of an unknown name inside a region; empty where the named region itself is faulty."""
    declared = names_declared(source) or []
    if error.name not in declared:
        close = did_you_mean(error.name, [n for n in declared if n != region])
        return [source.fault(error.path, f"no region is named '{error.name}'{close}")]
    if declared.index(error.name) >= declared.index(region):
        return [
            source.fault(error.path, f"region '{error.name}' must be defined above this line; move it up")
        ]
    return []
