"""A commented scenario to start from: every key with what it means, taken from the constructor it belongs to;
it validates and runs in seconds.
"""

from pathlib import Path
from typing import NamedTuple

from barriers.filters import FILTERS
from lem_safe.authoring.beginnings import schema, spec
from lem_safe.authoring.commented import block, commented, key_line, keys
from lem_safe.authoring.start import start
from lem_safe.data.tables import read_table
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import TABLES, tables
from lem_safe.scenario import loads
from lem_safe.scenario.messages import did_you_mean
from lem_safe.scenario.model import MODELINE

SAMPLES, STEPS = 1000, 300
MOST = 1000
"""Columns of a new scenario."""


class Choices(NamedTuple):
    """What the options of `lem-safe new` chose; `data` is a table to learn from, `columns` the coordinates'
    names.
    """

    energy: str = "gaussian_mixture"
    data: Path | None = None
    columns: tuple[str, ...] | None = None
    set_kind: str = "ball"
    beta: float = 0.05
    filter: str = "step"
    sampler: str = "langevin"
    header: bool | None = None


def starter(path: Path, choices: Choices) -> str:
    """The text of a new scenario for `path`; raises BadInput for kinds that do not exist or do not go
    together.
    """
    _known(choices)
    whole = schema()
    models, top = whole["$defs"], whole["properties"]
    columns = choices.columns
    if choices.data is not None and columns is None:
        columns = read_table(choices.data, header=choices.header).columns
    d = len(columns) if columns else 2
    if d > MOST:
        raise BadInput(
            Fault(f"{d:,} columns are too many for one scenario, at most {MOST:,}", key="--columns")
        )
    energy = spec("energy", choices.energy, d)
    if choices.data is not None:
        beside = (
            choices.data.resolve().relative_to(path.parent.resolve())
            if _within(choices.data, path.parent)
            else choices.data.resolve()
        )
        energy["data"] = {"kind": "file", "path": str(beside)} | (
            {"columns": list(choices.columns)} if choices.columns else {}
        )
        energy["data"] |= {"header": choices.header} if choices.header is not None else {}
    region = spec("region", choices.set_kind, d)
    if choices.set_kind == "rule":
        region["where"] = f"{columns[0] if columns else 'x0'} > 2"
    sampler = spec("sampler", choices.sampler, d) | {
        "samples": SAMPLES,
        "steps": STEPS,
        "step_size": 0.005,
    }
    sampler["init"], clear = start(energy, region, choices.filter, choices.beta, columns, path)
    named = columns is not None and choices.data is None
    lines = [
        MODELINE.rstrip(),
        "# Say here what this scenario shows. lem-safe validate checks it, lem-safe explain explains it.",
        "version: 1",
        f"name: {_name(path)}",
        *key_line("seed", 0, top["seed"], ""),
        *(key_line("columns", list(columns or ()), top["columns"], "") if named else []),
        *block("energy", energy, top["energy"], models[f"energy_{choices.energy}"]),
        *commented("unsafe:", top["unsafe"], ""),
        "  keep_out:",
        *keys(region, models[f"region_{choices.set_kind}"], "    "),
        *commented("constraints:", top["constraints"], ""),
        f"  - {{set: keep_out, beta: {choices.beta}}}",
        *block("sampler", sampler, top["sampler"], models[f"sampler_{choices.sampler}"]),
        *_unpromised(choices.filter),
        *block(
            "filter",
            spec("filter", choices.filter, d),
            top["filter"],
            models[f"filter_{choices.filter}"],
        ),
        *commented("audit:", top["audit"], ""),
        *keys(
            {"confidence": 0.95, "require": "passed"} | ({} if clear else {"after_step": STEPS // 2}),
            models["Audit"],
            "  ",
        ),
    ]
    text = "\n".join(lines) + "\n"
    _check(text, path)
    return text


def _unpromised(kind: str) -> list[str]:
    """What to expect of a filter that promises less than every step."""
    scope = FILTERS[kind].promise.scope
    if scope in ("every step, this cloud", "that of its last filter"):
        return []
    what = "promises nothing" if scope == "none" else f"keeps the tolerance only {scope}"
    return [f"# {kind} {what}: if the audit fails, this is a result and not an error in this file."]


def _check(text: str, path: Path) -> None:
    """Refuses choices that each are fine and together are not: a two-dimensional polygon over three columns,
    say.
    """
    try:
        loads(text, tables(), directory=path.parent.absolute())
    except BadInput as bad:
        alone = {"constraints[0].beta": "--beta"}
        faults = [
            Fault(fault.message, key=alone[fault.key])
            if fault.key in alone
            else Fault(f"these choices do not go together: {fault.message}", key=fault.key)
            for fault in bad.faults
        ]
        raise BadInput(faults) from None


def _known(choices: Choices) -> None:
    chosen = {
        "--energy": ("energies", choices.energy),
        "--set-kind": ("sets", choices.set_kind),
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
    if faults:
        raise BadInput(faults)


def _name(path: Path) -> str:
    name = "".join(c if c.isalnum() or c in "_-." else "_" for c in path.stem)
    return (
        name
        if name and (name[0].isalnum() or name[0] == "_") and not name.isdigit()
        else f"scenario_{name.strip('.-')}"
    )


def _within(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())
