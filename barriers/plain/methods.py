"""The functions that are methods of a tensor too, and its operators."""

from typing import Any

from barriers.plain import functions as f
from barriers.plain.tensor import Tensor, plain

NAMES = (
    "add sub mul div pow remainder minimum maximum hypot floor_divide eq ne lt le gt ge logical_and "
    "logical_or logical_xor abs neg square sqrt rsqrt reciprocal exp expm1 log log1p log2 log10 sin cos tan "
    "atan acos asin sinh cosh tanh sigmoid logit relu sign floor ceil round trunc isfinite isnan isinf "
    "signbit logical_not where clamp nan_to_num frexp ldexp sum mean prod amax amin aminmax max min argmax "
    "argmin any all cumsum cumprod logsumexp softmax log_softmax norm var std diff gather index_select "
    "index_copy masked_fill masked_scatter flip roll sort argsort nonzero count_nonzero unique isin bincount "
    "equal allclose broadcast_to matmul mm outer dot diagonal diag triu tril"
).split()
OPERATORS = {
    "add": f.add,
    "sub": f.sub,
    "mul": f.mul,
    "truediv": f.div,
    "floordiv": f.floor_divide,
    "mod": f.remainder,
    "pow": f.pow,
    "and": f.logical_and,
    "or": f.logical_or,
    "xor": f.logical_xor,
    "matmul": f.matmul,
}
COMPARISONS = {"eq": f.eq, "ne": f.ne, "lt": f.lt, "le": f.le, "gt": f.gt, "ge": f.ge}


def attach() -> None:
    """Gives tensors their methods and operators."""
    for name in NAMES:
        setattr(Tensor, name, getattr(f, name))
    Tensor.where = lambda self, condition, other: f.where(condition, self, other)  # type: ignore[attr-defined]
    for name, function in OPERATORS.items():
        setattr(Tensor, f"__{name}__", function)
        setattr(Tensor, f"__r{name}__", lambda self, other, g=function: g(other, self))
        setattr(Tensor, f"__i{name}__", lambda self, other, g=function: _in_place(self, g(self, other)))
    for name, function in COMPARISONS.items():
        setattr(Tensor, f"__{name}__", function)
    for name in ("add", "sub", "mul", "div", "clamp", "exp", "masked_fill", "neg", "sqrt"):
        function = getattr(f, name)
        setattr(Tensor, f"{name}_", lambda self, *a, g=function, **k: _in_place(self, g(self, *a, **k)))
    Tensor.__neg__, Tensor.__abs__, Tensor.__invert__ = f.neg, f.abs, f.logical_not  # type: ignore[attr-defined]
    Tensor.zero_ = lambda self: _in_place(self, f.zeros_like(self))  # type: ignore[attr-defined]
    Tensor.fill_ = lambda self, value: _in_place(self, f.full_like(self, value))  # type: ignore[attr-defined]
    Tensor.copy_ = lambda self, other: _in_place(self, other)  # type: ignore[attr-defined]
    Tensor.absolute = f.abs  # type: ignore[attr-defined]


def _in_place(tensor: Tensor, result: Any) -> Tensor:
    """The result written where the tensor's numbers are."""
    tensor[...] = result.to(tensor.dtype) if isinstance(result, Tensor) else plain(result)
    return tensor


attach()
