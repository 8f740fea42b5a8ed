"""Which of moves that are taken in order are accepted (G.1): each that finds room in every set it enters."""

from jaxtyping import Bool, Int

from barriers.arrays import Tensor, torch

ROUNDS = 6
"""Vectorised rounds of admission before the remaining moves are decided one by one."""
FEW = 32
"""Up to so many moves are decided one by one from the first, which takes less time than one round."""
FEW_NUMBERS = 512
"""The same of a single cloud, in numbers: its moves have no clouds to be told apart by."""


def admit(
    changes: Int[Tensor, "e m"], room: Int[Tensor, "*r m"], cloud: Int[Tensor, "e"] | None = None
) -> Bool[Tensor, "e"]:
    """Which of e moves, taken in order, are accepted; changes[i, k] ∈ {−1, 0, 1} is the change of count k by
    move i.

    room: how much each count may still rise; with `cloud`, the ascending index of each move's cloud, it is
    that of each cloud. Move i is accepted iff every count it raises has room after the moves of its cloud
    accepted before it.
    """
    if cloud is None and changes.numel() <= FEW_NUMBERS:
        return _in_order(changes, room).to(changes.device)
    cloud = torch.zeros(len(changes), dtype=torch.int64, device=changes.device) if cloud is None else cloud
    return _admitted(changes, room.reshape(-1, changes.shape[1])[cloud], cloud)


def _admitted(
    changes: Int[Tensor, "e m"], room: Int[Tensor, "e m"], cloud: Int[Tensor, "e"]
) -> Bool[Tensor, "e"]:
    """The same with the room that each move would find if none before it were accepted.

    Most moves are decided in a few vectorised rounds, by bounds on the counts before each, from accepting all
    or none of the undecided ones; the rest, and few moves, one by one, since sets that many moves leave and
    enter at once would need a round for each.
    """
    if len(changes) <= FEW:
        return _one_by_one(changes, room, cloud).to(changes.device)
    accepted = torch.zeros(changes.shape[0], dtype=torch.bool, device=changes.device)
    waiting = torch.arange(changes.shape[0], device=changes.device)
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


def _in_order(changes: Int[Tensor, "e m"], room: Int[Tensor, "m"]) -> Bool[Tensor, "e"]:
    """The same for the moves of a single cloud."""
    free, accepted = room.tolist(), []
    for change in changes.tolist():
        fits = all(c <= 0 or c <= f for c, f in zip(change, free, strict=True))
        if fits:
            free = [f - c for c, f in zip(change, free, strict=True)]
        accepted.append(fits)
    return torch.tensor(accepted, dtype=torch.bool)


def _before(counts: Int[Tensor, "e m"], first: Int[Tensor, "e"]) -> Int[Tensor, "e m"]:
    """Sums over all earlier rows of the same cloud, whose first row is `first`."""
    earlier = counts.cumsum(0) - counts
    return earlier - earlier[first]
