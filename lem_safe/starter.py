"""A commented scenario to start from: every key with what it means, taken from the constructor it belongs to; it validates and runs in seconds."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

from lem_safe.catalogue import TABLES, json_schema, tables
from lem_safe.data.tables import read_table
from lem_safe.faults import BadInput, Fault
from lem_safe.scenario import loads
from lem_safe.scenario.messages import did_you_mean
from lem_safe.scenario.model import MODELINE

WIDTH = 110
SAMPLES, STEPS = 1000, 300

SIMPLE: dict[tuple[str, str], dict[str, Any]] = {
    ("energy", "gaussian"): {"mean": [0.0, 0.0], "std": 1.0},
    ("energy", "gaussian_mixture"): {"means": [[2.0, 0.0], [-2.0, 0.0]], "std": 0.5},
    ("energy", "trained"): {
        "data": {"kind": "two_moons"},
        "network": {"kind": "mlp", "hidden": 32, "depth": 2},
        "training": {"steps": 300},
    },
    ("region", "ball"): {"center": [2.0, 0.0], "radius": 0.5},
    ("region", "half_space"): {"normal": [1.0, 0.0], "offset": 2.0},
}
"""What to begin with where a kind's own example, made for tests, is less telling."""


class Choices(NamedTuple):
    """What the options of `lem-safe new` chose; `data` is a table to learn from, `columns` the coordinates' names."""

    energy: str = "gaussian_mixture"
    data: Path | None = None
    columns: tuple[str, ...] | None = None
    set_kind: str = "ball"
    beta: float = 0.05
    filter: str = "step"
    sampler: str = "langevin"


def starter(path: Path, choices: Choices) -> str:
    """The text of a new scenario for `path`; raises BadInput for kinds that do not exist or do not go together."""
    _known(choices)
    whole = _schema()
    schema, top = whole["$defs"], whole["properties"]
    columns = choices.columns
    if choices.data is not None and columns is None:
        columns = read_table(choices.data).columns
    d = len(columns) if columns else 2
    energy = _spec(schema, "energy", choices.energy, d)
    if choices.data is not None:
        beside = (
            choices.data.resolve().relative_to(path.parent.resolve())
            if _within(choices.data, path.parent)
            else choices.data.resolve()
        )
        energy["data"] = {"kind": "file", "path": str(beside)} | ({"columns": list(choices.columns)} if choices.columns else {})
    region = _spec(schema, "region", choices.set_kind, d)
    if choices.set_kind == "rule":
        region["where"] = f"{columns[0] if columns else 'x0'} > 2"
    sampler = _spec(schema, "sampler", choices.sampler, d) | {"samples": SAMPLES, "steps": STEPS, "step_size": 0.005}
    sampler["init"] = {"kind": "data"} if choices.energy == "trained" else {"kind": "standard"}
    named = columns is not None and choices.data is None
    lines = [
        MODELINE.rstrip(),
        "# Say here what this scenario shows. Check it with lem-safe validate, read it in words with lem-safe explain.",
        "version: 1",
        f"name: {_name(path)}",
        *_key("seed", 0, top["seed"], ""),
        *(_key("columns", list(columns or ()), top["columns"], "") if named else []),
        *_block("energy", energy, top["energy"], schema[f"energy_{choices.energy}"]),
        *_commented("unsafe:", top["unsafe"], ""),
        "  keep_out:",
        *_keys(region, schema[f"region_{choices.set_kind}"], "    "),
        *_commented("constraints:", top["constraints"], ""),
        f"  - {{set: keep_out, beta: {choices.beta}}}",
        *_block("sampler", sampler, top["sampler"], schema[f"sampler_{choices.sampler}"]),
        *_block("filter", _spec(schema, "filter", choices.filter, d), top["filter"], schema[f"filter_{choices.filter}"]),
        *_commented("audit:", top["audit"], ""),
        *_keys({"confidence": 0.95, "require": "passed"}, schema["Audit"], "  "),
    ]
    text = "\n".join(lines) + "\n"
    _check(text, path)
    return text


@cache
def _schema() -> dict[str, Any]:
    return json_schema()


def _check(text: str, path: Path) -> None:
    """Refuses choices that each are fine and together are not: a two-dimensional polygon over three columns, say."""
    try:
        loads(text, tables(), directory=path.parent.absolute())
    except BadInput as bad:
        faults = [Fault(f"these choices do not go together: {fault.message}", key=fault.key) for fault in bad.faults]
        raise BadInput(faults) from None


def _known(choices: Choices) -> None:
    chosen = {"--energy": ("energies", choices.energy), "--set-kind": ("sets", choices.set_kind),
              "--filter": ("filters", choices.filter), "--sampler": ("samplers", choices.sampler)}  # fmt: skip
    faults = [
        Fault(f"kind '{kind}' is not known{did_you_mean(kind, list(TABLES[table].members))}", file=option)
        for option, (table, kind) in chosen.items()
        if kind not in TABLES[table].members
    ]
    if choices.columns is not None and (len(set(choices.columns)) < len(choices.columns) or not all(choices.columns)):
        faults.append(Fault(f"names must differ and not be empty; got {','.join(choices.columns)}", file="--columns"))
    if faults:
        raise BadInput(faults)


def _spec(schema: Mapping[str, Any], noun: str, kind: str, d: int) -> dict[str, Any]:
    """A specification to begin with: the kind's own example, over d columns, and the defaults that are numbers or words."""
    model = schema[f"{noun}_{kind}"]
    example = SIMPLE.get((noun, kind)) or next(iter(model.get("examples", [])), {})
    spec: dict[str, Any] = {"kind": kind}
    for key, about in model["properties"].items():
        if key in ("kind", "init", "samples", "steps", "step_size"):
            continue
        if key in example:
            spec[key] = example[key]
        elif key in model.get("required", ()):
            spec[key] = about["examples"][0]
        elif isinstance(about.get("default"), int | float | str):
            spec[key] = about["default"]
    return {key: _over(value, d) for key, value in spec.items()}


def _over(value: Any, d: int) -> Any:
    """Pairs of numbers, or lists of them, as d numbers each: the last one is repeated."""
    if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
        return (value + [value[-1]] * d)[:d] if len(value) == 2 else value
    return [_over(v, d) for v in value] if isinstance(value, list) else value


def _block(key: str, spec: Mapping[str, Any], about: Mapping[str, Any], model: Mapping[str, Any]) -> list[str]:
    return [*_commented(f"{key}:", about, ""), *_keys(spec, model, "  ")]


def _keys(spec: Mapping[str, Any], model: Mapping[str, Any], indent: str) -> list[str]:
    return [line for key, value in spec.items() for line in _key(key, value, model["properties"][key], indent)]


def _key(key: str, value: Any, about: Mapping[str, Any], indent: str) -> list[str]:
    return _commented(f"{key}: {_flow(value)}", about, indent)


def _commented(text: str, about: Mapping[str, Any], indent: str) -> list[str]:
    """A line, its meaning behind it where that fits, else above."""
    meaning = " ".join(str(about.get("description", "")).split())
    if meaning.startswith("Which "):
        meaning = meaning.split(": ", 1)[1]
    line = f"{indent}{text}"
    if not meaning:
        return [line]
    if len(line) + 4 + len(meaning) <= WIDTH:
        return [f"{line}  # {meaning}"]
    return [*(f"{indent}# {part}" for part in wrap(meaning, WIDTH - 2 - len(indent))), line]


def _flow(value: Any) -> str:
    """A value on one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if value.replace("_", "").isalnum() and not value[0].isdigit() else '"' + value.replace('"', '\\"') + '"'
    return str(value)


def _name(path: Path) -> str:
    name = "".join(c if c.isalnum() or c in "_-." else "_" for c in path.stem)
    return name if name and (name[0].isalnum() or name[0] == "_") and not name.isdigit() else f"scenario_{name.strip('.-')}"


def _within(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())
