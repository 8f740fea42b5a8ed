"""The search for the multipliers of the predictive drift filter (Q.6), of several clouds side by side."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.filters.ahead import Ahead
from barriers.filters.complementarity import advanced
from barriers.filters.iterates import ITERATIONS, Iterates
from barriers.filters.one_constraint import column, if_flat, least, means_by, numbers
from barriers.filters.push import against, depth, normal_profile
from barriers.filters.whole import Whole, overlaps, together
from barriers.squares import inner


class Search(NamedTuple):
    """chances: of particles after a change, with their gradients. aim: Newton's target is inside each limit
    by this much. near: the clouds without a particle that is moved too far.
    """

    chances: Callable[[Float[Tensor, "*q n d"], Float[Tensor, "*q n d"]], tuple[Tensor, Tensor]]
    whole: Whole
    aim: Float[Tensor, "m"]
    near: Callable[[Float[Tensor, "q n d"]], Bool[Tensor, "q"]]

    def least(
        self, y: Tensor, start: Ahead, error: Tensor, L: Tensor, guess: Tensor, push: Tensor
    ) -> tuple[Float[Tensor, "q m"], Ahead]:
        """The smallest μ ≥ 0 of each cloud with Q ≤ L; the push is that at the unfiltered positions."""
        aim = self.aim
        if len(aim) == 1:
            return self._of_one(y, start, error, L, push)
        chosen, μ = torch.zeros_like(guess), torch.where((guess > 0).any(1, keepdim=True), guess, 0.0)
        at = self._ahead_of(y, against(push, μ), error, L) if bool((μ > 0).any()) else start
        gradient, over, iterates = at.gradient, at.violation, Iterates(len(y), y.device)
        slope: Tensor | None = None
        parts: tuple[Tensor, ...] = (y, error, L, push, chosen, start.violation.amax(1))
        for _ in range(ITERATIONS):
            z, ε, limit, own, best, least = parts
            slope = overlaps(self.whole, gradient, own) if slope is None else slope
            μ = advanced(slope, μ, over + aim)
            change = against(own, μ)
            p, gradient = self.chances(z, change)
            mean, slope = together(self.whole, p, gradient, own)
            at = Ahead(change, mean + ε, p, gradient, mean + ε - limit)
            over = at.violation
            worst = over.amax(1)
            within = worst <= 0
            better = (within | (worst < least)) & iterates.going
            best, least = torch.where(better[:, None], μ, best), torch.where(better, worst, least)
            parts, left = (z, ε, limit, own, best, least), iterates.left
            settled = within & ~((μ > 0) & (over < -4 * aim)).any(1)
            on = iterates.after(μ, settled | ~(worst < math.inf))
            if on is not None:
                chosen[left] = best
                if not len(on):
                    break
                parts = tuple(part[on] for part in parts)
                gradient, over, μ = gradient[on], over[on], μ[on]
                slope = None if slope is None else slope[on]
        else:
            chosen[iterates.left] = parts[-2]
        if len(μ) == len(chosen) and torch.equal(μ, chosen):
            return chosen, at
        return chosen, self._ahead_of(y, against(push, chosen), error, L)

    def _of_one(
        self, y: Tensor, start: Ahead, error: Tensor, L: Tensor, push: Tensor
    ) -> tuple[Float[Tensor, "q 1"], Ahead]:
        """The same for a single constraint."""

        def evaluated(which: np.ndarray | None, μ: np.ndarray) -> tuple[Ahead, Callable[[], np.ndarray]]:
            z, ε, limit, own = y, error, L, push
            if which is not None:
                places = torch.from_numpy(which).to(y.device)
                z, ε, limit, own = (part.index_select(0, places) for part in (y, error, L, push))
            change = against(own, column(μ, error))
            p, gradient = self.chances(z, change)
            mean, falls = self.whole.means(p, inner(gradient, own))
            return Ahead(change, mean + ε, p, gradient, mean + ε - limit), lambda: numbers(falls)

        def too_far(at: Ahead) -> np.ndarray:
            return ~self.near(at.change).numpy(force=True)

        aim, slope, s = float(self.aim), inner(start.gradient, push), -depth(start.chance)
        over = numbers(start.violation) + aim
        μ, falls = if_flat(normal_profile, s[..., 0], slope[..., 0], over, means_by(self.whole), aim)
        found, ahead = least(evaluated, start, falls, μ, aim, too_far)
        return column(found, error), ahead

    def _ahead_of(self, y: Tensor, change: Tensor, error: Tensor, L: Tensor) -> Ahead:
        p, gradient = self.chances(y, change)
        mean = self.whole.mean(p) + error
        return Ahead(change, mean, p, gradient, mean - L)
