"""The gate: a step filter that needs only membership, and is exact (G.1).

Each set has a budget of ⌊βn⌋ particles. A move that enters no set is accepted. Moves that enter a set are
processed in random order, each accepted iff every set it enters still has room; the others stay in place.
From a start within budget no step ever exceeds it, for any predicate; the acceptance rate of entering moves
tends to e^{−μ*} (G.2).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.budget import budget
from barriers.filters.admission import granted
from barriers.filters.alone import alone
from barriers.filters.base import (
    FilterInfo,
    Promise,
    chosen,
    insides,
    per_cloud,
    refuse_derivatives,
    unlimited,
)
from barriers.filters.later_uniforms import Uniforms
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
        was, would = memory.inside, insides(self.sets, proposal)
        enters, budgets = would & ~was, self._budgets(x)
        accepted = granted(was, would, budgets, uniforms, self.whole)
        inside = torch.where(accepted[..., None], would, was)
        tried, let_in, held = self.whole.count(enters, enters & accepted[..., None], inside)
        entering = memory.entering.lerp(tried.double(), MEMORY)
        admitted = memory.admitted.lerp(let_in.double(), MEMORY)
        over = (held - budgets).clamp(min=0).double() / self.whole.size(x)
        info = FilterInfo(per_cloud(self.limits, x), -(admitted / entering).log(), over)
        return chosen(accepted, proposal, x), GateMemory(inside, entering, admitted), info

    def _budgets(self, x: Tensor) -> Int[Tensor, "*r m"]:
        """⌊βn⌋ for every cloud: n is the number of particles of one."""
        budgets = [budget(β, self.whole.size(x)) for β in self.betas]
        return per_cloud(torch.tensor(budgets, device=x.device), x)
