"""The search for several multipliers (Q.6) of a large cloud, over the particles that can be moved at all.

Few of m constraints are violated, and each pushes only particles within a few standard deviations of its
boundary. What the others contribute to the means is known beforehand; the chances of those that are moved
are computed by pairs of a particle and a set that is near it (`barriers.pairs`). A constraint that becomes
violated on the way is added with the particles it can push.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.columns import where_true
from barriers.filters import nearby
from barriers.filters.complementarity import advanced
from barriers.filters.iterates import ITERATIONS
from barriers.filters.push import depth, narrowing
from barriers.filters.whole import Whole
from barriers.pairs import Pairs, of_each_set, sizes_of


class Found(NamedTuple):
    """What a cloud is changed to: the change of each particle (None: nothing), the mean chances with it and
    by how much these exceed their limits, and the multipliers.
    """

    change: Float[Tensor, "*r n d"] | None
    mean: Float[Tensor, "*r m"]
    violation: Float[Tensor, "*r m"]
    multipliers: Float[Tensor, "*r m"]


Beside = Callable[[Int[Tensor, "r"], Float[Tensor, "r d"]], Pairs]
"""The pairs of these particles, by their places among them, after these changes of theirs."""


class Movable:
    """The particles of a cloud that the constraints `active`, in ascending order, can move, with their pushes
    [a, r, d], stored coordinate by coordinate.
    """

    def __init__(self, pairs: Pairs, active: Sequence[int], n: int, d: int, whole: Whole):
        own = pairs.of(active)
        push = narrowing(depth(own.chance)) * own.gradient
        moved = torch.zeros(n, dtype=torch.bool, device=push.device)
        moved[own.particle.index_select(0, _that_count(push, own.sizes, whole))] = True
        self.active, self.whole, self.d = list(active), whole, d
        self.rows = where_true(moved)
        place = torch.zeros(n, dtype=torch.int64, device=push.device)
        place[self.rows] = torch.arange(len(self.rows), device=push.device)
        which = where_true(moved.index_select(0, pairs.particle))
        own_chances = pairs.chance.index_select(0, which).double()
        self.others = pairs.sums() - of_each_set(own_chances, sizes_of(which, pairs.sizes), "add")
        self.near = None if pairs.near is None else pairs.near.among(which, place)
        among = where_true(moved.index_select(0, own.particle))
        at = own._replace(particle=place.index_select(0, own.particle)).places(d * len(self.rows))
        at = at.index_select(0, among)
        self.push = self._dense(push.index_select(1, among), at)
        self.wide, self.start = self.push.double(), self._dense(own.gradient.index_select(1, among), at)

    def change(self, μ: Float[Tensor, "a"]) -> Float[Tensor, "d r"]:
        """−Σ μ_k g_k of these particles."""
        return (-μ.to(self.push)[None] @ self.push).reshape(self.d, len(self.rows))

    def means(self, pairs: Pairs, n: int) -> tuple[Float[Tensor, "m"], Float[Tensor, "a a"] | None]:
        """The mean chances over a cloud of n particles, where these particles have these chances, and, where
        other parts have to be asked, `slope` with the same question.
        """
        sums = self.others + pairs.sums()
        if not self.whole.spread:
            return sums / n, None
        mean, slope = self.whole.sums(sums, self._slopes(pairs))
        return mean / n, slope / n

    def slope(self, n: int, pairs: Pairs | None = None) -> Float[Tensor, "a a"]:
        """E[∇p_k · g_l] of the active sets, where these particles have these chances; before any change."""
        return self.whole.sums(self._slopes(pairs))[0] / n

    def _slopes(self, pairs: Pairs | None) -> Float[Tensor, "a a"]:
        gradient = self.start
        if pairs is not None:
            own = pairs.of(self.active)
            gradient = self._dense(own.gradient, own.places(self.d * len(self.rows)))
        return gradient.double() @ self.wide.T

    def _dense(self, values: Float[Tensor, "d p"], at: Int[Tensor, "p"]) -> Float[Tensor, "a dr"]:
        """These numbers of pairs at the places of their first coordinates, and 0 elsewhere."""
        r = len(self.rows)
        out = values.new_zeros(len(self.active) * self.d * r)
        for i, column in enumerate(values):
            out.index_copy_(0, at + i * r if i else at, column)
        return out.reshape(len(self.active), self.d * r)


def searched(
    start: Pairs,
    beside: Beside,
    still: Float[Tensor, "n d"],
    unchanged: Found,
    error: Float[Tensor, "m"],
    aim: Float[Tensor, "m"],
    whole: Whole,
    wander: float,
) -> tuple[Float[Tensor, "n d"], Found]:
    """The smallest μ ≥ 0 with which no limit is exceeded; where none is found, that with the least excess.

    start: the pairs without a change, which is `still`; `unchanged` is what follows from it. error: what is
    added to the mean chances. wander: up to this distance moves leave the pairs as they are.
    """
    (n, d), size = still.shape, whole.size(still)
    over, μ = unchanged.violation, unchanged.multipliers
    best: tuple[Tensor, Tensor, Found] | None = None
    L, least = unchanged.mean - over, float(over.max())
    part: Movable | None = None
    pairs: Pairs | None = None
    slope: Tensor | None = None
    for _ in range(ITERATIONS):
        wanted = ((over + aim > 0) | (μ > 0)).tolist()
        if part is None or any(w and k not in part.active for k, w in enumerate(wanted)):
            kept: list[int] = [] if part is None else part.active
            part = Movable(start, [k for k, w in enumerate(wanted) if w or k in kept], n, d, whole)
            own, pairs, slope = torch.tensor(part.active, device=μ.device), None, None
        slope = part.slope(size, pairs) if slope is None else slope
        μ = μ.index_copy(0, own, _stepped(slope, μ[own], (over + aim)[own]))
        change = part.change(μ[own])
        near = part.near if part.near is not None and _longest(change) <= wander else None
        pairs = beside(part.rows, change.T) if near is None else near.chances(change)
        mean, slope = part.means(pairs, size)
        mean = mean + error
        over = mean - L
        worst = float(over.max())
        if worst <= 0 or worst < least:
            best, least = (part.rows, change, Found(None, mean, over, μ)), worst
        if not worst < math.inf or (worst <= 0 and not bool(((μ > 0) & (over < -4 * aim)).any())):
            break
    if best is None:
        return still, unchanged
    rows, change, found = best
    return still.index_copy(0, rows, change.T), found


def _longest(change: Float[Tensor, "d r"]) -> float:
    return math.sqrt(float((change * change).sum(0).max())) if change.numel() else 0.0


def _that_count(push: Float[Tensor, "d p"], sizes: Sequence[int], whole: Whole) -> Int[Tensor, "q"]:
    """The pairs whose push is more than a negligible share of the largest one of their set."""
    size = push.abs().amax(0)
    least = nearby.negligible(push.dtype) * whole.largest(of_each_set(size, sizes, "maximum"))
    return where_true(size > least.repeat_interleave(torch.tensor(sizes, device=push.device)))


def _stepped(S: Float[Tensor, "a a"], μ: Float[Tensor, "a"], over: Float[Tensor, "a"]) -> Float[Tensor, "a"]:
    """`advanced`, which is the solution with every constraint where that is one."""
    ν, singular = torch.linalg.solve_ex(S, S @ μ + over)
    definite = torch.linalg.cholesky_ex(S + S.T)[1] == 0
    if bool((singular == 0) & definite & (ν > 0).all()):
        return ν
    return advanced(S, μ, over)
