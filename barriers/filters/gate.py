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
from barriers.filters.alone import alone
from barriers.filters.base import FilterInfo, Promise, insides, per_cloud, refuse_derivatives, unlimited
from barriers.filters.later_uniforms import Uniforms, drawn
from barriers.sets.base import UnsafeSet

MEMORY = 0.01
"""The weight of one step in the running acceptance rate from which the reported multiplier is computed."""

FEW = 32
"""Up to so many moves are decided one by one from the first, which takes less time than one round."""

ROUNDS = 6
"""Vectorised rounds of admission before the remaining moves are decided one by one."""


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

    def __init__(self, sets: Sequence[UnsafeSet], betas: Sequence[float]):
        if any(not 0 <= β < 1 for β in betas):
            raise ValueError(f"gate: beta must lie in [0, 1); got {list(betas)}")
        self.sets, self.betas = tuple(sets), tuple(betas)
        self.limits = unlimited(len(self.sets))

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
        accepted = granted(was, would, budgets, uniforms)
        inside = torch.where(accepted[..., None], would, was)
        entering = (1 - MEMORY) * memory.entering + MEMORY * enters.sum(-2)
        admitted = (1 - MEMORY) * memory.admitted + MEMORY * (enters & accepted[..., None]).sum(-2)
        over = (inside.sum(-2) - budgets).clamp(min=0).double() / x.shape[-2]
        info = FilterInfo(per_cloud(self.limits, x), -(admitted / entering).log(), over)
        return torch.where(accepted[..., None], proposal, x), GateMemory(inside, entering, admitted), info

    def _budgets(self, x: Tensor) -> Int[Tensor, "*r m"]:
        """⌊βn⌋ for every cloud: n is the number of particles of one."""
        budgets = [budget(β, x.shape[-2]) for β in self.betas]
        return per_cloud(torch.tensor(budgets, device=x.device), x)


def granted(
    was: Bool[Tensor, "*r n m"],
    would: Bool[Tensor, "*r n m"],
    most: Int[Tensor, "*r m"],
    uniforms: Uniforms,
) -> Bool[Tensor, "*r n"]:
    """Which moves are accepted: all that enter no set, and of those that enter one, in the order of their
    uniform numbers, those for which every set they enter has room in their own cloud.

    most: how many particles of each cloud may be in each set.
    """
    tries = (would & ~was).any(-1)
    accepted = ~tries
    if not bool(tries.any()):
        return accepted
    order = tries.flatten().nonzero()[:, 0]
    several = tries & (tries.sum(-1, keepdim=True) > 1)  # one move alone has no order
    if bool(several.any()):
        place = torch.zeros(tries.shape, dtype=torch.float64, device=tries.device)
        place[several] = drawn(uniforms, several).double()
        order = order[place.flatten()[order].argsort(stable=True)]
    if tries.dim() > 1:
        order = order[(order // tries.shape[-1]).argsort(stable=True)]  # cloud by cloud
    cloud = order // tries.shape[-1]
    room = most - torch.where(accepted[..., None], would, was).sum(-2)
    before, after = was.flatten(0, -2)[order].long(), would.flatten(0, -2)[order].long()
    flat = accepted.flatten()
    flat[order] = admit(after - before, room, cloud)
    return flat.reshape(tries.shape)


def admit(
    changes: Int[Tensor, "e m"], room: Int[Tensor, "*r m"], cloud: Int[Tensor, "e"] | None = None
) -> Bool[Tensor, "e"]:
    """Which of e moves, taken in order, are accepted; changes[i, k] ∈ {−1, 0, 1} is the change of count k by
    move i.

    room: how much each count may still rise; with `cloud`, the ascending index of each move's cloud, it is
    that of each cloud. Move i is accepted iff every count it raises has room after the moves of its cloud
    accepted before it. Most moves are decided in a few vectorised rounds, by bounds on the counts
    before each, from accepting all or none of the undecided ones; the rest, and few moves, one by one, since
    sets that many moves leave and enter at once would need a round for each.
    """
    accepted = torch.zeros(changes.shape[0], dtype=torch.bool, device=changes.device)
    waiting = torch.arange(changes.shape[0], device=changes.device)
    cloud = torch.zeros_like(waiting) if cloud is None else cloud
    room = room.reshape(-1, changes.shape[1])[cloud]
    if len(waiting) <= FEW:
        return _one_by_one(changes, room, cloud).to(accepted.device)
    used = torch.zeros_like(changes)  # room used by the moves accepted before each waiting one
    for _ in range(ROUNDS):
        if not len(waiting):
            return accepted
        c, first = changes[waiting], torch.searchsorted(cloud, cloud)
        up = c > 0
        most, least = used + _before(c.clamp(min=0), first), used + _before(c.clamp(max=0), first)
        fits = (~up | (most + 1 <= room)).all(1)
        never = (up & (least + 1 > room)).any(1)
        accepted[waiting[fits]] = True
        used = used + _before(torch.where(fits[:, None], c, 0), first)
        still = ~(fits | never)
        waiting, used, room, cloud = (part[still] for part in (waiting, used, room, cloud))
    accepted[waiting] = _one_by_one(changes[waiting], room - used, cloud).to(accepted.device)
    return accepted


def _one_by_one(
    changes: Int[Tensor, "e m"], room: Int[Tensor, "e m"], cloud: Int[Tensor, "e"]
) -> Bool[Tensor, "e"]:
    """The rule itself, in sequence; room[i]: the room for move i if none of these is accepted before it."""
    taken, accepted = dict[int, list[int]](), []
    for change, free, r in zip(changes.tolist(), room.tolist(), cloud.tolist(), strict=True):
        had = taken.get(r, [0] * len(change))
        fits = all(c <= 0 or t < f for c, t, f in zip(change, had, free, strict=True))
        if fits:
            taken[r] = [t + c for t, c in zip(had, change, strict=True)]
        accepted.append(fits)
    return torch.tensor(accepted, dtype=torch.bool)


def _before(counts: Int[Tensor, "e m"], first: Int[Tensor, "e"]) -> Int[Tensor, "e m"]:
    """Sums over all earlier rows of the same cloud, whose first row is `first`."""
    earlier = counts.cumsum(0) - counts
    return earlier - earlier[first]
