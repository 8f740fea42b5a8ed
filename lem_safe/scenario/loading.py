"""From a file to a Scenario: read, check the grammar, check the meaning, resolve. All faults of a file are
raised together.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from lem_safe.errors import BadInput, Fault
from lem_safe.scenario import messages
from lem_safe.scenario.bundled import bundled_programs, bundled_scenarios
from lem_safe.scenario.key_path import KeyPath
from lem_safe.scenario.meaning import Meaning
from lem_safe.scenario.memory import too_large
from lem_safe.scenario.model import RUN_ONLY, Scenario
from lem_safe.scenario.overrides import as_override
from lem_safe.scenario.parts import Parts
from lem_safe.scenario.plain import plain
from lem_safe.scenario.reading import parse, read
from lem_safe.scenario.region_columns import NO_SAMPLES, Header
from lem_safe.scenario.schema import ENERGY, SAMPLER, document
from lem_safe.scenario.source import Override, Source
from lem_safe.scenario.sweep import variants
from lem_safe.scenario.tables import Tables
from lem_safe.scenario.truncating import told_of_regions

WHO = "lem_safe.audit"
"""What messages call regions that are in no file."""

_ITEMWISE = ("penalties", "unsafe", "constraints")


def load(
    scenario: str | os.PathLike[str],
    tables: Tables,
    overrides: Mapping[str, Any] | None = None,
    *,
    to_audit: bool = False,
    header: Sequence[str] | None = None,
    width: int | None = None,
) -> Scenario:
    """The scenario of a file, or of a bundled name; raises BadInput with every fault found.

    overrides: values by dotted key, such as {"sampler.steps": 100}, that replace the file's before anything
    is checked. to_audit: whether `energy` and `sampler` may be left out. header: the names of the columns of
    samples to come, over which the regions are read where they cannot be over the scenario's own. width: how
    many columns samples without names have.
    """
    path = find(scenario)
    return _resolve(
        read(path), path.absolute(), tables, overrides or {}, _Use(to_audit, Header(header, width))
    )


def loads(
    text: str,
    tables: Tables,
    *,
    file: str = "scenario.yaml",
    directory: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    to_audit: bool = False,
) -> Scenario:
    """The scenario of a YAML text; relative paths start at `directory`, by default the current one."""
    path = (directory or Path.cwd()) / file
    return _resolve(parse(text, file), path, tables, overrides or {}, _Use(to_audit))


def of_values(
    value: Mapping[str, Any],
    tables: Tables,
    header: Sequence[str] | None = None,
    width: int | None = None,
    *,
    who: str = WHO,
    to_audit: bool = True,
) -> Scenario:
    """A scenario of plain values, such as `unsafe` and `constraints` alone to audit with; raises BadInput
    with every fault found. header, width, to_audit: see `load`. who: what messages call it.
    """
    parts = {"version": 1, "name": "audit", **value}
    given = {name: Override(who, part) for name, part in parts.items()}
    use = _Use(to_audit, Header(header, width))
    return _resolve(Source(who, []), Path.cwd() / "audit", tables, given, use).from_file(None)


def fault_in(scenario: Scenario, path: KeyPath, message: str) -> Fault:
    """A fault at a key of a scenario's file, with its line where the file still exists."""
    try:
        if scenario.source is not None:
            return read(scenario.source).fault(path, message)
    except BadInput:  # the scenario came from a text
        pass
    return Fault(message, file=str(scenario.source or scenario.name), key=".".join(map(str, path)))


def find(scenario: str | os.PathLike[str]) -> Path:
    """The file of a path or of a bundled scenario's name."""
    path = Path(scenario)
    known = bundled_scenarios()
    text = str(scenario)
    if path.exists() or path.suffix or os.sep in text:
        if path.exists() or text.removesuffix(".yaml") not in known:
            return path
        return known[text.removesuffix(".yaml")]
    if text in known:
        return known[text]
    if text in bundled_programs():
        raise BadInput(
            Fault(
                f"is a program in Python, not a scenario; copy it with  lem-safe new --from {text}  and run "
                f"it with  python {text}.py",
                file=text,
            )
        )
    raise BadInput(
        Fault(
            f"no such file, and no bundled scenario has this name{messages.did_you_mean(text, list(known))}",
            file=text,
        )
    )


class _Use(NamedTuple):
    """What a scenario is loaded for: only `to_audit` with, perhaps, and for these samples."""

    to_audit: bool
    samples: Header = NO_SAMPLES


def must_run(scenario: Scenario) -> None:
    """Refuses a scenario to audit with, which has no energy or no sampler: BadInput."""
    faults = [fault_in(scenario, (), _lacks(name)) for name in scenario.lacking]
    if faults:
        raise BadInput(faults)


def _lacks(name: str) -> str:
    example = messages.flow({"energy": ENERGY, "sampler": SAMPLER}[name])
    return (
        f"missing key '{name}'; add it, as in '{name}: {example}' (without it, a file is only for lem-safe "
        "audit)"
    )


def _resolve(source: Source, path: Path, tables: Tables, overrides: Mapping[str, Any], use: _Use) -> Scenario:
    for key, value in overrides.items():
        source.override(key.split("."), as_override(key, value))
    tables = tables.naming(_words(source.value)) or tables
    check = partial(_checked, path=path, tables=tables, use=use)
    checked = check(source)
    return checked if checked.sweep is None else checked.with_variants(variants(source, checked.sweep, check))


def _words(value: Any) -> Iterator[str]:
    """Every string of a file: possible names of kinds."""
    if isinstance(value, str):
        yield value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _words(part)


def _checked(source: Source, path: Path, tables: Tables, use: _Use) -> Scenario:
    model = document(tables)
    context = {"directory": path.parent}
    found: list[Fault] = list(source.faults)
    checked: Scenario | None = None
    try:
        checked = _scenario(model.model_validate(source.value, context=context))
        parts = _parts(checked.content())
    except ValidationError as error:
        unread = {(f.line, f.column) for f in source.faults}
        found += [f for f in messages.faults(error, source, model) if (f.line, f.column) not in unread]
        bad = {messages.key_path(e["loc"]) for e in error.errors(include_url=False, include_input=False)}
        parts = _sound_parts(model, source.value, bad, context)
    if not use.to_audit:
        near = {messages.near(key, RUN_ONLY) for key in set(source.value) - set(model.model_fields)}
        lacking = [name for name in RUN_ONLY if name not in source.value and name not in near]
        found += [source.fault((), _lacks(name), at_key=True) for name in lacking]
    if parts.get(("energy",)) and parts.get(("derived",)):
        given = parts[("energy",)], parts[("derived",)], parts.get(("columns",))
        parts[("energy",)] = energy = tables.computing(*given)
        checked = None if checked is None else checked.model_copy(update={"energy": energy})
    if parts.get(("energy",)):
        energy = _of_regions(parts)
        parts[("energy",)] = energy
        checked = None if checked is None else checked.model_copy(update={"energy": energy})
    to_run = not use.to_audit or (use.samples == NO_SAMPLES and set(RUN_ONLY) <= set(source.value))
    holds = tables.holds(parts.get(("energy",)) or {}) if to_run else None
    meaning = Meaning(Parts(parts, to_run, holds), source, tables, use.samples)
    found += meaning.faults
    if found or checked is None:
        raise BadInput(
            sorted(dict.fromkeys(found), key=lambda f: (f.file != source.file, f.line or 0, f.column or 0))
        )
    return _precise(_named(checked, meaning, tables), meaning, source, tables).from_file(path)


def _of_regions(parts: Mapping[KeyPath, Any]) -> dict[str, Any]:
    """The energy's part, told of the regions that truncate its rows."""
    unsafe = {str(path[1]): part for path, part in parts.items() if len(path) == 2 and path[0] == "unsafe"}
    return told_of_regions(parts[("energy",)], unsafe, parts.get(("derived",)), parts.get(("columns",)))


def _scenario(checked: Scenario) -> Scenario:
    """What was checked over some tables, without them."""
    given = {name: getattr(checked, name) for name in Scenario.model_fields}
    return Scenario.model_construct(
        **{name: value for name, value in given.items() if not (name in RUN_ONLY and value is None)}
    )


def _named(checked: Scenario, meaning: Meaning, tables: Tables) -> Scenario:
    """The scenario with its columns' names and the shape of its paths, where known."""
    if meaning.columns is None:
        return checked
    shape = checked.shape or (tables.shape(checked.energy) if checked.energy else None)
    update: dict[str, Any] = {"columns": list(meaning.columns)}
    return checked.model_copy(update=update | ({} if shape is None else {"shape": list(shape)}))


def _precise(checked: Scenario, meaning: Meaning, source: Source, tables: Tables) -> Scenario:
    """The scenario in float64 where the file gives no dtype and float32, the default, cannot represent it;
    BadInput where that does not fit into memory. One that cannot be run, only audited, is left as it is.
    """
    if "dtype" in source.value or meaning.columns is None or checked.lacking:
        return checked
    resolved = checked.content()
    regions = {c.set: meaning.built[c.set] for c in checked.constraints}
    why = tables.beyond_single(resolved, meaning.columns, regions)
    if why is None:
        return checked
    many = too_large(
        resolved["sampler"],
        len(meaning.columns),
        len(checked.constraints),
        "float64",
        checked.audit.replicas,
    )
    if faults := [source.fault(where, f"{message}, or dtype: float32") for where, message in many]:
        raise BadInput(faults)
    return checked.model_copy(update={"dtype": "float64"}).in_double(why)


def _parts(resolved: Mapping[str, Any]) -> dict[KeyPath, Any]:
    parts: dict[KeyPath, Any] = {}
    for name, value in resolved.items():
        if name in _ITEMWISE:
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            parts |= {(name, key): item for key, item in items}
        else:
            parts[(name,)] = value
    return parts


def _sound_parts(
    model: type[BaseModel], value: Mapping[str, Any], bad: set[KeyPath], context: Any
) -> dict[KeyPath, Any]:
    """The parts without faults of the grammar, with defaults: they can still be checked."""
    defaults = {
        name: info.get_default(call_default_factory=True)
        for name, info in model.model_fields.items()
        if not (info.is_required() or name in RUN_ONLY)
    }
    parts: dict[KeyPath, Any] = {}
    for path, raw in _parts({**{k: plain(v) for k, v in defaults.items()}, **_whole(value)}).items():
        if any(fault[: len(path)] == path or path[: len(fault)] == fault for fault in bad):
            continue
        annotation = messages.model_at(model, path)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            parts[path] = plain(annotation.model_validate(raw, context=context))
        else:
            parts[path] = raw
    return parts


def _whole(value: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a file, without lists and mappings of parts that are neither."""
    shapes: dict[str, type] = {"penalties": list, "unsafe": dict, "constraints": list}
    return {key: item for key, item in value.items() if key not in shapes or isinstance(item, shapes[key])}
