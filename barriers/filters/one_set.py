"""The predictive drift filter with one constraint, in this process: one cloud in numbers, several small ones
side by side, with the same bits (Q.4, Q.6).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.chances import chances
from barriers.counting import inside_one
from barriers.filters import several, single
from barriers.filters.ahead import Ahead, PredictiveMemory
from barriers.filters.base import FilterInfo
from barriers.filters.lengthened import lengthened
from barriers.filters.one_constraint import Numbers
from barriers.filters.pushes import Pushes
from barriers.noise import Noise
from barriers.predicted import Chance
from barriers.qp.dual import Infeasible, OnInfeasible
from barriers.sets.base import UnsafeSet
from barriers.small import Columns, as_columns, columns_of, rows_of

AIM = 1e-6
"""Newton's target is inside the limit by this share of it."""
MEMORY = 0.02
"""The smallest weight of one step in the running error of an approximate probability."""

Moves = Float[np.ndarray, "q d n"]
"""By how much each particle of each cloud is moved, coordinate by coordinate."""
Applied = tuple[Tensor, PredictiveMemory, FilterInfo]
"""The drift, the next memory, the report."""


class OneSet(ABC):
    """`PredictiveFilter.apply` with one constraint."""

    sets: tuple[UnsafeSet, ...]
    betas: tuple[float, ...]
    step_size: float
    rate: float
    noise: Noise
    on_infeasible: OnInfeasible
    exactly: tuple[bool, ...]
    """Whether the chance of each set is exact."""

    @abstractmethod
    def _mapped(self, v: Tensor) -> Tensor: ...

    @abstractmethod
    def _farthest(self) -> float: ...

    @abstractmethod
    def _ahead_of(self, y: Tensor, change: Tensor, error: Tensor, L: Tensor) -> Ahead: ...

    @abstractmethod
    def _bounded(
        self, y: Tensor, start: Ahead, μ: Tensor, error: Tensor, L: Tensor, farthest: float
    ) -> tuple[Tensor, Ahead]: ...

    @np.errstate(all="ignore")
    def _single(self, x: Tensor, drift: Tensor, memory: PredictiveMemory) -> Applied:
        """`apply` to one cloud of one process with one constraint: the same numbers, in fewer calls."""
        (unsafe,), (β,), h, n = self.sets, self.betas, self.step_size, x.shape[0]
        predicted, computed, error, steps = (part.item() for part in memory[:4])
        if not self.exactly[0]:
            found = inside_one(self.sets, x) / n - computed
            error = error + min(steps, 1.0) / (min(steps, 1 / MEMORY - 1) + 1) * (found - error)
        L = β - math.exp(-self.rate * h) * (β - predicted)
        y = torch.add(x, self._mapped(drift), alpha=h)
        ahead = single.ahead_of(unsafe, y, self.noise)
        mean, μ = ahead.total / n + error, 0.0
        if mean > L:
            μ, mean, faster = self._pushed(y, ahead, error, L)
            drift = faster.add_(drift)
        shortfall = max(mean - L, 0.0)
        if self.on_infeasible == "raise" and shortfall > 0:
            raise infeasible([shortfall])
        numbers = np.array([min(mean, L), mean - error, error, μ, mean, μ / h, shortfall])
        rows = torch.from_numpy(numbers[:, None]).unbind()
        after = PredictiveMemory(rows[0], rows[1], rows[2], torch.from_numpy(np.array(steps + 1)), rows[3])
        return drift, after, FilterInfo(*rows[4:])

    def _pushed(self, y: Tensor, ahead: single.Ahead, error: float, L: float) -> tuple[float, float, Tensor]:
        """The multiplier, the mean chance with it, and the change of the drift."""
        farthest, h = self._farthest(), self.step_size
        at, rows = single.least_push(
            self.sets[0], y, self.noise, ahead, error, L, AIM * self.betas[0], farthest
        )
        if at.change is None or at.violation > 0 or not at.longest <= farthest:  # NaN is too far
            if ahead.rows is None:
                one = several.Clouds.of(ahead, error, L)
                found, pushed = np.array([at.multiplier]), several.Pushed.of(at, one)
                push = Pushes.of(one.found).push
                multipliers, mean, change = self._in_reach(one, found, pushed, push, np.zeros(1, dtype=int))
                return float(multipliers[0]), float(mean[0]), rows_of(change[0] / h)
            ε, limit = (torch.tensor([number], dtype=torch.float64) for number in (error, L))
            start = self._ahead_of(y, torch.zeros_like(y), ε, limit)  # not all chances are known
            μ, led = self._bounded(y, start, torch.full_like(ε, at.multiplier), ε, limit, farthest)
            return float(μ), float(led.mean), led.change / h
        moved = rows_of(at.change / h)
        if rows is not None:
            moved = torch.zeros_like(y).index_copy_(0, torch.from_numpy(rows), moved)
        return at.multiplier, at.mean, moved

    @np.errstate(all="ignore")
    def _several(self, x: Tensor, drift: Tensor, memory: PredictiveMemory) -> Applied:
        """`apply` to several clouds side by side: of each what `_single` has of it alone."""
        (unsafe,), (β,), h = self.sets, self.betas, self.step_size
        predicted, computed, error = (part.numpy(force=True)[:, 0] for part in memory[:3])
        if not self.exactly[0]:
            found, steps = several.fractions(unsafe, x) - computed, memory.steps.numpy(force=True)
            weight = np.minimum(steps, 1.0) / (np.minimum(steps, 1 / MEMORY - 1) + 1)
            error = error + weight * (found - error)
        L = β - math.exp(-self.rate * h) * (β - predicted)
        y = torch.add(x, self._mapped(drift), alpha=h)
        at = as_columns(y)
        found = chances(unsafe, at, self.noise)
        mean, μ = several.means(found.value) + error, np.zeros_like(error)
        which = (mean > L).nonzero()[0]
        if len(which):
            places, clouds = torch.from_numpy(which), several.Clouds(at, found, error, L)
            μ[which], mean[which], change = self._each_pushed(clouds.at(which))
            faster = drift.index_select(0, places).add_(rows_of(change.swapaxes(0, 1)) / h)
            drift = drift.index_copy(0, places, faster)
        shortfall = np.maximum(mean - L, 0.0)
        if self.on_infeasible == "raise" and (shortfall > 0).any():
            raise infeasible(shortfall[:, None].tolist())
        numbers = np.array([np.minimum(mean, L), mean - error, error, μ, mean, μ / h, shortfall])
        rows = torch.from_numpy(numbers)[..., None].unbind()
        after = PredictiveMemory(rows[0], rows[1], rows[2], memory.steps + 1, rows[3])
        return drift, after, FilterInfo(*rows[4:])

    def _each_pushed(self, clouds: several.Clouds) -> tuple[Numbers, Numbers, Moves]:
        """The multiplier of each cloud, all of them over their limits, its mean chance, and what it
        changes.
        """
        farthest = self._farthest()
        found, pushed, push = several.least_push(
            self.sets[0], clouds, self.noise, AIM * self.betas[0], farthest
        )
        out = pushed.out_of_reach(farthest)
        if not len(out):
            return found, pushed.mean, pushed.change
        return self._in_reach(clouds, found, pushed, push, out)

    def _in_reach(
        self,
        clouds: several.Clouds,
        μ: Numbers,
        pushed: several.Pushed,
        push: Columns,
        out: Int[np.ndarray, "k"],
    ) -> tuple[Numbers, Numbers, Moves]:
        """The same with those of the clouds `out` changed, of which a particle was moved too far, or the
        constraint is violated still.
        """
        (unsafe,), noise, farthest = self.sets, self.noise, self._farthest()
        mean, change = pushed.mean, pushed.change
        left = np.zeros(len(μ), dtype=bool)
        left[out] = True
        usable = out[(μ[out] > 0) & (μ[out] <= np.finfo(push.dtype).max ** 0.5)]
        if len(usable):
            own = several.times(push.take(usable, axis=1), -μ[usable])
            longer = lengthened(unsafe, clouds.at(usable), noise, own, farthest)
            done = usable[longer.enough]
            μ[done] *= longer.multiple[longer.enough]
            mean[done], change[done] = (part[longer.enough] for part in longer.pushed[:2])
            left[done] = False
        for r in left.nonzero()[0].tolist():
            ε, limit, first = (torch.from_numpy(part[r : r + 1]) for part in (clouds.error, clouds.limit, μ))
            p, g = torch.from_numpy(clouds.found.value[r]), rows_of(clouds.found.gradient[:, r])
            start = _unmoved(Chance(p, g), ε, limit)
            ν, led = self._bounded(rows_of(clouds.y[:, r]), start, first, ε, limit, farthest)
            μ[r], mean[r], change[r] = float(ν), float(led.mean), columns_of(led.change)
        return μ, mean, change


def _unmoved(chance: Chance, error: Tensor, limit: Tensor) -> Ahead:
    """What is ahead of a cloud without a change."""
    p, gradient = chance
    mean = p.sum(dtype=torch.float64) / len(p) + error
    return Ahead(torch.zeros_like(gradient), mean, p[:, None], gradient[:, None], mean - limit)


def infeasible(missed: Sequence[object]) -> Infeasible:
    """What is raised where a constraint cannot be met and the filter was told to raise."""
    return Infeasible(
        f"no drift keeps the predicted mass of every constraint within its limit: missed by {missed}"
    )
