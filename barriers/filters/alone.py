"""A step filter called with x and the proposal alone, in a loop of one's own."""

from collections.abc import Callable
from typing import Any

from barriers.arrays import Tensor, torch

Apply = Callable[..., Any]


def alone(apply: Apply) -> Apply:
    """`apply` of a step filter with defaults: step_size 1, uniforms drawn by torch (whose seed is that of
    `torch.manual_seed`), and a memory that begins at x.

    With a memory that is begun anew at every call, what a filter promises is promised of every call whose x
    is within the budget; hand the memory that is returned to the next call for more, or use `lem_safe.guard`.
    """

    def completed(
        self: Any,
        x: Tensor,
        proposal: Tensor,
        step_size: float = 1.0,
        uniforms: Any = None,
        memory: Any = None,
    ) -> Any:
        if uniforms is None:
            uniforms = torch.rand(x.shape[:-1], dtype=x.dtype, device=x.device)
        memory = self.init(x) if memory is None else memory
        return apply(self, x, proposal, step_size, uniforms, memory)

    completed.__doc__, completed.__name__ = apply.__doc__, "apply"
    return completed
