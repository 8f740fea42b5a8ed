"""The cost of a computation, counted rather than timed, so that choices based on it are the same on every
machine.

    work = Σ over torch's calls of  CALL + bytes of the largest tensor read or written + flops of a product /
                                    FLOPS,

in bytes. Compared with the time of one processor core this is accurate within a factor of 2 for steps and
records at 2 to 64 dimensions, at about 0.2 ns per byte; its uses keep a margin.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

CALL = 20_000
"""Bytes that could be moved in the time that any call of torch takes."""
FLOPS = 32
"""Floating point operations of a matrix product in the time of one byte."""


def work(body: Callable[[], object]) -> float:
    """The work of one call of `body`, which is executed; its result is discarded."""
    with torch.no_grad(), _Count() as count:
        body()
    return count.total


class _Count(TorchDispatchMode):
    """Adds up the work of the calls made under it."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Never: nothing is compiled here, and to skip its compiler torch would import it, in two seconds."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            touched = [
                t
                for t in (*args, *(out if isinstance(out, tuple | list) else [out]))
                if isinstance(t, Tensor)
            ]
            self.total += CALL + max((t.numel() * t.element_size() for t in touched), default=0)
            flops = flop_registry.get(func.overloadpacket)
            self.total += 0.0 if flops is None else flops(*args, **(kwargs or {}), out_val=out) / FLOPS
        return out
