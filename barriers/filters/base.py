"""The interface of a filter: a value that changes a drift (before the noise) or a step (after it), and states
its promise.

`init(x)` makes its memory, `apply(...)` returns the result, the next memory and an info. Nothing is changed
in place. Every statistic is a mean over the cloud, so `mean` is all a filter needs from outside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from barriers.derivatives import NotDifferentiable
from barriers.sets.base import UnsafeSet

Mean = Callable[[Tensor], Tensor]
"""The mean over all particles (first axis), in float64; on several processes, over all of them."""


def local_mean(values: Float[Tensor, "n *k"]) -> Float[Tensor, "*k"]:
    """The mean over the particles of this process."""
    return values.double().mean(0)


def unlimited(m: int) -> Float[Tensor, "m"]:
    """The limits of a filter that has no surrogate."""
    return torch.full((m,), torch.nan, dtype=torch.float64)


def insides(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Bool[Tensor, "n m"]:
    """Membership of each particle in each set."""
    return torch.stack([s.contains(x) for s in sets], 1)


def refuse_derivatives(owner: str, x: Tensor) -> None:
    """Raises NotDifferentiable where x has a graph and a filter accepts or refuses whole moves."""
    if torch.is_grad_enabled() and x.requires_grad:
        raise NotDifferentiable(
            f"{owner}: accepting or refusing a move is a jump, its derivative is zero or infinite; "
            "use the filter drift or step with a smoothing (penalty, primal_dual) to differentiate through "
            "a run, or sample under torch.no_grad()"
        )


@dataclass(frozen=True)
class Promise:
    """What a filter guarantees, and the theorem or the counterexample."""

    scope: Literal[
        "every step, this cloud", "in expectation", "in equilibrium", "none", "that of its last filter"
    ]
    because: str


class FilterInfo(NamedTuple):
    """One step of a filter, one number per constraint.

    mean: the observed E φ, where the filter has a surrogate (for a step filter, of the cloud it returned; for
    a drift filter, of the cloud it was given), else NaN. multipliers: in units of μ*. shortfall: by how much
    the promise was missed, 0 where it was kept.
    """

    mean: Float[Tensor, "m"]
    multipliers: Float[Tensor, "m"]
    shortfall: Float[Tensor, "m"]


class DriftFilter(Protocol):
    """Replaces the drift before the noise is added."""

    promise: Promise
    hook: Literal["drift"]
    couples: bool
    """Whether the filter makes particles dependent on each other; the cloud is then not an independent sample
    (A.2).
    """

    @property
    def limits(self) -> Tensor:
        """κβ of each constraint; NaN where the filter has no surrogate."""

    def init(self, x: Float[Tensor, "n d"]) -> Any:
        """The memory at the start of a run."""

    def apply(
        self, x: Float[Tensor, "n d"], drift: Float[Tensor, "n d"], memory: Any
    ) -> tuple[Float[Tensor, "n d"], Any, FilterInfo]:
        """The filtered drift at x."""

    def surrogate(self, x: Float[Tensor, "n d"], info: FilterInfo) -> Float[Tensor, "m"]:
        """The observed E φ of each constraint on the cloud x after a step, to compare with `limits`; NaN
        without a surrogate.

        info: what `apply` returned before that step; a filter that predicts the step has its observation
        there.
        """


class StepFilter(Protocol):
    """Corrects a proposed step after the noise was added.

    uniforms: n random numbers in [0, 1), one per particle; the only randomness a filter may use.
    """

    promise: Promise
    hook: Literal["step"]
    couples: bool
    """Whether the filter makes particles dependent on each other; the cloud is then not an independent sample
    (A.2).
    """

    @property
    def limits(self) -> Tensor:
        """κβ of each constraint; NaN where the filter has no surrogate."""

    def init(self, x: Float[Tensor, "n d"]) -> Any:
        """The memory at the start of a run."""

    def apply(
        self,
        x: Float[Tensor, "n d"],
        proposal: Float[Tensor, "n d"],
        step_size: float,
        uniforms: Float[Tensor, "n"],
        memory: Any,
    ) -> tuple[Float[Tensor, "n d"], Any, FilterInfo]:
        """The step actually taken from x."""
