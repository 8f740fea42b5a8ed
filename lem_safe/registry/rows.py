"""What a scenario may ask of an energy that is learned from a table with columns of other types than numbers:
which samplers, filters and starts it takes, and what it can be conditioned on.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from barriers.arrays import torch
from barriers.filters import FILTERS
from barriers.sets import Cells, Rule, SpecificationError, UnsafeSet
from barriers.sets.column_names import column_names
from barriers.sets.derived import beside
from barriers.sets.rule import columns_used
from barriers.sets.usage import rules_in
from barriers.tables import CellKind, Coder
from barriers.tables.cells import is_missing
from lem_safe.checkpoints import Checkpoint
from lem_safe.data.typed import Codec, coordinates_of, kinds_of
from lem_safe.errors import BadInput
from lem_safe.registry.computing import not_computed
from lem_safe.registry.given_values import given_value
from lem_safe.registry.making import make, regions
from lem_safe.registry.path_regions import inside_already, unlike_shape
from lem_safe.registry.pinned import impossible, shape_of, values_given
from lem_safe.registry.truncating import unlike_truncated
from lem_safe.registry.whole import not_whole
from lem_safe.scenario import Scenario
from lem_safe.training.trained import Trained

OWN = "it is over coordinates of its own (rows of types other than numbers, or components of paths)"
ROWS = "rows of this table have categories, missing cells or values that many rows share"


def table_of(energy: Mapping[str, Any]) -> Codec | None:
    """What the rows of an energy's specification stand for, of one learned from a table with columns of other
    types than numbers; None of any other, and where it cannot be read, which is reported elsewhere.
    """
    try:
        made = make("energies", energy) if energy else None
        if isinstance(made, Checkpoint):
            return made.codec
        found: Codec | None = getattr(made.data, "codec", None) if isinstance(made, Trained) else None
        return found
    except (BadInput, ValueError, KeyError):
        return None


def own_regions(chosen: Scenario, columns: Sequence[str]) -> dict[str, UnsafeSet]:
    """The named regions of a scenario that can be run, over its columns, whatever these hold."""
    codec = table_of(chosen.energy)
    kinds = None if codec is None else kinds_of(codec, columns, chosen.unsafe, chosen.derived)
    return regions(chosen.unsafe, columns, chosen.derived, kinds)


def in_data_units(
    chosen: Scenario, rows: Float64[np.ndarray, "n d"], columns: Sequence[str]
) -> Float64[np.ndarray, "n d"]:
    """Rows of a scenario's table as its regions know them."""
    codec = table_of(chosen.energy)
    if codec is None:
        return rows
    told = coordinates_of(codec, columns, chosen.unsafe, chosen.derived)
    return told.seen(torch.from_numpy(rows)).numpy()


Key = tuple[str | int, ...]


def unfit(content: Mapping[str, Any], columns: Sequence[str]) -> Iterator[tuple[Key, str]]:
    """What a scenario asks of its energy that does not go with rows of a table, as keys and messages.
    content: its well-formed parts by name, some of which may be absent.
    """
    energy, penalties = content.get("energy") or {}, content.get("penalties") or []
    for path in (*_within(energy, ("energy",)), *_within(penalties, ("penalties",))):
        yield path, f"cannot be part of a composition: {OWN}; make it the scenario's energy"
    codec = table_of(energy)
    given, derived = content.get("given") or {}, content.get("derived") or {}
    if energy and derived:
        for name, message in not_computed(codec, columns, derived):
            yield ("derived", name), message
    if codec is None:
        yield from _unlike_paths(content, columns, energy, given)
        return
    if penalties:
        yield ("penalties",), f"cannot be subtracted from this energy: {ROWS}; leave it out"
    yield from _unlike(codec, columns, content)
    yield from _marks_named(codec, columns, content)
    yield from _unfit_sampler(codec, content.get("sampler") or {})
    yield from _unfit_filter(codec, content, columns)
    yield from unlike_truncated(codec, energy, content)
    for name, value in given.items():
        try:
            given_value(codec, columns, name, value)
        except SpecificationError as error:
            yield ("given", name), str(error)


def _unlike_paths(
    content: Mapping[str, Any], columns: Sequence[str], energy: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    """What does not go with the shape of paths, and values that cannot be given to columns of numbers."""
    own, unsafe = shape_of(energy), content.get("unsafe") or {}
    shape = content.get("shape") or own
    if own is not None and shape is not None and tuple(shape) != own:
        yield ("shape",), f"is {list(shape)}, and the paths that the energy is learned from are {list(own)}"
        return
    for name, message in unlike_shape(unsafe, shape):
        yield ("unsafe", name), message
    try:
        values = values_given(given, columns, shape)
    except SpecificationError as error:
        yield ("given", *error.path), str(error)
        return
    if (why := impossible(energy, values)) is not None:
        yield ("given",), why
    named = {c["set"]: c["beta"] for c in content.get("constraints") or []}
    for name, message in inside_already(unsafe, named, shape, values):
        yield ("given",), f"{message}, so every sample would be inside {name}"


def _within(spec: Any, path: Key) -> Iterator[Key]:
    """The places of energies of rows inside an energy's specification, or a list of penalties."""
    if isinstance(spec, Mapping):
        top = len(path) == 1
        if not top and spec.get("kind") in ("trained", "checkpoint") and _has_own_coordinates(spec):
            yield path
            return
        for key, part in spec.items():
            if isinstance(part, Mapping | list):
                yield from _within(part, (*path, key))
    elif isinstance(spec, list):
        for i, part in enumerate(spec):
            yield from _within(part, (*path, i))


def _has_own_coordinates(spec: Mapping[str, Any]) -> bool:
    """Whether an energy is over other coordinates than its columns."""
    return table_of(spec) is not None or shape_of(spec) is not None


def _unfit_sampler(codec: Codec, sampler: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    kind, init = sampler.get("kind"), sampler.get("init") or {}
    if kind not in (None, "mixed") and codec.sizes:
        yield ("sampler", "kind"), f"'{kind}' moves numbers alone, and {ROWS}: use mixed"
    if init.get("kind") == "gaussian":
        way = "leave init out to start at draws of the mixture, or use {kind: data}"
        yield ("sampler", "init", "kind"), f"a normal distribution has no categories or digits; {way}"


def _unfit_filter(
    codec: Codec, content: Mapping[str, Any], columns: Sequence[str]
) -> Iterator[tuple[Key, str]]:
    chosen, unsafe = content.get("filter") or {}, content.get("unsafe") or {}
    kind = chosen.get("kind")
    if kind is None or not _by_distance(chosen):
        return
    for constraint in content.get("constraints") or []:
        spec = unsafe.get(constraint["set"])
        try:
            used = columns_used(spec, columns, unsafe) or list(columns)
        except ValueError:
            continue
        still = [name for name in used if name in columns and not _moves(codec, columns, name)]
        if still:
            message = (
                f"'{kind}' follows the distance to a region, and column '{still[0]}', which "
                f"'{constraint['set']}' is about, has categories, missing cells or values that many rows "
                "share; use gate, tilt or reject"
            )
            yield ("filter", "kind"), message


def _unlike(codec: Codec, columns: Sequence[str], content: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Rules that take a column for something else than it is."""
    unsafe, derived = content.get("unsafe") or {}, beside(content.get("derived"), columns)
    kinds = kinds_of(codec, columns, unsafe, derived)
    for j, (name, field) in enumerate(zip(columns, codec.fields, strict=True)):
        kind = kinds.get(name)
        way = None
        if field.kind == "category":
            bad = None if kind is None else next((v for v in field.labels if not _reads(kind, v)), None)
            way = None if bad is None else f"'{bad[:40]}' is not {kind}"
        elif kind not in (None, "number" if field.kind != "date" else "date") and not _truths(kind, codec, j):
            remedy = "compare it with numbers" if kind == "boolean" else "write them without quotes"
            other = "" if field.formula else ", or say {kind: category} of the column"
            way = f"it holds {field.kind}s: {remedy}{other}"
        if way is not None:
            region = next(
                (r for r, s in unsafe.items() if name in (column_names(s, unsafe, derived) or [])), None
            )
            where: Key = ("unsafe",) if region is None else ("unsafe", region)
            yield where, f"takes column '{name}' for {kind}, and {way}"
    for rule, why in not_whole(codec, columns, unsafe, Cells(kinds, "known", derived)):
        yield ("unsafe", rule), why


def _reads(kind: CellKind, label: str) -> bool:
    return Coder(kind, (label,) if kind == "text" else ()).number(label) is not None


def _truths(kind: CellKind | None, codec: Codec, j: int) -> bool:
    """Whether a column of numbers holds truth values, as a rule takes it."""
    if kind != "boolean":
        return False
    field = codec.fields[j]
    if field.formula:
        return codec.computed.formulas[j].kind == "boolean"
    return not (field.moves or field.base) and set(field.atoms) <= {0.0, 1.0}


def _marks_named(
    codec: Codec, columns: Sequence[str], content: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    """Rules that compare a column with a text that its table reads as a missing cell."""
    unsafe, derived = content.get("unsafe") or {}, beside(content.get("derived"), columns)
    cells = Cells(kinds_of(codec, columns, unsafe, derived), "known", derived)
    for region, spec in unsafe.items():
        for rule in rules_in(spec):
            given = {key: value for key, value in rule.items() if key != "kind"}
            try:
                named = Rule(**given, columns=tuple(columns), cells=cells).demands.named
            except (ValueError, TypeError):  # reported where it stands
                continue
            marks = [(columns[j], text) for j, texts in named.items() for text in texts if is_missing(text)]
            if marks:
                name, text = marks[0]
                message = f"compares '{name}' with '{text}', which the data's table reads as a missing cell"
                yield ("unsafe", region), f"{message}; write `{name} is missing`"


def _by_distance(chosen: Mapping[str, Any]) -> bool:
    entry = FILTERS[chosen["kind"]]
    if entry.members:
        return any(_by_distance(member) for member in chosen.get(entry.members) or ())
    return entry.by_distance


def _moves(codec: Codec, columns: Sequence[str], name: str) -> bool:
    return codec.continuous(codec.columns[list(columns).index(name)])
