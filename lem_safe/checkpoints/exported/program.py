"""A graph that is run: each call in order, by ATen's own functions, over the tensors of the file."""

from collections.abc import Mapping
from typing import Any

from barriers.arrays import Tensor, nn, torch
from lem_safe.checkpoints.exported.arguments import DROPPED, Value
from lem_safe.checkpoints.exported.checked import LARGEST
from lem_safe.checkpoints.exported.graph import Call, Graph
from lem_safe.checkpoints.exported.operators import (
    CASTS,
    FACTORIES,
    IGNORED,
    INTEGERS,
    NORMALISED,
    SIZE,
    function_of,
)

MOST = 2**26
"""Numbers of one value at PROBED rows, at most."""
PROBED = (3, 5)
"""Numbers of rows that shapes are computed for, without memory, before anything is."""


class Program(nn.Module):
    """The module that was exported: rows [n, d] to [n] or [n, 1], in the dtype and on the device of the rows.
    A ValueError says why it cannot be that.
    """

    def __init__(self, graph: Graph, tensors: Mapping[str, Tensor]):
        super().__init__()
        self.graph = graph
        self.places = {name: f"t{i}" for i, name in enumerate(graph.inputs)}
        for name, tensor in graph.inputs.items():
            if tensor not in tensors:
                raise ValueError(f"holds no tensor {tensor[:80]!r}, which the model uses")
            self.register_buffer(self.places[name], tensors[tensor])
        named = {call.operator for call in graph.calls} - CASTS - IGNORED - INTEGERS.keys()
        self.functions = {name: function_of(name) for name in sorted(named - {SIZE, NORMALISED})}
        for n in PROBED:
            self._probe(n)

    def forward(self, x: Tensor) -> Tensor:
        if not len(x):
            return x.sum(1)  # some of ATen's functions divide by the number of rows, and end the process
        return self._run(x, None)

    def _probe(self, n: int) -> None:
        """Refuses a graph whose shapes do not fit, grow beyond what memory should hold, or are not one
        number per row.
        """
        x = torch.empty(n, self.graph.dimension, device="meta", dtype=self.graph.dtype)
        largest = max([MOST, *(buffer.numel() for buffer in self.buffers())])
        with torch.no_grad():
            y = self._run(x, largest)
        if y.shape not in ((n,), (n, 1)) or not y.is_floating_point():
            raise ValueError(
                f"returns {list(y.shape)} of {y.dtype} for {n} rows; an energy is one number per row, "
                f"[{n}] or [{n}, 1]"
            )

    def _run(self, x: Tensor, largest: int | None) -> Tensor:
        held: dict[str, Any] = {self.graph.rows: x}
        for name, place in self.places.items():
            buffer = getattr(self, place)
            held[name] = buffer.to(x.device, x.dtype if buffer.is_floating_point() else buffer.dtype)
        for call in self.graph.calls:
            if call.operator not in IGNORED:
                self._step(call, held, x, largest)
        found = held[self.graph.result]
        if not isinstance(found, Tensor):
            raise ValueError("must return a tensor, [n] or [n, 1]; it returns a size")
        return found

    def _step(self, call: Call, held: dict[str, Any], x: Tensor, largest: int | None) -> None:
        """Adds the results of one call; where `largest` is given, with errors that name the operator."""
        given = {name: _filled(value, held, x) for name, value in call.arguments if value is not DROPPED}
        try:
            found = self._called(call.operator, given, x)
        except Exception as error:
            if largest is None:
                raise
            first = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ValueError(f"the operator {call.operator} fails on rows {list(x.shape)}: {first}") from None
        results = list(found) if isinstance(found, list | tuple) else [found]
        if len(results) < len(call.results) or (call.listed and len(results) != len(call.results)):
            raise ValueError(f"the operator {call.operator} returns {len(results)} values, not those named")
        for name, value in zip(call.results, results, strict=False):
            if largest is not None and isinstance(value, Tensor) and value.numel() > largest:
                raise ValueError(
                    f"the operator {call.operator} makes {value.numel():,} numbers of {len(x)} rows; at most "
                    f"{largest:,} are computed"
                )
            if largest is not None and isinstance(value, Tensor) and not value.numel():
                raise ValueError(f"the operator {call.operator} makes an empty tensor, {list(value.shape)}")
            held[name] = value

    def _called(self, operator: str, given: dict[str, Any], x: Tensor) -> Any:
        if operator == SIZE:
            return int(given["self"].shape[given["dim"]])
        if operator in INTEGERS:
            a, b = given.values()
            found = INTEGERS[operator](int(a), int(b))
            if abs(found) > LARGEST:
                raise ValueError("a size is beyond 64 bits")
            return found
        if operator in CASTS:
            return _cast(given, x)
        if operator == NORMALISED:
            settings = {"training": False, "cudnn_enabled": False}
            return [torch.ops.aten.batch_norm.default(**given, **settings), None, None]
        if operator in FACTORIES:
            given = {**given, "device": x.device}
            if not operator.startswith("arange") and given.get("dtype") is None:
                given["dtype"] = x.dtype
        return self.functions[operator](**given)


def _filled(value: Any, held: Mapping[str, Any], x: Tensor) -> Any:
    """An argument with the values it names; floating dtypes are those of the rows."""
    if isinstance(value, Value):
        return held[value.name]
    if isinstance(value, list):
        return [_filled(item, held, x) for item in value]
    if isinstance(value, torch.dtype):
        return x.dtype if value.is_floating_point else value
    return value


def _cast(given: Mapping[str, Any], x: Tensor) -> Tensor:
    """The tensor in the dtype that is asked for, which is the rows' where it is a floating one."""
    tensor: Tensor = given["self"]
    dtype = given["other"].dtype if "other" in given else given.get("dtype")
    return tensor if dtype is None else tensor.to(dtype)
