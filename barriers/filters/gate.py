"""The gate: a step filter that needs only membership, and is exact (G.1).

Each set has a budget of ⌊βn⌋ particles. A move that enters no set is accepted. Moves that enter a set are
processed in random order, each accepted iff every set it enters still has room; the others stay in place.
From a start within budget no step ever exceeds it, for any predicate; the acceptance rate of entering moves
tends to e^{−μ*} (G.2).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.budget import budget
from barriers.counting import counts_of
from barriers.filters.admission import granted, granted_to_one
from barriers.filters.alone import alone
from barriers.filters.base import (
    FilterInfo,
    Promise,
    chosen,
    insides,
    insides_kept,
    per_cloud,
    refuse_derivatives,
    taken_back,
    unlimited,
)
from barriers.filters.later_uniforms import Uniforms
from barriers.filters.side_by_side import entered
from barriers.filters.whole import HERE, Whole
from barriers.sets.base import UnsafeSet

MEMORY = 0.01
"""The weight of one step in the running acceptance rate from which the reported multiplier is computed."""


class GateMemory(NamedTuple):
    """Membership of each particle in each set, and running means of the attempted and the
    accepted entries of each cloud.
    """

    inside: Bool[Tensor, "*r n m"]
    entering: Float[Tensor, "*r m"]
    admitted: Float[Tensor, "*r m"]


class Gate:
    """Keeps the count inside each set within ⌊βn⌋, at every step, for the actual particles."""

    hook: Literal["step"] = "step"
    couples = True
    batched = True
    draws_later = True
    promise = Promise(
        "every step, this cloud",
        "G.2: from a start within budget the count inside each set never exceeds ⌊βn⌋, by induction",
    )

    def __init__(self, sets: Sequence[UnsafeSet], betas: Sequence[float], whole: Whole = HERE):
        if any(not 0 <= β < 1 for β in betas):
            raise ValueError(f"gate: beta must lie in [0, 1); got {list(betas)}")
        self.sets, self.betas = tuple(sets), tuple(betas)
        self.limits, self.whole = unlimited(len(self.sets)), whole

    def init(self, x: Float[Tensor, "*r n d"]) -> GateMemory:
        zero = torch.zeros(*x.shape[:-2], len(self.sets), dtype=torch.float64, device=x.device)
        return GateMemory(insides(self.sets, x), zero, zero)

    @alone
    def apply(
        self,
        x: Float[Tensor, "*r n d"],
        proposal: Float[Tensor, "*r n d"],
        step_size: float,
        uniforms: Uniforms,
        memory: GateMemory,
    ) -> tuple[Float[Tensor, "*r n d"], GateMemory, FilterInfo]:
        refuse_derivatives("gate", x, proposal)
        if x.device.type == "cpu" and not self.whole.spread and x.numel():
            own = self._of_one if x.dim() == 2 else self._of_each
            return own(x, proposal, uniforms, memory)
        was, would = memory.inside, insides(self.sets, proposal)
        budgets = per_cloud(torch.tensor(self._budgets(x), device=x.device), x)
        enters = would & ~was
        accepted = granted(was, would, budgets, uniforms, self.whole)
        inside = torch.where(accepted[..., None], would, was)
        tried, let_in, held = self.whole.count(enters, enters & accepted[..., None], inside)
        entering = (1 - MEMORY) * memory.entering + MEMORY * tried.double()
        admitted = (1 - MEMORY) * memory.admitted + MEMORY * let_in.double()
        over = (held - budgets).clamp(min=0).double() / self.whole.size(x)
        info = FilterInfo(per_cloud(self.limits, x), _minus_log(admitted / entering), over)
        return chosen(accepted, proposal, x), GateMemory(inside, entering, admitted), info

    def _of_one(
        self, x: Float[Tensor, "n d"], y: Float[Tensor, "n d"], uniforms: Uniforms, memory: GateMemory
    ) -> tuple[Float[Tensor, "n d"], GateMemory, FilterInfo]:
        """The same numbers of a single cloud in this process, in fewer calls."""
        n, inside, was = x.shape[0], insides_kept(self.sets, y), memory.inside.numpy(force=True)
        room, would = self._budgets(x), inside.numpy(force=True)
        enters = np.greater(would, was)
        tried = let_in = counts_of(enters)
        if any(tried):
            rows = np.flatnonzero(~granted_to_one(was, would, enters, room, uniforms))
            if len(rows):
                let_in = [t - r for t, r in zip(tried, counts_of(enters[rows]), strict=True)]
                y, inside = taken_back(rows, x, y, was, would)
        held = counts_of(inside.numpy(force=True))
        over = [max(has - may, 0) / n for has, may in zip(held, room, strict=True)]
        means = running(memory.entering, tried), running(memory.admitted, let_in)
        numbers = np.array([*means, over, over])
        with np.errstate(all="ignore"):
            numbers[2] = -np.log(numbers[1] / numbers[0])
        entries, let, μ, excess = torch.from_numpy(numbers).unbind()
        return y, GateMemory(inside, entries, let), FilterInfo(self.limits, μ, excess)

    def _of_each(
        self, x: Float[Tensor, "r n d"], y: Float[Tensor, "r n d"], uniforms: Uniforms, memory: GateMemory
    ) -> tuple[Float[Tensor, "r n d"], GateMemory, FilterInfo]:
        """The same of clouds side by side."""
        room = np.array(self._budgets(x))
        found = entered(self.sets, x, y, memory.inside, room, uniforms, taken_back)
        entering, admitted = (part.numpy(force=True) for part in memory[1:])
        means = running_each(entering, found.tried), running_each(admitted, found.let_in)
        over = np.maximum(found.held - room, 0) / x.shape[1]
        with np.errstate(all="ignore"):
            numbers = np.array([*means, -np.log(means[1] / means[0]), over])
        entries, let, μ, excess = torch.from_numpy(numbers).unbind()
        after = GateMemory(found.inside, entries, let)
        return found.y, after, FilterInfo(per_cloud(self.limits, x), μ, excess)

    def _budgets(self, x: Tensor) -> list[int]:
        """⌊βn⌋ of each set: n is the number of particles of one cloud."""
        n = self.whole.size(x)
        return [budget(β, n) for β in self.betas]


def running(mean: Float[Tensor, "m"], now: Sequence[int]) -> list[float]:
    """A running mean of each count, after one more step."""
    return [(1 - MEMORY) * old + MEMORY * new for old, new in zip(mean.tolist(), now, strict=True)]


def running_each(mean: Float[np.ndarray, "r m"], now: Int[np.ndarray, "r m"]) -> Float[np.ndarray, "r m"]:
    """The same of each cloud."""
    found: np.ndarray = (1 - MEMORY) * mean + MEMORY * now
    return found


def _minus_log(share: Float[Tensor, "*r m"]) -> Float[Tensor, "*r m"]:
    """−log of the share of entries that are accepted; by numpy on the CPU, which takes less time."""
    if share.device.type != "cpu":
        return -share.log()
    with np.errstate(all="ignore"):
        return torch.from_numpy(-np.log(share.numpy()))
