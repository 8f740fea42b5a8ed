"""The cost of a computation, counted rather than timed, so that choices based on it are the same on every
machine.

    work = Σ over torch's calls of  CALL + bytes of the largest tensor read or written + flops of a product /
                                    FLOPS,

in bytes. Compared with the time of one processor core this is accurate within a factor of 2 for steps and
records at 2 to 64 dimensions, at about 0.2 ns per byte; its uses keep a margin.
"""

from collections.abc import Callable

from barriers.arrays import torch

CALL = 20_000
"""Bytes that could be moved in the time that any call of torch takes."""
FLOPS = 32
"""Floating point operations of a matrix product in the time of one byte."""


def work(body: Callable[[], object]) -> float:
    """The work of one call of `body`, which is executed; its result is discarded."""
    from lem_safe.lyapunov.calls import Calls  # the part of torch that it needs is slow to import

    with torch.no_grad(), Calls() as calls:
        body()
    return calls.total
