"""What stands where `torch` is imported: its names over numpy. A name that is not here raises NeedsTorch."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from barriers.plain import functional, linear, modules, special
from barriers.plain.kinds import Device, Size, bool_, float32, float64, int32, long
from barriers.plain.methods import attach
from barriers.plain.needs import Choice, needing
from barriers.plain.random import Generator, _standard_gamma, multinomial, rand, randint, randn, randperm
from barriers.plain.tape import EnableGrad, NoGrad, gradients, is_grad_enabled
from barriers.plain.tensor import Tensor

nan, inf, pi = float("nan"), float("inf"), float(np.pi)
int8, int16, uint8 = map(np.dtype, ("int8", "int16", "uint8"))
float16, int64, double, half = np.dtype("float16"), long, float64, np.dtype("float16")
device, dtype, strided = Device, np.dtype, "strided"
linalg, nn = linear, modules
no_grad, enable_grad, inference_mode = NoGrad, EnableGrad, NoGrad
KINDS = {"bool": bool_, "float": float32, "int": int32, "long": long}

attach()
if Choice.again:  # a process of our own: what has no value is NaN, and is told where it matters
    np.seterr(all="ignore")


class _Function:
    """An operation with a derivative of its own."""

    @classmethod
    def apply(cls, *given: Any, **named: Any) -> Any:
        raise needing(cls.__name__)


def _grad(
    outputs: Tensor, inputs: Any, *, create_graph: bool = False, **how: Any
) -> tuple[Tensor | None, ...]:
    if create_graph:
        raise needing("a second derivative")
    asked = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    return tuple(None if g is None else Tensor(g) for g in gradients(outputs, asked))


_forward = SimpleNamespace(_current_level=-1)  # no forward derivatives
cuda = SimpleNamespace(is_available=lambda: False)
_C = SimpleNamespace(
    _functorch=SimpleNamespace(
        peek_interpreter_stack=lambda: None,
        is_functorch_wrapped_tensor=lambda x: False,
        is_batchedtensor=lambda x: False,
    )
)


def _once(f: Callable[..., Any]) -> Callable[..., Any]:
    return f


autograd = SimpleNamespace(
    grad=_grad,
    Function=_Function,
    forward_ad=_forward,
    function=SimpleNamespace(once_differentiable=_once),
)


def finfo(kind: Any = float32) -> SimpleNamespace:
    """The limits of a dtype, as Python's numbers."""
    of = np.finfo(kind)
    tiny = float(of.tiny)
    return SimpleNamespace(
        eps=float(of.eps), max=float(of.max), min=float(of.min), tiny=tiny, smallest_normal=tiny, bits=of.bits
    )


def iinfo(kind: Any) -> SimpleNamespace:
    of = np.iinfo(kind)
    return SimpleNamespace(max=int(of.max), min=int(of.min), bits=of.bits)


def get_default_dtype() -> Any:
    return float32


def __getattr__(name: str) -> Any:
    if name in KINDS:
        return KINDS[name]
    if name == "special":
        return special
    if name == "__version__":
        from importlib.metadata import version

        return version("torch")
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(functional, name)


__all__ = [
    "Generator",
    "Size",
    "_standard_gamma",
    "is_grad_enabled",
    "multinomial",
    "rand",
    "randint",
    "randn",
    "randperm",
]
