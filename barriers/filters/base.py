"""The interface of a filter: a value that changes a drift (before the noise) or a step (after it), and states
its promise.

`init(x)` makes its memory, `apply(...)` returns the result, the next memory and an info. Nothing is changed
in place. Every statistic is a mean or a count over the cloud, so `whole` is all a filter needs from outside,
where a cloud is spread over processes.

A filter whose class says `batched = True` also takes clouds side by side, [r, n, d]: whatever it counts,
averages or solves is done for each cloud by itself, and so are its memory (nested tuples and dicts of tensors
[r, ...]) and its info. With `draws_later = True` it also takes `LaterUniforms`. The shapes below are those of
one cloud or of several. Any other filter is applied cloud by cloud (`over_clouds`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from barriers.arrays import Tensor, torch
from barriers.columns import where_true
from barriers.declared import declares
from barriers.derivatives import NotDifferentiable, recorded, vectorized
from barriers.remembered import keep, keep_returned
from barriers.sets.base import UnsafeSet

Mean = Callable[[Tensor], Tensor]
"""The mean over the particles of each cloud, [*r, n, k] to [*r, k], in float64; of a cloud that is spread
over processes, over all of them (`Whole.mean`).
"""


def local_mean(values: Shaped[Tensor, "*r n k"]) -> Float[Tensor, "*r k"]:
    """The mean over the particles of this process."""
    return values.mean(-2, dtype=torch.float64)


def combined(g: Float[Tensor, "*r n k d"], weights: Float[Tensor, "*r k"]) -> Float[Tensor, "*r n d"]:
    """Σ weights_k g_k at every particle, with the weights of its cloud."""
    return (g * weights.to(g.dtype)[..., None, :, None]).sum(-2)


def unlimited(m: int) -> Float[Tensor, "m"]:
    """The limits of a filter that has no surrogate."""
    return torch.full((m,), torch.nan, dtype=torch.float64)


def insides(sets: Sequence[UnsafeSet], x: Float[Tensor, "*r n d"]) -> Bool[Tensor, "*r n m"]:
    """Membership of each particle in each set."""
    rows = x if x.dim() == 2 else x.reshape(-1, x.shape[-1])
    if len(sets) == 1:
        found = sets[0].contains(rows)
        return found.unsqueeze(-1) if x.dim() == 2 else found.reshape(*x.shape[:-1], 1)
    return torch.stack([s.contains(rows) for s in sets], 1).reshape(*x.shape[:-1], len(sets))


def insides_kept(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Bool[Tensor, "n m"]:
    """The same of a proposal, which a run counts next where no move of it is refused (`remembered.keep`)."""
    found = insides(sets, x)
    keep(sets, x, found.numpy(force=True).copy())  # what the filter does with its own is its affair
    return found


def chosen(
    which: Bool[Tensor, "*r n"], x: Float[Tensor, "*r n d"], other: Float[Tensor, "*r n d"]
) -> Float[Tensor, "*r n d"]:
    """x at the chosen particles, `other` at the rest, of which there are few."""
    if x.dim() > 2:
        return torch.where(which[..., None], x, other)
    rest = where_true(~which)
    return x.index_copy(0, rest, other.index_select(0, rest)) if len(rest) else x


def taken_back(
    rows: Int[np.ndarray, "k"],
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "n d"],
    was: Bool[np.ndarray, "n m"],
    would: Bool[np.ndarray, "n m"],
) -> tuple[Float[Tensor, "n d"], Bool[Tensor, "n m"]]:
    """The moves of these particles of one cloud taken back: where all are, and which are inside."""
    places, inside = torch.from_numpy(rows), would.copy()
    inside[rows] = was[rows]
    z = y.index_copy(0, places, x.index_select(0, places))
    keep_returned(x, y, z, rows)
    return z, torch.from_numpy(inside)


def per_cloud(values: Shaped[Tensor, "m"], x: Float[Tensor, "*r n d"]) -> Shaped[Tensor, "*r m"]:
    """The same numbers for each cloud of x."""
    return values if x.dim() == 2 else values.expand(*x.shape[:-2], len(values))


def refuse_derivatives(owner: str, *tensors: Tensor) -> None:
    """Raises NotDifferentiable where one has a graph and a filter accepts or refuses whole moves."""
    if recorded(*tensors):
        refuse_batches(owner, *tensors)
        raise NotDifferentiable(
            f"{owner}: accepting or refusing a move is a jump, its derivative is zero or infinite; "
            "use the filter drift or step with a smoothing (penalty, primal_dual) to differentiate through "
            "a run, or sample under torch.no_grad()"
        )


def refuse_batches(owner: str, *tensors: Tensor) -> None:
    """Raises NotDifferentiable under torch.func.vmap: what a filter computes depends on values, such as which
    particles are inside, and vmap has none.
    """
    if vectorized(*tensors):
        raise NotDifferentiable(
            f"{owner}: which computations are needed depends on the values of the particles, and inside "
            "torch.func.vmap these are not known; give the filter all particles as the rows of one tensor, "
            "or loop over the batch"
        )


@dataclass(frozen=True)
class Promise:
    """What a filter guarantees, and the theorem or the counterexample."""

    scope: Literal[
        "every step, this cloud", "in expectation", "in equilibrium", "none", "that of its last filter"
    ]
    because: str


class FilterInfo(NamedTuple):
    """One step of a filter, one number per constraint (and per cloud).

    mean: the observed E φ, where the filter has a surrogate (for a step filter, of the cloud it returned; for
    a drift filter, of the cloud it was given), else NaN. multipliers: in units of μ*. shortfall: by how much
    the promise was missed, 0 where it was kept.
    """

    mean: Float[Tensor, "*r m"]
    multipliers: Float[Tensor, "*r m"]
    shortfall: Float[Tensor, "*r m"]


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

    def init(self, x: Float[Tensor, "*r n d"]) -> Any:
        """The memory at the start of a run."""

    def apply(
        self, x: Float[Tensor, "*r n d"], drift: Float[Tensor, "*r n d"], memory: Any
    ) -> tuple[Float[Tensor, "*r n d"], Any, FilterInfo]:
        """The filtered drift at x."""

    def surrogate(self, x: Float[Tensor, "*r n d"], info: FilterInfo) -> Float[Tensor, "*r m"]:
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

    def init(self, x: Float[Tensor, "*r n d"]) -> Any:
        """The memory at the start of a run."""

    def apply(
        self,
        x: Float[Tensor, "*r n d"],
        proposal: Float[Tensor, "*r n d"],
        step_size: float,
        uniforms: Float[Tensor, "*r n"],
        memory: Any,
    ) -> tuple[Float[Tensor, "*r n d"], Any, FilterInfo]:
        """The step actually taken from x."""


def batched(chosen: Any) -> bool:
    """Whether a filter takes clouds side by side; see `declares`."""
    return declares(chosen, "batched", "apply")


def draws_later(chosen: Any) -> bool:
    """Whether a step filter takes uniform numbers that are drawn when it needs them (`LaterUniforms`)."""
    return declares(chosen, "draws_later", "apply")
