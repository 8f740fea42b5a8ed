"""A commented scenario to start from: every key with what it means, taken from the constructor it belongs to;
it validates and runs in seconds.

Its particles start outside the region, so that what promises every step can keep it from the first one on. Of
a table's own rows they start where few enough of these are inside.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import torch
from torch import Tensor

from barriers.coordinates import Coordinates
from barriers.filters import FILTERS
from barriers.sets import UnsafeSet, pull
from barriers.specification import SpecificationError
from lem_safe.data.tables import read_table
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import TABLES, json_schema, make, regions, tables
from lem_safe.scenario import Tables, loads
from lem_safe.scenario.messages import did_you_mean
from lem_safe.scenario.model import MODELINE

WIDTH = 110
SAMPLES, STEPS = 1000, 300
SPREADS, MARGIN = (0.2, 0.05, 0.01), 3.0
"""Standard deviations of a start that is chosen, the first that fits, in those of the table; and over how
many times that it must be clear.
"""
REACH = (0.0, 1.0, 2.0, 3.0, 4.5, 6.0)
"""How far from 0 starts are looked for."""

SIMPLE: dict[tuple[str, str], dict[str, Any]] = {
    ("energy", "gaussian"): {"mean": [0.0, 0.0], "std": 1.0},
    ("energy", "gaussian_mixture"): {"means": [[2.0, 0.0], [-2.0, 0.0]], "std": 0.5},
    ("energy", "trained"): {
        "data": {"kind": "two_moons"},
        "network": {"kind": "mlp", "hidden": 32, "depth": 2},
        "training": {"steps": 300},
    },
    ("sampler", "preconditioned"): {"metric": "covariance"},
    ("region", "ball"): {"center": [2.0, 0.0], "radius": 0.5},
    ("region", "half_space"): {"normal": [1.0, 0.0], "offset": 2.0},
}
"""What to begin with where a kind's own example, made for tests, is less telling."""


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
    whole = _schema()
    schema, top = whole["$defs"], whole["properties"]
    columns = choices.columns
    if choices.data is not None and columns is None:
        columns = read_table(choices.data, header=choices.header).columns
    d = len(columns) if columns else 2
    energy = _spec(schema, "energy", choices.energy, d)
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
    region = _spec(schema, "region", choices.set_kind, d)
    if choices.set_kind == "rule":
        region["where"] = f"{columns[0] if columns else 'x0'} > 2"
    sampler = _spec(schema, "sampler", choices.sampler, d) | {
        "samples": SAMPLES,
        "steps": STEPS,
        "step_size": 0.005,
    }
    sampler["init"], after = _start(energy, region, choices, columns, path)
    named = columns is not None and choices.data is None
    lines = [
        MODELINE.rstrip(),
        "# Say here what this scenario shows. lem-safe validate checks it, lem-safe explain explains it.",
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
        *_unpromised(choices.filter),
        *_block(
            "filter",
            _spec(schema, "filter", choices.filter, d),
            top["filter"],
            schema[f"filter_{choices.filter}"],
        ),
        *_commented("audit:", top["audit"], ""),
        *_keys(
            {"confidence": 0.95, "require": "passed"} | ({"after_step": after} if after else {}),
            schema["Audit"],
            "  ",
        ),
    ]
    text = "\n".join(lines) + "\n"
    _check(text, path)
    return text


def _start(
    energy: Mapping[str, Any],
    region: Mapping[str, Any],
    choices: Choices,
    columns: Sequence[str] | None,
    path: Path,
) -> tuple[dict[str, Any], int]:
    """Where particles begin so that few enough are inside, and from which step on an audit may judge where no
    such place is found.

    Of places clear of the region the one of lowest energy, or of a table's rows the one nearest to their
    mean.
    """
    usual = {"kind": "data"} if choices.energy == "trained" else {"kind": "standard"}
    if choices.energy == "checkpoint":  # its file may not be there yet
        return usual, 0
    try:
        rows = _rows(energy, path) if choices.energy == "trained" else None
        d = rows.shape[1] if rows is not None else len(columns) if columns else 2
        (unsafe,) = regions(
            {"keep_out": dict(region)}, tuple(columns or (f"x{i}" for i in range(d)))
        ).values()
        if rows is not None:
            _must_admit(_spec(_schema()["$defs"], "filter", choices.filter, d), unsafe, rows, choices.beta)
        if rows is not None and float(unsafe.contains(rows).double().mean()) <= choices.beta / 2:
            return usual, 0
        places, scale = (
            (rows, rows.std(0)) if rows is not None else (_around(d), torch.ones(d, dtype=torch.float64))
        )
        height = (
            ((places - places.mean(0)) / scale).square().sum(1)
            if rows is not None
            else make("energies", energy).double()(places)
        )
    except _Unsuited:
        raise
    except (SpecificationError, BadInput, ValueError, OSError):  # `_check` says what is wrong, with its key
        return usual, 0
    outside = ~unsafe.contains(places)
    places = places[outside][height[outside].argsort()][:500]
    noise = scale * torch.randn(500, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for spread in SPREADS:
        for place in map(_rounded, places, repeat(scale)):
            if not bool(unsafe.contains(place + MARGIN * spread * noise).any()):
                std = spread if rows is None else [_short(spread * v) for v in scale.tolist()]
                return {"kind": "gaussian", "mean": place.tolist(), "std": std}, 0
    return usual, STEPS // 2


def _must_admit(spec: Mapping[str, Any], unsafe: UnsafeSet, rows: Tensor, beta: float) -> None:
    """Refuses a filter that needs derivatives which the region has no more in whitened coordinates, where a
    trained energy is sampled.
    """
    whitened = Coordinates(rows.mean(0), torch.linalg.cholesky(rows.T.cov()))
    try:
        tables().admits(spec, [pull(unsafe, whitened)], [beta], 1e-2)
    except ValueError as error:
        message = (
            f"these choices do not go together: over whitened data '{spec['kind']}' cannot keep the "
            f"region: {error}"
        )
        raise _Unsuited(Fault(message, key="filter.kind")) from error


class _Unsuited(BadInput):
    """Choices that `_check` cannot see do not go together, as it reads no data."""


def _rows(energy: Mapping[str, Any], path: Path) -> Tensor:
    """What the energy is to be learned from, in data units."""
    source = dict(energy["data"])
    if "path" in source:
        source["path"] = path.parent / source["path"]
    rows: Tensor = make("data", source).load(0).values.double()
    return rows


def _around(d: int) -> Tensor:
    """0 and points on each axis and along the diagonals."""
    ways = torch.cat(
        [torch.eye(d), -torch.eye(d), torch.ones(1, d) / d**0.5, -torch.ones(1, d) / d**0.5]
    ).double()
    return torch.cat([r * ways for r in REACH])


def _rounded(place: Tensor, scale: Tensor) -> Tensor:
    """A place to a hundredth of the spread or better, which far from the origin takes more digits than near
    it.
    """
    digits = [2 - math.floor(math.log10(s)) if s > 0 else 6 for s in scale.tolist()]
    return torch.tensor(
        [round(v, k) for v, k in zip(place.tolist(), digits, strict=True)], dtype=torch.float64
    )


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _unpromised(kind: str) -> list[str]:
    """What to expect of a filter that promises less than every step."""
    scope = FILTERS[kind].promise.scope
    if scope in ("every step, this cloud", "that of its last filter"):
        return []
    what = "promises nothing" if scope == "none" else f"keeps the tolerance only {scope}"
    return [f"# {kind} {what}: if the audit fails, this is a result and not an error in this file."]


def _schema() -> dict[str, Any]:
    return _schema_of(tables())


@lru_cache(maxsize=1)
def _schema_of(tables_: Tables) -> dict[str, Any]:
    return json_schema()


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


def _spec(schema: Mapping[str, Any], noun: str, kind: str, d: int) -> dict[str, Any]:
    """A specification to begin with: the kind's own example, over d columns, and the defaults that are
    numbers or words.
    """
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


def _block(
    key: str, spec: Mapping[str, Any], about: Mapping[str, Any], model: Mapping[str, Any]
) -> list[str]:
    return [*_commented(f"{key}:", about, ""), *_keys(spec, model, "  ")]


def _keys(spec: Mapping[str, Any], model: Mapping[str, Any], indent: str) -> list[str]:
    return [
        line for key, value in spec.items() for line in _key(key, value, model["properties"][key], indent)
    ]


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
        return (
            value
            if value.replace("_", "").isalnum() and not value[0].isdigit()
            else '"' + value.replace('"', '\\"') + '"'
        )
    return str(value)


def _name(path: Path) -> str:
    name = "".join(c if c.isalnum() or c in "_-." else "_" for c in path.stem)
    return (
        name
        if name and (name[0].isalnum() or name[0] == "_") and not name.isdigit()
        else f"scenario_{name.strip('.-')}"
    )


def _within(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())
