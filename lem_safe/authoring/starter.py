"""A commented scenario to start from: every key with its description, taken from its constructor; it is valid
and runs in seconds.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from barriers.filters import FILTERS
from barriers.sets import SETS, UnsafeSet
from lem_safe.authoring.beginnings import schema, spec
from lem_safe.authoring.commented import block, commented, key_line, keys
from lem_safe.authoring.from_rows import KINDS, TOLERATED, Rows, region_of
from lem_safe.authoring.of_table import ENERGY, SAMPLER, Typed, typed_rows
from lem_safe.authoring.start import start
from lem_safe.data.tables import read_table
from lem_safe.errors import BadInput, Fault
from lem_safe.files import real
from lem_safe.registry import TABLES, tables
from lem_safe.scenario import loads
from lem_safe.scenario.messages import did_you_mean
from lem_safe.scenario.model import MODELINE

SAMPLES, STEPS = 1000, 300
WRITTEN = "scenario.yaml"
"""How messages name what is written."""
MOST = 1000
"""The largest number of columns of a new scenario."""


class Choices(NamedTuple):
    """The options of `lem-safe new`. data: a table to learn from. columns: the coordinates' names."""

    energy: str = "gaussian_mixture"
    data: Path | None = None
    columns: tuple[str, ...] | None = None
    set_kind: str | None = None
    beta: float | None = None
    filter: str | None = None
    sampler: str | None = None
    header: bool | None = None
    rules: tuple[str, ...] = ()
    """What is unsafe, each a region; by default one of kind `set_kind`, placed by the data's own rows."""

    @property
    def kind(self) -> str:
        """The kind of the regions: rules where they are given, and over a table's columns, else a ball."""
        return self.set_kind or ("rule" if self.rules or self.data is not None else "ball")


def starter(path: Path, choices: Choices) -> str:
    """The text of a new scenario for `path`; raises BadInput for kinds that do not exist or do not go
    together.
    """
    typed = None if choices.data is None else typed_rows(choices.data, choices.columns, choices.header)
    choices = _decided(choices, typed is not None)
    _known(choices)
    whole = schema()
    models, top = whole["$defs"], whole["properties"]
    columns, rows = _table(choices) if typed is None else (typed.codec.columns, None)
    d = len(columns) if columns else 2
    _must_be_few(d)
    filter_, energy = spec("filter", str(choices.filter), d), _energy(path, choices, d, typed)
    unsafe = _regions(choices, columns or tuple(f"x{i}" for i in range(d)), rows, typed)
    placed = (rows is not None or typed is not None) and not choices.rules and choices.kind in KINDS
    beta = choices.beta if choices.beta is not None else TOLERATED if placed else 0.05
    sampler, clear = _sampler(choices, typed, energy, unsafe, beta, columns, path)
    audit = {"confidence": 0.95, "require": "passed"} | ({} if clear else {"after_step": STEPS // 2})
    named = columns is not None and choices.data is None
    lines = [
        MODELINE.rstrip(),
        "# Say here what this scenario shows. lem-safe validate checks it, lem-safe explain explains it.",
        "version: 1",
        f"name: {name_of(path)}",
        *key_line("seed", 0, top["seed"], ""),
        *(key_line("columns", list(columns or ()), top["columns"], "") if named else []),
        *block("energy", energy, top["energy"], models[f"energy_{choices.energy}"]),
        *commented("unsafe:", top["unsafe"], ""),
        *(
            line
            for name, one in unsafe.items()
            for line in (f"  {name}:", *keys(one, models[f"region_{choices.kind}"], "    "))
        ),
        *commented("constraints:", top["constraints"], ""),
        *(f"  - {{set: {name}, beta: {beta}}}" for name in unsafe),
        *block("sampler", sampler, top["sampler"], models[f"sampler_{choices.sampler}"]),
        *_unpromised(str(choices.filter)),
        *block("filter", filter_, top["filter"], models[f"filter_{choices.filter}"]),
        *commented("audit:", top["audit"], ""),
        *keys(audit, models["Audit"], "  "),
    ]
    _check(text := "\n".join(lines) + "\n", path, choices)
    return text


def _sampler(
    choices: Choices,
    typed: Typed | None,
    energy: dict[str, Any],
    unsafe: dict[str, dict[str, Any]],
    beta: float,
    columns: tuple[str, ...] | None,
    path: Path,
) -> tuple[dict[str, Any], bool]:
    """The sampler with its start, and whether that is clear of the regions; rows of a table start clear of
    them by default.
    """
    d = len(columns) if columns else 2
    sampler = spec("sampler", str(choices.sampler), d)
    if typed is not None:
        return sampler | SAMPLER, True
    sampler |= {"samples": SAMPLES, "steps": STEPS, "step_size": 0.005}
    sampler["init"], clear = start(energy, _union(unsafe), str(choices.filter), beta, columns, path)
    return sampler, clear


def _decided(choices: Choices, typed: bool) -> Choices:
    """The choices with a filter and a sampler where none is chosen: those for rows of a table with columns of
    every type, else for numbers.
    """
    usual = ("gate", "mixed") if typed else ("step", "langevin")
    return choices._replace(filter=choices.filter or usual[0], sampler=choices.sampler or usual[1])


def _union(unsafe: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The specification of all regions together."""
    return next(iter(unsafe.values())) if len(unsafe) == 1 else {"any": list(unsafe.values())}


def _must_be_few(d: int) -> None:
    """Refuses more columns than a scenario is written for."""
    if d > MOST:
        message = f"{d:,} columns are too many for one scenario, at most {MOST:,}"
        raise BadInput(Fault(message, key="--columns"))


def _of_a_path(kind: str) -> tuple[str, ...] | None:
    """Columns for a region that needs more than two, as a path does; None for every other region."""
    made: Any = SETS[kind].constructor if kind in SETS else UnsafeSet
    needed: int = made.example_columns
    return tuple(f"x{i}" for i in range(needed)) if needed != 2 else None


def _table(choices: Choices) -> tuple[tuple[str, ...] | None, Rows | None]:
    """The coordinates' names and the rows of the table that is given; no rows where none is."""
    if choices.data is None:
        return choices.columns or _of_a_path(choices.kind), None
    table = read_table(choices.data, choices.columns, header=choices.header)
    return table.columns, table.values


def _energy(path: Path, choices: Choices, d: int, typed: Typed | None) -> dict[str, Any]:
    """The beginning of the energy, learned from a table where one is given: its path beside the scenario's
    own where it lies there.
    """
    energy = spec("energy", choices.energy, d)
    if choices.data is None:
        return energy
    beside = (
        real(choices.data).relative_to(real(path.parent))
        if _within(choices.data, path.parent)
        else real(choices.data)
    )
    energy["data"] = {"kind": "file", "path": str(beside)} | (
        {"columns": list(choices.columns)} if choices.columns else {}
    )
    energy["data"] |= {"header": choices.header} if choices.header is not None else {}
    if typed is not None:
        energy["data"] |= typed.data
        energy |= ENERGY
    return energy


def _regions(
    choices: Choices, columns: Sequence[str], rows: Rows | None, typed: Typed | None
) -> dict[str, dict[str, Any]]:
    """The regions by name: the given rules, else one that a few per cent of the rows are inside, else its
    kind's example.
    """
    if choices.rules:
        names = (
            ["keep_out"] if len(choices.rules) == 1 else [f"rule_{i + 1}" for i in range(len(choices.rules))]
        )
        return {
            name: {"kind": "rule", "where": rule} for name, rule in zip(names, choices.rules, strict=True)
        }
    if typed is not None and choices.kind == "rule":
        return {"keep_out": typed.region()}
    region = None if rows is None else region_of(choices.kind, rows, columns)
    if region is None:
        region = spec("region", choices.kind, len(columns))
        region |= {"where": f"{columns[0]} > 2"} if choices.kind == "rule" else {}
    return {"keep_out": region}


def _unpromised(kind: str) -> list[str]:
    """A remark on a filter that promises less than every step."""
    scope = FILTERS[kind].promise.scope
    if scope in ("every step, this cloud", "that of its last filter"):
        return []
    what = "promises nothing" if scope == "none" else f"keeps the tolerance only {scope}"
    return [f"# {kind} {what}: if the audit fails, this is a result and not an error in this file."]


def _check(text: str, path: Path, choices: Choices) -> None:
    """Refuses choices that are valid separately but not together: a two-dimensional polygon over three
    columns, for example.
    """
    try:
        loads(text, tables(), file=WRITTEN, directory=path.parent.absolute())
    except BadInput as bad:
        raise BadInput([_of_choices(fault, choices) for fault in bad.faults]) from None


def _of_choices(fault: Fault, choices: Choices) -> Fault:
    """A fault of what was written, as one of the options; what is wrong with a file of the user's keeps its
    place.
    """
    if fault.file != WRITTEN:
        return fault
    if re.fullmatch(r"constraints\[\d+\]\.beta", fault.key or ""):
        return Fault(fault.message, key="--beta")
    if choices.rules and re.fullmatch(r"unsafe\.\w+\.where", fault.key or ""):
        return Fault(fault.message, key="--rule", source=fault.source)
    return Fault(f"these choices do not go together: {fault.message}", key=fault.key)


def _known(choices: Choices) -> None:
    chosen = {
        "--energy": ("energies", choices.energy),
        "--set-kind": ("sets", choices.kind),
        "--filter": ("filters", choices.filter),
        "--sampler": ("samplers", choices.sampler),
    }
    faults = [
        Fault(f"kind '{kind}' is not known{did_you_mean(kind, TABLES[table].names())}", file=option)
        for option, (table, kind) in chosen.items()
        if kind not in TABLES[table].names()
    ]
    if choices.columns is not None and (
        len(set(choices.columns)) < len(choices.columns) or not all(choices.columns)
    ):
        faults.append(
            Fault(f"names must differ and not be empty; got {','.join(choices.columns)}", file="--columns")
        )
    if choices.rules and choices.kind != "rule":
        faults.append(
            Fault(
                f"goes with --set-kind rule alone; got {choices.kind}; leave out one of them", file="--rule"
            )
        )
    if faults:
        raise BadInput(faults)


def name_of(path: Path) -> str:
    """The name of a scenario whose file this is."""
    name = "".join(c if c.isalnum() or c in "_-." else "_" for c in path.stem)
    return (
        name
        if name and (name[0].isalnum() or name[0] == "_") and not name.isdigit()
        else f"scenario_{name.strip('.-')}"
    )


def _within(file: Path, folder: Path) -> bool:
    return real(file).is_relative_to(real(folder))
