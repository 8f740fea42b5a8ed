"""The graph of an exported module: a list of calls of named operators over named values, from JSON.

Every name must be defined before it is used, and once: a graph has no cycles. Sizes are integers or the size
of an earlier value; expressions of them are not evaluated.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from barriers.arrays import torch
from lem_safe.checkpoints.exported.archive import Archive
from lem_safe.checkpoints.exported.arguments import argument_of
from lem_safe.checkpoints.exported.checked import get, integer, only
from lem_safe.checkpoints.exported.operators import PREFIX, SAME, SETTINGS, short
from lem_safe.checkpoints.exported.tensors import dtype_of

MOST_NODES = 20_000


class Call(NamedTuple):
    """One operator, by its name in the list; results: the names of what it returns, a list where `listed`."""

    operator: str
    arguments: tuple[tuple[str, Any], ...]
    results: tuple[str, ...]
    listed: bool


class Graph(NamedTuple):
    """inputs: names of tensors of the file, by the name of the value. rows: the value that is given.
    dimension: its number of columns. dtype: that of the rows the module was exported with.
    """

    inputs: Mapping[str, str]
    rows: str
    result: str
    dimension: int
    dtype: torch.dtype
    calls: tuple[Call, ...]


def graph_of(archive: Archive) -> Graph:
    """The graph of the archive's one model; a ValueError with the reason."""
    models = sorted(name for name in archive.names if name.startswith("models/"))
    if models != ["models/model.json"]:
        raise ValueError(
            f"must hold one model, models/model.json; it holds {', '.join(models[:4]) or 'none'}"
        )
    module = get(archive.json(models[0]), "graph_module", dict, models[0])
    graph = get(module, "graph", dict, "graph_module")
    inputs, rows = _inputs(get(module, "signature", dict, "graph_module"))
    result = _output(get(module, "signature", dict, "graph_module"))
    described = get(get(graph, "tensor_values", dict, "graph"), rows, dict, "tensor_values")
    dimension = _columns(described)
    dtype = dtype_of(described, f"the input {rows}")[0]
    if not dtype.is_floating_point:
        raise ValueError(f"takes rows of {dtype}; an energy takes floating numbers")
    nodes = get(graph, "nodes", list, "graph")
    if len(nodes) > MOST_NODES:
        raise ValueError(f"has {len(nodes):,} operators; at most {MOST_NODES:,} are read")
    for node in nodes:
        _must_be_of_inference(node)
    calls = _calls(nodes, {*inputs, rows}, result)
    return Graph(inputs, rows, result, dimension, dtype, calls)


def _calls(nodes: list[Any], known: set[str], result: str) -> tuple[Call, ...]:
    """Every call, in order. known: the names that are defined before the first."""
    calls = []
    for node in nodes:
        calls.append(_call(node, known))
        for name in calls[-1].results:
            if name in known:
                raise ValueError(f"defines the value {name[:80]!r} twice")
            known.add(name)
    if result not in known:
        raise ValueError(f"returns {result[:80]!r}, which it does not compute")
    return tuple(calls)


def _inputs(signature: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Tensors of the file by value, and the value that is given."""
    inputs: dict[str, str] = {}
    rows: list[str] = []
    for spec in get(signature, "input_specs", list, "signature"):
        kind, held = only(spec, "input_specs")
        if kind == "user_input":
            way, named = only(get(held, "arg", dict, kind), kind)
            if way != "as_tensor":
                raise ValueError(
                    f"takes an argument that is not a tensor ({way}); an energy takes rows alone"
                )
            rows.append(get(named, "name", str, kind))
        elif kind in ("parameter", "buffer", "tensor_constant"):
            inputs[get(get(held, "arg", dict, kind), "name", str, kind)] = get(
                held, f"{kind}_name", str, kind
            )
        else:
            raise ValueError(
                f"needs an input of kind {kind[:80]!r}; parameters, buffers and tensors are read"
            )
    if len(rows) != 1 or rows[0] in inputs:
        raise ValueError(f"must take one argument, rows [n, d]; it takes {len(rows)}")
    return inputs, rows[0]


def _output(signature: Mapping[str, Any]) -> str:
    """The value that is returned."""
    specs = get(signature, "output_specs", list, "signature")
    kinds = [only(spec, "output_specs") for spec in specs]
    for kind, _ in kinds:
        if kind != "user_output":
            raise ValueError(
                f"changes its own state when it is called ({kind[:80]}); call .eval() before the export"
            )
    if len(kinds) != 1:
        raise ValueError(f"must return one tensor, [n] or [n, 1]; it returns {len(kinds)} values")
    way, named = only(get(kinds[0][1], "arg", dict, "user_output"), "user_output")
    if way != "as_tensor":
        raise ValueError("must return one tensor, [n] or [n, 1]")
    return get(named, "name", str, "user_output")


def _columns(described: Mapping[str, Any]) -> int:
    """d, of rows whose number is a symbol."""
    sizes = [only(size, "sizes") for size in get(described, "sizes", list, "the input")]
    if len(sizes) != 2 or sizes[1][0] != "as_int":
        raise ValueError("must take rows [n, d] with a fixed number d of columns")
    if sizes[0][0] != "as_expr":
        raise ValueError(
            f"was exported for exactly {sizes[0][1]} rows; export it for any number: torch.export.export("
            'module, (rows,), dynamic_shapes=({0: torch.export.Dim("n")},))'
        )
    dimension = integer(dict([sizes[1]]), "as_int", "sizes")
    if not 1 <= dimension <= 2**20:
        raise ValueError(f"must take between 1 and {2**20:,} columns; it takes {dimension:,}")
    return dimension


def _must_be_of_inference(node: Any) -> None:
    """Refuses what draws random numbers or treats a batch as a whole, as in training."""
    target = get(node, "target", str, "a node")
    settings = SETTINGS.get(target.removeprefix(PREFIX), {})
    for argument in get(node, "inputs", list, target) if settings else []:
        name, given = get(argument, "name", str, target), get(argument, "arg", dict, target)
        if name in settings and given != {"as_bool": settings[name]}:
            raise ValueError(f"was exported in training mode ({target}); call .eval() before the export")


def _call(node: Any, known: set[str]) -> Call:
    target = get(node, "target", str, "a node")
    operator = short(target)
    arguments = []
    for argument in get(node, "inputs", list, target):
        name = get(argument, "name", str, target)
        arguments.append((name, argument_of(get(argument, "arg", dict, target), known, target)))
    results, listed = _results(get(node, "outputs", list, target), target)
    return Call(SAME.get(operator, operator), tuple(arguments), results, listed)


def _results(outputs: list[Any], target: str) -> tuple[tuple[str, ...], bool]:
    """The names of what an operator returns, and whether that is one list."""
    results: list[str] = []
    kinds = [only(output, target) for output in outputs]
    for kind, held in kinds:
        match kind:
            case "as_tensors":
                results += [get(item, "name", str, target) for item in held]
            case "as_sym_int":
                results.append(get(held, "as_name", str, target))
            case "as_tensor":
                results.append(get(held, "name", str, target))
            case "as_none":
                pass
            case _:
                raise ValueError(f"{target} returns {kind[:80]!r}; tensors and sizes are read")
    listed = any(kind == "as_tensors" for kind, _ in kinds)
    if listed and len(kinds) != 1:
        raise ValueError(f"{target} returns a list beside other values")
    return tuple(results), listed
