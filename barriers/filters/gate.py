"""The gate: a step filter that needs only membership, and is exact (G.1).

Each set has a budget of ⌊βn⌋ particles. A move that enters no set is accepted. Moves that enter a set are
processed in random order, each accepted iff every set it enters still has room; the others stay in place.
From a start within budget no step ever exceeds it, for any predicate; the acceptance rate of entering moves
tends to e^{−μ*} (G.2).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from barriers.budget import budget
from barriers.filters.base import FilterInfo, Promise, insides, refuse_derivatives, unlimited
from barriers.sets.base import UnsafeSet

MEMORY = 0.01
"""The weight of one step in the running acceptance rate from which the reported multiplier is computed."""

ROUNDS = 6
"""Vectorised rounds of admission before the remaining moves are decided one by one."""


class GateMemory(NamedTuple):
    """Membership of each particle in each set, and running means of the attempted and the
    accepted entries.
    """

    inside: Bool[Tensor, "n m"]
    entering: Float[Tensor, "m"]
    admitted: Float[Tensor, "m"]


class Gate:
    """Keeps the count inside each set within ⌊βn⌋, at every step, for the actual particles."""

    hook: Literal["step"] = "step"
    couples = True
    promise = Promise(
        "every step, this cloud",
        "G.2: from a start within budget the count inside each set never exceeds ⌊βn⌋, by induction",
    )

    def __init__(self, sets: Sequence[UnsafeSet], betas: Sequence[float]):
        if any(not 0 <= β < 1 for β in betas):
            raise ValueError(f"gate: beta must lie in [0, 1); got {list(betas)}")
        self.sets, self.betas = tuple(sets), tuple(betas)
        self.limits = unlimited(len(self.sets))

    def init(self, x: Float[Tensor, "n d"]) -> GateMemory:
        zero = torch.zeros(len(self.sets), dtype=torch.float64, device=x.device)
        return GateMemory(insides(self.sets, x), zero, zero)

    def apply(
        self,
        x: Float[Tensor, "n d"],
        proposal: Float[Tensor, "n d"],
        step_size: float,
        uniforms: Float[Tensor, "n"],
        memory: GateMemory,
    ) -> tuple[Float[Tensor, "n d"], GateMemory, FilterInfo]:
        refuse_derivatives("gate", proposal)
        was, would = memory.inside, insides(self.sets, proposal)
        enters = would & ~was
        tries = enters.any(1)
        budgets = torch.tensor([budget(β, x.shape[0]) for β in self.betas], device=x.device)
        accepted = ~tries
        if bool(tries.any()):
            order = tries.nonzero()[:, 0]
            order = order[uniforms[order].argsort()]
            room = budgets - torch.where(accepted[:, None], would, was).sum(0)
            accepted[order] = admit(would[order].long() - was[order].long(), room)
        inside = torch.where(accepted[:, None], would, was)
        entering = (1 - MEMORY) * memory.entering + MEMORY * enters.sum(0)
        admitted = (1 - MEMORY) * memory.admitted + MEMORY * (enters & accepted[:, None]).sum(0)
        over = (inside.sum(0) - budgets).clamp(min=0).double() / x.shape[0]
        info = FilterInfo(self.limits, -(admitted / entering).log(), over)
        return torch.where(accepted[:, None], proposal, x), GateMemory(inside, entering, admitted), info


def admit(changes: Int[Tensor, "e m"], room: Int[Tensor, "m"]) -> Bool[Tensor, "e"]:
    """Which of e moves, taken in order, are accepted; changes[i, k] ∈ {−1, 0, 1} is the change of count k by
    move i.

    room: how much each count may still rise. Move i is accepted iff every count it raises has room after the
    moves accepted before it. Most moves are decided in a few vectorised rounds, by bounds on the counts
    before each, from accepting all or none of the undecided ones; the rest one by one, since sets that many
    moves leave and enter at once would need a round for each.
    """
    accepted = torch.zeros(changes.shape[0], dtype=torch.bool, device=changes.device)
    waiting = torch.arange(changes.shape[0], device=changes.device)
    used = torch.zeros_like(changes)  # room used by the moves accepted before each waiting one
    for _ in range(ROUNDS):
        if not len(waiting):
            return accepted
        c = changes[waiting]
        up = c > 0
        most, least = used + _before(c.clamp(min=0)), used + _before(c.clamp(max=0))
        fits = (~up | (most + 1 <= room)).all(1)
        never = (up & (least + 1 > room)).any(1)
        accepted[waiting[fits]] = True
        used = used + _before(torch.where(fits[:, None], c, 0))
        still = ~(fits | never)
        waiting, used = waiting[still], used[still]
    accepted[waiting] = _one_by_one(changes[waiting], room - used).to(accepted.device)
    return accepted


def _one_by_one(changes: Int[Tensor, "e m"], room: Int[Tensor, "e m"]) -> Bool[Tensor, "e"]:
    """The rule itself, in sequence; room[i]: the room for move i if none of these is accepted before it."""
    taken, accepted = [0] * changes.shape[1], []
    for change, free in zip(changes.tolist(), room.tolist(), strict=True):
        fits = all(c <= 0 or t < f for c, t, f in zip(change, taken, free, strict=True))
        if fits:
            taken = [t + c for t, c in zip(taken, change, strict=True)]
        accepted.append(fits)
    return torch.tensor(accepted, dtype=torch.bool)


def _before(counts: Tensor) -> Tensor:
    """Sums over all earlier rows."""
    return counts.cumsum(0) - counts
