"""Which moves a set has room for (G.1): in the order of their uniform numbers, each that finds room in every
set it enters.

Of a cloud whose parts are elsewhere the order runs through all parts, and the answer is the same, to the last
particle. The changes c of the counts by the moves are added up by bucket of their numbers, u ∈ [i/256, (i +
1)/256), and over the parts. From the first undecided bucket on, with as much room as the moves before it have
left, bounds decide whole buckets (G.8):

    Σ_{j ≤ i} Σ c⁺ ≤ room: all that enter are accepted;      1 + Σ_{j ≤ i} Σ c⁻ > room: all are refused.

Only the moves of a bucket that neither holds of, one for each set that fills up, are told to every part,
which decides them in order.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.columns import where_true
from barriers.filters.later_uniforms import Uniforms, drawn
from barriers.filters.whole import HERE, Whole

ROUNDS = 6
"""Vectorised rounds of admission before the remaining moves are decided one by one."""
FEW = 32
"""Up to so many moves are decided one by one from the first, which takes less time than one round."""
FEW_NUMBERS = 512
"""The same of a single cloud, in numbers: its moves have no clouds to be told apart by."""
BUCKETS, RUN = 256, 4096
"""Buckets of the numbers, and so many moves that are told at once where several buckets are undecided."""
DIGITS = tuple(range(56, -1, -8))
"""The places of the eight digits of a number of 64 bits."""


def granted(
    was: Bool[Tensor, "*r n m"],
    would: Bool[Tensor, "*r n m"],
    most: Int[Tensor, "*r m"],
    uniforms: Uniforms,
    whole: Whole = HERE,
) -> Bool[Tensor, "*r n"]:
    """Which moves are accepted: all that enter no set, and of those that enter one, in the order of their
    uniform numbers, those for which every set they enter has room in their own cloud.

    most: how many particles of each cloud may be in each set.
    """
    tries = entering(was, would)
    accepted = ~tries
    if whole.spread:
        accepted[tries] = _granted_to_part(was, would, tries, most, drawn(uniforms, tries), whole)
        return accepted
    if tries.dim() == 1:
        return _granted_to_one(was, would, tries, most, uniforms)
    if tries.dim() == 2 and was.shape[-1] == 1 and tries.device.type == "cpu":
        return _granted_to_each(would, tries, most, uniforms)
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
    if was.shape[-1] == 1:
        return _first_of_each(accepted, would, most, order, cloud)
    room = most - torch.where(accepted[..., None], would, was).sum(-2)
    before, after = was.flatten(0, -2)[order].long(), would.flatten(0, -2)[order].long()
    flat = accepted.flatten()
    flat[order] = admit(after - before, room, cloud)
    return flat.reshape(tries.shape)


def _first_of_each(
    accepted: Bool[Tensor, "r n"],
    would: Bool[Tensor, "r n 1"],
    most: Int[Tensor, "r 1"],
    order: Int[Tensor, "e"],
    cloud: Int[Tensor, "e"],
) -> Bool[Tensor, "r n"]:
    """Of moves into the only set, in their order within each cloud, as many as it has room for: each of them
    takes a place, and none gives one back.
    """
    free = most[:, 0] - (would[..., 0] & accepted).sum(-1)
    earlier = torch.arange(len(order), device=order.device) - torch.searchsorted(cloud, cloud)
    granted = order[earlier < free[cloud]]
    return accepted.flatten().index_fill_(0, granted, True).reshape(accepted.shape)


def _granted_to_each(
    would: Bool[Tensor, "r n 1"], tries: Bool[Tensor, "r n"], most: Int[Tensor, "r 1"], uniforms: Uniforms
) -> Bool[Tensor, "r n"]:
    """The same for clouds side by side and one set, in numpy, whose calls take less time."""
    enters, n = tries.numpy(), tries.shape[1]
    accepted, order = ~enters, np.flatnonzero(enters)
    if len(order):
        cloud = order // n
        several = np.bincount(cloud, minlength=len(enters)) > 1  # one move alone has no order
        ordered = several[cloud]
        if ordered.any():
            place = np.zeros(len(order))
            place[ordered] = drawn(uniforms, torch.from_numpy(enters & several[:, None])).numpy()
            order = order[np.lexsort((place, cloud))]
        free = most[:, 0].numpy() - (would.numpy()[..., 0] & accepted).sum(1)
        earlier = np.arange(len(order)) - np.searchsorted(cloud, cloud)
        accepted.reshape(-1)[order[earlier < free[cloud]]] = True
    return torch.from_numpy(accepted)


def entering(was: Bool[Tensor, "*r n m"], would: Bool[Tensor, "*r n m"]) -> Bool[Tensor, "*r n"]:
    """Which moves enter a set."""
    enters = would & ~was
    return enters[..., 0] if enters.shape[-1] == 1 else enters.any(-1)


def _granted_to_one(
    was: Bool[Tensor, "n m"],
    would: Bool[Tensor, "n m"],
    tries: Bool[Tensor, "n"],
    most: Int[Tensor, "m"],
    uniforms: Uniforms,
) -> Bool[Tensor, "n"]:
    """The same for a single cloud: which of the moves that enter a set are among those that are accepted."""
    accepted, order = ~tries, where_true(tries)
    if not len(order):
        return accepted
    if len(order) > 1:
        order = order[drawn(uniforms, tries).double().argsort(stable=True)]
    if was.shape[1] == 1:  # each of them takes a place, and none gives one back
        free = int(most) - int(would.sum()) + len(order)
        accepted.index_fill_(0, order[: max(free, 0)], True)
        return accepted
    room = most - torch.where(tries[:, None], was, would).sum(0)
    accepted[order] = admit(would[order].long() - was[order].long(), room)
    return accepted


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


def _granted_to_part(
    was: Bool[Tensor, "n m"],
    would: Bool[Tensor, "n m"],
    tries: Bool[Tensor, "n"],
    most: Int[Tensor, "m"],
    u: Float[Tensor, "e"],
    whole: Whole,
) -> Bool[Tensor, "e"]:
    """Which of this part's moves that enter a set are accepted. u: their uniform numbers."""
    changes, bucket = would[tries].long() - was[tries].long(), (u.double() * BUCKETS).long()
    up, m = changes.clamp(min=0), changes.shape[1]
    signs = torch.cat([up, changes.clamp(max=0), torch.ones_like(up[:, :1])], 1)
    others = torch.where(tries[:, None], was, would).sum(0)
    inside, counted = whole.total(others, _by_bucket(bucket, signs))
    room, raised, lowered, moves = most - inside, counted[:, :m], counted[:, m:-1], counted[:, -1]
    accepted, begin = torch.zeros(len(u), dtype=torch.bool, device=u.device), 0
    while begin < BUCKETS:
        highest, lowest = raised[begin:].cumsum(0), lowered[begin:].cumsum(0)
        within = highest <= room
        open_ = (~within & (lowest + 1 <= room) & (raised[begin:] > 0)).any(1)
        first = begin + int(torch.cat([open_, open_.new_ones(1)]).nonzero()[0, 0])
        clear = (bucket >= begin) & (bucket < first)
        fits = clear.clone()
        fits[clear] = ((up[clear] == 0) | within[bucket[clear] - begin]).all(1)
        accepted |= fits
        if first == BUCKETS:
            break
        if bool(within[: first - begin].all()):
            room = room - (raised + lowered)[begin:first].sum(0)
        else:
            room = room - whole.total(changes[fits].sum(0))[0]
        run = torch.cat([open_[first - begin :], open_.new_zeros(1)]).long().argmin()
        few = int((moves[first:].cumsum(0) <= RUN).sum())
        begin = first + max(1, min(int(run), few))
        told = (bucket >= first) & (bucket < begin)
        (all_u, all_changes), own = whole.joined(u[told], changes[told].to(torch.int8))
        order, all_changes = all_u.argsort(stable=True), all_changes.long()
        decided = torch.zeros(len(order), dtype=torch.bool, device=u.device)
        decided[order] = admit(all_changes[order], room)
        accepted[told], room = decided[own], room - all_changes[decided].sum(0)
    return accepted


def _by_bucket(bucket: Int[Tensor, "e"], changes: Int[Tensor, "e m"]) -> Int[Tensor, "b m"]:
    """The sum of the changes in each bucket."""
    none = torch.zeros(BUCKETS, changes.shape[1], dtype=changes.dtype, device=changes.device)
    return none.index_add(0, bucket, changes)


def highest(values: Float[Tensor, "k"], count: int, whole: Whole = HERE) -> Bool[Tensor, "k"]:
    """Which of the values are among the `count` largest ones of the whole cloud; of equal ones the first."""
    chosen = torch.zeros(len(values), dtype=torch.bool, device=values.device)
    if not whole.spread:
        chosen[values.argsort(descending=True, stable=True)[:count]] = True
    if not (whole.spread and count):
        return chosen
    bits = (values.double() + 0.0).view(torch.int64)
    ordered = torch.where(bits < 0, bits ^ torch.iinfo(torch.int64).max, bits)  # as the numbers are
    left = torch.ones_like(chosen)
    for place in DIGITS:
        digit = ((ordered >> place) + (128 if place == DIGITS[0] else 0)) & 255
        (seen,) = whole.total(torch.bincount(digit[left], minlength=256))
        above = seen.flip(0).cumsum(0).flip(0) - seen
        at = int((above < count).nonzero()[0, 0])  # the digit that the last one taken has
        chosen |= left & (digit > at)
        left &= digit == at
        count -= int(above[at])
    mine = left.long()
    return chosen | (left & (whole.before(mine.sum()) + mine.cumsum(0) <= count))
