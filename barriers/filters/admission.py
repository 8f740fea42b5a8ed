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

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.filters.in_order import admit
from barriers.filters.later_uniforms import Uniforms, drawn, numbers_at
from barriers.filters.whole import HERE, Whole

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
    if tries.dim() == 1 and tries.device.type == "cpu":
        return _granted_to_one(was, would, most, uniforms)
    if tries.dim() == 2 and was.shape[-1] == 1 and tries.device.type == "cpu":
        free = most[:, 0].numpy(force=True)
        return torch.from_numpy(_granted_to_each(would.numpy(force=True), tries.numpy(), free, uniforms))
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


def granted_to_each(
    was: Bool[Tensor, "r n m"],
    would: Bool[Tensor, "r n m"],
    enters: Bool[np.ndarray, "r n m"],
    most: Int[np.ndarray, "m"] | Int[np.ndarray, "r m"],
    uniforms: Uniforms,
) -> Bool[np.ndarray, "r n"]:
    """The same for clouds side by side in this memory. enters: which sets each move enters."""
    most = np.broadcast_to(most, (len(enters), enters.shape[2]))
    if enters.shape[2] == 1:
        return _granted_to_each(would.numpy(force=True), enters[..., 0], most[:, 0], uniforms)
    return granted(was, would, torch.from_numpy(most.copy()), uniforms).numpy()


def _granted_to_each(
    would: Bool[np.ndarray, "r n 1"],
    enters: Bool[np.ndarray, "r n"],
    most: Int[np.ndarray, "r"],
    uniforms: Uniforms,
) -> Bool[np.ndarray, "r n"]:
    """The same for one set."""
    accepted, order, n = ~enters, np.flatnonzero(enters), enters.shape[1]
    if len(order):
        cloud = order // n
        several = np.bincount(cloud, minlength=len(enters)) > 1  # one move alone has no order
        ordered = several[cloud]
        if ordered.any():
            place = np.zeros(len(order))
            place[ordered] = drawn(uniforms, torch.from_numpy(enters & several[:, None])).numpy(force=True)
            order = order[np.lexsort((place, cloud))]
        free = most - (would[..., 0] & accepted).sum(1)
        earlier = np.arange(len(order)) - np.searchsorted(cloud, cloud)
        accepted.reshape(-1)[order[earlier < free[cloud]]] = True
    return accepted


def entering(was: Bool[Tensor, "*r n m"], would: Bool[Tensor, "*r n m"]) -> Bool[Tensor, "*r n"]:
    """Which moves enter a set."""
    enters = would & ~was
    return enters[..., 0] if enters.shape[-1] == 1 else enters.any(-1)


def _granted_to_one(
    was: Bool[Tensor, "n m"], would: Bool[Tensor, "n m"], most: Int[Tensor, "m"], uniforms: Uniforms
) -> Bool[Tensor, "n"]:
    before, after = was.numpy(), would.numpy()
    found = granted_to_one(before, after, np.greater(after, before), most.tolist(), uniforms)
    return torch.from_numpy(found)


def granted_to_one(
    was: Bool[np.ndarray, "n m"],
    would: Bool[np.ndarray, "n m"],
    enters: Bool[np.ndarray, "n m"],
    most: Sequence[int],
    uniforms: Uniforms,
) -> Bool[np.ndarray, "n"]:
    """The same for a single cloud in this memory. enters: which sets each move enters."""
    tries: np.ndarray = enters[:, 0]
    if enters.shape[1] > 1:
        tries = np.asarray(enters.any(1))
    order = np.flatnonzero(tries)
    if enters.shape[1] == 1:  # each of them takes a place, and none gives one back
        free = most[0] - int(np.count_nonzero(would)) + len(order)
        if free >= len(order):
            return np.ones(len(tries), dtype=bool)
        accepted = ~tries
        if free > 0:
            accepted[order[_by_number(order, uniforms)[:free]]] = True
        return accepted
    room = np.array(most) - np.where(tries[:, None], was, would).sum(0)
    changes, accepted = would[order].astype(np.int64) - was[order], ~tries
    if not (np.maximum(changes, 0).sum(0) <= room).all():  # else in any order
        if len(order) > 1:
            by_number = _by_number(order, uniforms)
            order, changes = order[by_number], changes[by_number]
        order = order[admit(torch.from_numpy(changes), torch.from_numpy(room)).numpy()]
    accepted[order] = True
    return accepted


def _by_number(order: Int[np.ndarray, "e"], uniforms: Uniforms) -> Int[np.ndarray, "e"]:
    """The order of the moves of these particles: that of their uniform numbers."""
    return numbers_at(uniforms, order).argsort(kind="stable")


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
