"""The predictive drift filter with several constraints on one large cloud in this memory, or on a part of it,
by pairs of a particle and a set that is near it (Q.4, Q.6, Q.8).
"""

import math

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.counting import inside_each
from barriers.filters.ahead import PredictiveMemory
from barriers.filters.base import FilterInfo
from barriers.filters.movable import Numbers, Reached, Size, searched, summed_by
from barriers.filters.one_set import AIM, MEMORY, Applied, OneSet, infeasible
from barriers.filters.whole import Whole
from barriers.pairs import Pairs, beside
from barriers.shell import WANDER
from barriers.small import rows_of


class SeveralSets(OneSet):
    """`PredictiveFilter.apply` with several constraints."""

    whole: Whole

    @np.errstate(all="ignore")
    def _large(self, x: Tensor, drift: Tensor, memory: PredictiveMemory) -> Applied:
        """`apply` to one large cloud."""
        β, h, steps = np.array(self.betas), self.step_size, float(memory.steps)
        predicted, computed, error = (part.numpy(force=True) for part in memory[:3])
        error = self._corrected(x, computed, error, steps)
        L = β - math.exp(-self.rate * h) * (β - predicted)
        y = torch.add(x, self._mapped(drift), alpha=h)
        start, size = beside(self.sets, y, self.noise), Size(len(y), y.shape[1], self.whole.size(y))
        mean = summed_by(self.whole, start.sums) / size.whole + error
        nobody, nothing = np.arange(0), np.empty((size.d, 0), np.float32)
        found = Reached(mean, mean - L, np.zeros_like(mean), nobody, nothing)
        if (found.violation > 0).any():
            found, drift = self._all_pushed(y, drift, start, size, found, error, L)
        shortfall = np.maximum(found.violation, 0.0)
        if self.on_infeasible == "raise" and (shortfall > 0).any():
            raise infeasible(shortfall.tolist())
        mean, μ = found.mean, found.multipliers
        numbers = np.array([np.minimum(mean, L), mean - error, error, μ, mean, μ / h, shortfall])
        rows = torch.from_numpy(numbers).unbind()
        after = PredictiveMemory(rows[0], rows[1], rows[2], torch.from_numpy(np.array(steps + 1)), rows[3])
        return drift, after, FilterInfo(*rows[4:])

    def _corrected(self, x: Tensor, computed: Numbers, error: Numbers, steps: float) -> Numbers:
        """The running error of the mean chances, of those that are approximate."""
        if all(self.exactly):
            return error
        counts = self.whole.total(inside_each(self.sets, x))[0]
        found = counts.numpy(force=True) / self.whole.size(x) - computed
        weight = min(steps, 1.0) / (min(steps, 1 / MEMORY - 1) + 1)
        return np.where(self.exactly, 0.0, error + weight * (found - error))

    def _all_pushed(
        self,
        y: Tensor,
        drift: Tensor,
        start: Pairs,
        size: Size,
        unmoved: Reached,
        error: Numbers,
        L: Numbers,
    ) -> tuple[Reached, Tensor]:
        """What the search finds, and the drift with it."""
        h, farthest = self.step_size, self._farthest()

        def moved(rows: np.ndarray, change: Float[np.ndarray, "d r"]) -> Pairs:
            return beside(self.sets, y[torch.from_numpy(rows)] + self._mapped(rows_of(change)), self.noise)

        aim, wander = AIM * np.array(self.betas), WANDER * self.noise.std
        found = searched(start, moved, size, unmoved, error, aim, self.whole, wander)
        if self._longest(found.change) <= farthest and (found.violation <= 0).all():
            rows, faster = torch.from_numpy(found.rows), rows_of(found.change / h).to(drift)
            return found, drift.index_copy(0, rows, drift.index_select(0, rows).add_(faster))
        ε, limit = torch.from_numpy(error), torch.from_numpy(L)
        dense = self._ahead_of(y, torch.zeros_like(y), ε, limit)
        μ, led = self._bounded(y, dense, torch.from_numpy(found.multipliers), ε, limit, farthest)
        mean, violation, ν = (part.numpy(force=True) for part in (led.mean, led.violation, μ))
        return found._replace(mean=mean, violation=violation, multipliers=ν), drift + led.change / h

    def _longest(self, change: Float[np.ndarray, "d r"]) -> float:
        """The largest change of a coordinate, of the whole cloud."""
        longest = float(np.absolute(change).max(initial=0.0))
        if not self.whole.spread:
            return longest
        return float(self.whole.largest(torch.tensor(longest, dtype=torch.float64)))
