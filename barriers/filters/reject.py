"""Rejection: a move that would enter a set is not made. It is the gate with a budget of 0, whatever β is.

With a reversible base kernel this is Metropolis' rule for ρ_U restricted to the safe side; the fraction
inside never grows.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.filters.alone import alone
from barriers.filters.base import FilterInfo, Promise, insides, per_cloud, refuse_derivatives, unlimited
from barriers.filters.later_uniforms import Uniforms
from barriers.sets.base import UnsafeSet


class RejectMemory(NamedTuple):
    """Membership of each particle in each set."""

    inside: Bool[Tensor, "*r n m"]


class Reject:
    """Keeps every particle that is outside a set outside."""

    hook: Literal["step"] = "step"
    couples = False
    batched = True
    draws_later = True
    promise = Promise(
        "every step, this cloud",
        "G.2 with β = 0: no particle ever enters; it forbids what the tolerance would allow",
    )

    def __init__(self, sets: Sequence[UnsafeSet]):
        self.sets, self.limits = tuple(sets), unlimited(len(sets))

    def init(self, x: Float[Tensor, "*r n d"]) -> RejectMemory:
        return RejectMemory(insides(self.sets, x))

    @alone
    def apply(
        self,
        x: Float[Tensor, "*r n d"],
        proposal: Float[Tensor, "*r n d"],
        step_size: float,
        uniforms: Uniforms,
        memory: RejectMemory,
    ) -> tuple[Float[Tensor, "*r n d"], RejectMemory, FilterInfo]:
        refuse_derivatives("reject", x, proposal)
        would = insides(self.sets, proposal)
        refused = (would & ~memory.inside).any(-1)
        inside = torch.where(refused[..., None], memory.inside, would)
        none = per_cloud(self.limits, x)
        info = FilterInfo(none, none, torch.zeros_like(none))
        return torch.where(refused[..., None], x, proposal), RejectMemory(inside), info
