"""The search for several multipliers (Q.6) of a large cloud, over the particles that can be moved at all.

Few of m constraints are violated, and each pushes only particles within a few standard deviations of its
boundary. What the others contribute to the means is known beforehand; the chances of those that are moved
are computed by pairs of a particle and a set that is near it (`barriers.pairs`). A constraint that becomes
violated on the way is added with the particles it can push.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.filters import nearby
from barriers.filters.complementarity import advanced
from barriers.filters.iterates import ITERATIONS
from barriers.filters.normal import beyond, depth
from barriers.filters.push import NARROW
from barriers.filters.pushes import narrowing
from barriers.filters.whole import Whole
from barriers.pairs import Pairs, of_each_set

NEARLY = 0.99
"""A constraint at more than this share of its limit often becomes violated when others push."""
SPARE = 1e-2
"""What is left for a push that is larger than its chance tells."""
Numbers = Float[np.ndarray, "m"]
"""One number for each constraint."""


class Found(NamedTuple):
    """What a cloud is changed to: the change of each particle (None: nothing), the mean chances with it and
    by how much these exceed their limits, and the multipliers.
    """

    change: Float[Tensor, "*r n d"] | None
    mean: Float[Tensor, "*r m"]
    violation: Float[Tensor, "*r m"]
    multipliers: Float[Tensor, "*r m"]


class Reached(NamedTuple):
    """The mean chances of a cloud, by how much they exceed their limits, the multipliers, and which particles
    are changed by how much.
    """

    mean: Numbers
    violation: Numbers
    multipliers: Numbers
    rows: Int[np.ndarray, "r"]
    change: Float[np.ndarray, "d r"]


class Size(NamedTuple):
    """How many particles of how many coordinates are here, and how many the whole cloud has."""

    here: int
    d: int
    whole: int


Beside = Callable[[Int[np.ndarray, "r"], Float[np.ndarray, "d r"]], Pairs]
"""The pairs of these particles, by their places among them, after these changes of theirs."""


class Movable:
    """The particles of a cloud that the constraints `active`, in ascending order, can move, with their pushes
    [a, dr], stored coordinate by coordinate.
    """

    def __init__(self, pairs: Pairs, active: Int[np.ndarray, "a"], size: Size, whole: Whole):
        self.active, self.whole, self.size, d = active, whole, size, size.d
        self.has = np.zeros(len(pairs.starts) - 1, dtype=bool)
        self.has[active] = True
        at, which_set = _that_may_count(pairs, active, whole)
        particle, gradient = pairs.particle[at], pairs.gradient(at)
        push = narrowing(depth(pairs.chance[at])) * gradient
        place = np.full(size.here, -1)
        place[particle[_that_count(push, which_set, len(active), whole)]] = 0
        self.rows = np.flatnonzero(place == 0)
        place[self.rows] = np.arange(len(self.rows))
        moves = place[pairs.particle] >= 0
        which = np.flatnonzero(moves)
        self.starts = which.searchsorted(pairs.starts)
        self.others = pairs.sums - of_each_set(np.add, pairs.chance[which].astype(np.float64), self.starts)
        self.near = None if pairs.near is None else pairs.near.among(which, place)
        among = np.flatnonzero(moves[at])
        self.at = moves.cumsum()[at[among]] - 1
        self.first = which_set[among] * (d * len(self.rows)) + place[particle[among]]
        self.push = self._dense(push.take(among, axis=1), self.first)
        self.across = torch.from_numpy(self.push).T
        self.start = self._dense(gradient.take(among, axis=1), self.first)

    def change(self, μ: Float[np.ndarray, "a"]) -> Float[np.ndarray, "d r"]:
        """−Σ μ_k g_k of these particles."""
        weights = torch.from_numpy(-μ.astype(self.push.dtype))
        found: np.ndarray = (self.across @ weights).numpy().reshape(self.size.d, -1)
        return found

    def means(self, pairs: Pairs) -> tuple[Numbers, Float[np.ndarray, "a a"] | None]:
        """The mean chances over the cloud, where these particles have these chances, and, where other parts
        have to be asked, `slope` with the same question.
        """
        n, sums = self.size.whole, self.others + pairs.sums
        if not self.whole.spread:
            return sums / n, None
        mean, slope = self.whole.sums(torch.from_numpy(sums), torch.from_numpy(self._slopes(pairs)))
        return mean.numpy() / n, slope.numpy() / n

    def slope(self, pairs: Pairs | None = None) -> Float[np.ndarray, "a a"]:
        """E[∇p_k · g_l] of the active sets, where these particles have these chances; before any change."""
        return summed_by(self.whole, self._slopes(pairs)) / self.size.whole

    def _slopes(self, pairs: Pairs | None) -> Float[np.ndarray, "a a"]:
        gradient = self.start
        if pairs is not None and pairs.near is not None and pairs.near is self.near:
            gradient = self._dense(pairs.gradient(self.at), self.first)
        elif pairs is not None:
            at, which_set = pairs.of(self.active)
            first = which_set * (self.size.d * len(self.rows)) + pairs.particle[at]
            gradient = self._dense(pairs.gradient(at), first)
        found: np.ndarray = (torch.from_numpy(gradient) @ self.across).double().numpy()
        return found

    def _dense(
        self, values: Float[np.ndarray, "d q"], first: Int[np.ndarray, "q"]
    ) -> Float[np.ndarray, "a dr"]:
        """These numbers of pairs, whose first coordinates have these places, and 0 elsewhere."""
        r = len(self.rows)
        out = np.zeros(len(self.active) * len(values) * r, dtype=values.dtype)
        for i, column in enumerate(values):
            out[first + i * r] = column
        return out.reshape(len(self.active), len(values) * r)


class Ahead:
    """The pairs of the particles that can be moved, after changes of theirs: those that were found last,
    where the particles are not far from where they were then.
    """

    def __init__(self, part: Movable, beside: Beside, wander: float):
        self.rows, self.beside, self.wander = part.rows, beside, wander
        self.near, self.base = part.near, np.zeros((part.size.d, len(part.rows)), part.push.dtype)

    def after(self, change: Float[np.ndarray, "d r"]) -> Pairs:
        """The pairs after this change."""
        δ = change - self.base
        if self.near is not None and _longest(δ) <= self.wander:
            return self.near.chances(δ)
        pairs = self.beside(self.rows, change)
        self.near, self.base = pairs.near, change
        return pairs


def searched(
    start: Pairs,
    beside: Beside,
    size: Size,
    unchanged: Reached,
    error: Numbers,
    aim: Numbers,
    whole: Whole,
    wander: float,
) -> Reached:
    """The smallest μ ≥ 0 with which no limit is exceeded; where none is found, that with the least excess.

    start: the pairs of a cloud of this size without a change; `unchanged` is what follows from it. error:
    what is added to the mean chances. wander: up to this distance moves leave the pairs as they are.
    """
    over, μ, best = unchanged.violation, unchanged.multipliers, unchanged
    L, least = unchanged.mean - over, float(over.max())
    wanted = np.zeros(len(μ), dtype=bool)
    part: Movable | None = None
    pairs: Pairs | None = None
    slope: np.ndarray | None = None
    for _ in range(ITERATIONS):
        wanted = wanted | (over + aim > 0) | (μ > 0)
        if part is None or (wanted & ~part.has).any():
            likely = wanted | (over > (NEARLY - 1) * L)
            part = Movable(start, np.flatnonzero(likely if part is None else likely | part.has), size, whole)
            pairs, slope = None, None
            ahead = Ahead(part, beside, wander)
        slope = part.slope(pairs) if slope is None else slope
        own, μ = wanted[part.active], μ.copy()
        μ[wanted] = _stepped(slope[own][:, own], μ[wanted], (over + aim)[wanted])
        change = part.change(μ[part.active])
        pairs = ahead.after(change)
        mean, slope = part.means(pairs)
        mean = mean + error
        over = mean - L
        worst = float(over.max())
        if worst <= 0 or worst < least:
            best, least = Reached(mean, over, μ, part.rows, change), worst
        if not worst < math.inf or (worst <= 0 and not ((μ > 0) & (over < -4 * aim)).any()):
            break
    return best


def summed_by(whole: Whole, sums: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """The sum over all parts of a cloud."""
    return whole.sums(torch.from_numpy(sums))[0].numpy() if whole.spread else sums


def _longest(change: Float[np.ndarray, "d r"]) -> float:
    return math.sqrt(float((change * change).sum(0).max())) if change.size else 0.0


def least(dtype: np.dtype[Any]) -> float:
    """The share of the largest push that is none."""
    return nearby.negligible(torch.from_numpy(np.empty(0, dtype)).dtype)


def _that_may_count(
    pairs: Pairs, active: Int[np.ndarray, "a"], whole: Whole
) -> tuple[Int[np.ndarray, "q"], Int[np.ndarray, "q"]]:
    """The places of the pairs of these sets, in ascending order, whose push may be more than the share of the
    largest one of their set, and which of the sets each is of: as a chance Φ(t), whose t has about the slope
    1/σ, is pushed by e^{−t²/2W²} of the most.
    """
    share = SPARE * least(pairs.chance.dtype)
    largest = whole.largest(torch.from_numpy(of_each_set(np.maximum, pairs.chance, pairs.starts)[active]))
    t = np.minimum(depth(largest.numpy()).astype(np.float64), 0.0)
    enough = beyond(np.sqrt(t * t - 2 * NARROW**2 * math.log(share)))
    places = []
    for k, cut in zip(active.tolist(), enough.tolist(), strict=True):
        begin, end = pairs.starts[k], pairs.starts[k + 1]
        places.append(np.flatnonzero(pairs.chance[begin:end] >= cut) + begin)
    return np.concatenate(places), np.repeat(np.arange(len(active)), [len(own) for own in places])


def _that_count(
    push: Float[np.ndarray, "d q"], which_set: Int[np.ndarray, "q"], sets: int, whole: Whole
) -> Int[np.ndarray, "k"]:
    """The pairs whose push is not negligible beside the largest one of their set."""
    size = np.absolute(push).max(0, initial=0.0)
    starts = which_set.searchsorted(np.arange(sets + 1))
    largest = torch.from_numpy(of_each_set(np.maximum, size, starts))
    enough = least(push.dtype) * whole.largest(largest).numpy()
    return np.flatnonzero(size > enough[which_set])


def _stepped(
    S: Float[np.ndarray, "a a"], μ: Float[np.ndarray, "a"], over: Float[np.ndarray, "a"]
) -> Float[np.ndarray, "a"]:
    """`advanced`, which is the solution with every constraint where that is one."""
    if len(S) == 1 and S[0, 0] > 0 and (alone := μ + over / S[0]) > 0:
        return alone
    try:
        ν: np.ndarray = np.linalg.solve(S, S @ μ + over)
    except np.linalg.LinAlgError:
        ν = np.zeros_like(μ)
    if (ν > 0).all() and _is_definite(S + S.T):
        return ν
    return advanced(*(torch.from_numpy(part) for part in (S, μ, over))).numpy()


def _is_definite(H: Float[np.ndarray, "a a"]) -> bool:
    """Whether a symmetric matrix is positive definite, which most often its diagonal tells."""
    if (2 * H.diagonal() > np.absolute(H).sum(1)).all():
        return True
    try:
        np.linalg.cholesky(H)
    except np.linalg.LinAlgError:
        return False
    return True
