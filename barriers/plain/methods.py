"""The functions that are methods of a tensor too, and its operators."""

from typing import Any

from barriers.plain import functional as f
from barriers.plain.tensor import Tensor, plain

OPERATORS = {
    "add": f.add,
    "sub": f.sub,
    "mul": f.mul,
    "truediv": f.div,
    "floordiv": f.floor_divide,
    "mod": f.remainder,
    "pow": f.pow,
    "and": f.bitwise_and,
    "or": f.bitwise_or,
    "xor": f.bitwise_xor,
    "matmul": f.matmul,
}
COMPARISONS = {"eq": f.eq, "ne": f.ne, "lt": f.lt, "le": f.le, "gt": f.gt, "ge": f.ge}


def attach() -> None:
    """Gives tensors their methods and operators."""
    for name, function in f.FUNCTIONS.items():
        if not hasattr(Tensor, name):
            setattr(Tensor, name, function)
    for name, function in OPERATORS.items():
        setattr(Tensor, f"__{name}__", function)
        setattr(Tensor, f"__r{name}__", lambda self, other, g=function: g(other, self))
        setattr(Tensor, f"__i{name}__", lambda self, other, g=function: _in_place(self, g(self, other)))
    for name, function in COMPARISONS.items():
        setattr(Tensor, f"__{name}__", function)
    for name in ("add", "sub", "mul", "div", "clamp", "exp", "masked_fill", "neg", "sqrt"):
        function = getattr(f, name)
        setattr(Tensor, f"{name}_", lambda self, *a, g=function, **k: _in_place(self, g(self, *a, **k)))
    for name, function in {"neg": f.neg, "abs": f.abs, "invert": f.bitwise_not}.items():
        setattr(Tensor, f"__{name}__", function)
    for name, function in OTHERS.items():
        setattr(Tensor, name, function)


def _in_place(tensor: Tensor, result: Any) -> Tensor:
    """The result written where the tensor's numbers are."""
    tensor[...] = result.to(tensor.dtype) if isinstance(result, Tensor) else plain(result)
    return tensor


OTHERS: dict[str, Any] = {
    "where": lambda self, condition, other: f.where(condition, self, other),
    "absolute": f.abs,
    "T": property(lambda self: self.t()),
    "mT": property(lambda self: self.transpose(-2, -1)),
    "zero_": lambda self: _in_place(self, f.zeros_like(self)),
    "fill_": lambda self, value: _in_place(self, f.full_like(self, value)),
    "copy_": lambda self, other: _in_place(self, other),
}
