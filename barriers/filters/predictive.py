"""The predictive drift filter: a barrier for the mass inside after the noise, without a surrogate (Q.4, Q.5,
Q.6).

After the step a particle is at y + √(2h)ξ, y = x + hu, so its probability p(y) of being inside is known
before the noise is drawn. The drift must satisfy, with Q the mean probability and Q₋ that of the previous
step (at the start: the fraction inside, or up to β the mean probability without any move),

    Q = E p(x + hu) ≤ L = β − e^{−αh}(β − Q₋),
        (Q.4)

hence Q ≤ β at every step from a start within β, by induction, for any energy, step size and number of
particles: given the cloud, the expected fraction inside after the noise is at most β. Q₋ is used rather than
the realised fraction, which is Q₋ plus noise of √(β/n) that would accumulate in the limit. Where Q exceeds L,
the next Q₋ is L: the excess must be made up. The change is

    u = v − Σ μ_k g_k,    g = r(p)∇p,    r = e^{−t²(W⁻² − 1)/2}/W,   p = Φ(t),  W = .7,
        (Q.6)

with the smallest such μ ≥ 0, by Newton. The direction is ∇p, the least-squares one, concentrated near the
boundary: the noise smooths the effect of the filter, and partly reverses a push narrower than itself. ∫g
across the boundary is 1 as for ∇p, so μ is comparable with μ*.

Where the probability is an approximation (Q.5), the error of its mean is estimated during the run from the
realised fractions, and subtracted.
"""

import math
from collections.abc import Sequence
from typing import Literal

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.counting import inside_each
from barriers.derivatives import NotDifferentiable, recorded
from barriers.filters import nearby
from barriers.filters.ahead import Ahead, PredictiveMemory, chances
from barriers.filters.base import FilterInfo, Promise, insides
from barriers.filters.bounded import bounded
from barriers.filters.movable import Found
from barriers.filters.nearby import Among, with_other
from barriers.filters.one_set import AIM, MEMORY, infeasible
from barriers.filters.push import narrowed, out_of
from barriers.filters.search import Search
from barriers.filters.several_sets import SeveralSets
from barriers.filters.some_clouds import put_back, some
from barriers.filters.whole import HERE, Whole
from barriers.noise import Noise
from barriers.predicted import exact, with_distances
from barriers.qp.dual import OnInfeasible
from barriers.sets.base import UnsafeSet

FARTHEST = 4.0
"""The default limit of the change of any coordinate in one step, in standard deviations of the noise."""


class PredictiveFilter(SeveralSets):
    """Keeps the mass inside each set after the noise within β, in expectation given the cloud, at barrier
    rate α.
    """

    hook: Literal["drift"] = "drift"
    couples = True
    batched = True
    promise = Promise(
        "in expectation",
        "Q.4: given the cloud before a step, the expected fraction inside after it is at most β, at every "
        "step and step size (exact for "
        "half-spaces and boxes; F.1 as h → 0); noise enters after the filter, so a finite cloud fluctuates "
        "around it",
    )

    def __init__(
        self,
        sets: Sequence[UnsafeSet],
        betas: Sequence[float],
        step_size: float,
        rate: float = 5.0,
        on_infeasible: OnInfeasible = "relax",
        whole: Whole = HERE,
        speed: float | None = None,
        noise: Noise | None = None,
    ):
        if any(not 0 < β < 1 for β in betas):
            raise ValueError(f"drift filter: beta must lie in (0, 1); got {list(betas)}")
        if not rate > 0:
            raise ValueError(f"drift filter: rate must be > 0; got {rate:g}")
        if speed is not None and not speed > 0:
            raise ValueError(f"drift filter: speed must be > 0; got {speed:g}")
        self.sets, self.betas = tuple(map(with_distances, sets)), tuple(betas)
        self.step_size, self.rate = step_size, rate
        self.on_infeasible, self.whole, self.speed = on_infeasible, whole, speed
        self.noise = Noise(math.sqrt(2 * step_size)) if noise is None else noise
        self.limits = torch.tensor(self.betas, dtype=torch.float64)
        self.exactly = tuple(exact(s, self.noise) for s in self.sets)

    def under(self, noise: Noise, speed: float | None) -> "PredictiveFilter":
        """The same filter for other noise."""
        exactly = tuple(exact(s, noise) for s in self.sets)
        return with_other(self, noise=noise, speed=speed, exactly=exactly)

    def init(self, x: Float[Tensor, "*r n d"]) -> PredictiveMemory:
        x = x.float() if x.dtype.itemsize < 4 else x
        fraction = self._fraction(x)
        zero = torch.zeros_like(fraction)
        ahead = self._ahead_of(x, torch.zeros_like(x), zero, zero).mean.minimum(self.limits.to(x.device))
        return PredictiveMemory(torch.maximum(fraction, ahead), fraction, zero, zero[..., 0], zero)

    def apply(
        self, x: Float[Tensor, "*r n d"], drift: Float[Tensor, "*r n d"], memory: PredictiveMemory
    ) -> tuple[Float[Tensor, "*r n d"], PredictiveMemory, FilterInfo]:
        """The filtered drift at x; under a metric both are v = L⁻¹u."""
        if recorded(x, drift):
            raise NotDifferentiable(
                "drift (without a smoothing): its multipliers are searched for, which is not recorded; give "
                "the filter a smoothing, for example {kind: sigmoid, width: 0.1}, to differentiate through "
                "a run, or sample under torch.no_grad()"
            )
        if x.dtype.itemsize < 4:  # few digits do for positions, not for chances
            u, after, info = self.apply(x.float(), drift.float(), memory)
            return u.to(drift.dtype), after, info
        if len(self.sets) == 1 and x.device.type == "cpu" and not self.whole.spread:
            if x.dim() == 2:
                return self._single(x, drift, memory)
            if x.shape[1] < nearby.FEWEST:
                return self._several(x, drift, memory)
        one = x.dim() == 2 and x.device.type == "cpu"
        if one and len(self.sets) > 1 and self.whole.size(x) >= nearby.FEWEST:
            return self._large(x, drift, memory)
        β = self.limits.to(x.device)
        error = self._error(x, memory)
        L = β - math.exp(-self.rate * self.step_size) * (β - memory.predicted)
        y = torch.add(x, self._mapped(drift), alpha=self.step_size)
        found = self._dense(y, error, L, memory.multipliers)
        mean, violation, μ = found.mean, found.violation, found.multipliers
        if found.change is not None:
            drift = drift + found.change / self.step_size
        shortfall = violation.clamp(min=0)
        if self.on_infeasible == "raise" and bool((shortfall > 0).any()):
            raise infeasible(shortfall.tolist())
        after = PredictiveMemory(torch.minimum(mean, L), mean - error, error, memory.steps + 1, μ)
        return drift, after, FilterInfo(mean, μ / self.step_size, shortfall)

    def _dense(self, y: Tensor, error: Tensor, L: Tensor, guess: Tensor) -> Found:
        """What the clouds at y are changed to: nothing where they are within their limits."""
        ahead, μ, change = self._ahead_of(y, torch.zeros_like(y), error, L), torch.zeros_like(L), None
        over = (ahead.violation > 0).any(-1)
        if bool(over.any()):
            ahead, μ = self._filtered(over, y, error, L, guess, ahead)
            change = ahead.change
        return Found(change, ahead.mean, ahead.violation, μ)

    def surrogate(self, x: Float[Tensor, "*r n d"], info: FilterInfo) -> Float[Tensor, "*r m"]:
        """The expected mass inside after the step that led to x."""
        return info.mean

    def _error(self, x: Tensor, memory: PredictiveMemory) -> Tensor:
        """The running mean of realised minus computed fractions, for approximate probabilities."""
        approximate = [not known for known in self.exactly]
        if not any(approximate):
            return memory.error
        found, steps = self._fraction(x) - memory.computed, memory.steps
        # a plain mean of the first ones; nothing is known before a step
        weight = steps.clamp(max=1) / (steps.clamp(max=1 / MEMORY - 1) + 1)
        error = memory.error + weight[..., None] * (found - memory.error)
        return error if all(approximate) else torch.where(error.new_tensor(approximate).bool(), error, 0.0)

    def _fraction(self, x: Float[Tensor, "*r n d"]) -> Float[Tensor, "*r m"]:
        """The fraction inside each set."""
        if x.dim() > 2:
            return self.whole.mean(insides(self.sets, x).double())
        return self.whole.total(inside_each(self.sets, x))[0].double() / self.whole.size(x)

    def _mapped(self, v: Tensor) -> Tensor:
        return v if self.noise.factor is None else v @ self.noise.factor.to(v.dtype).T

    def _ahead_of(self, y: Tensor, change: Tensor, error: Tensor, L: Tensor) -> Ahead:
        p, gradient = self._chances(y, change)
        mean = self.whole.mean(p) + error
        return Ahead(change, mean, p, gradient, mean - L)

    def _chances(self, y: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        return chances(self.sets, y + self._mapped(change), self.noise)

    def _filtered(
        self, over: Tensor, y: Tensor, error: Tensor, L: Tensor, guess: Tensor, ahead: Ahead
    ) -> tuple[Ahead, Tensor]:
        """What the clouds that are over their limits are changed to, and the multipliers of each."""
        if y.dim() == 2:
            over, y, error, L, guess = (part[None] for part in (over, y, error, L, guess))
            one = Ahead(*(part[None] for part in ahead))
            changed, ν = self._filtered(over, y, error, L, guess, one)
            return Ahead(*(part[0] for part in changed)), ν[0]
        which = over.nonzero()[:, 0]
        own, μ = some(ahead, which), torch.zeros_like(L)
        y, error, limit = y[which], error[which], L[which]
        warm = guess[which] if L.shape[1] > 1 else guess  # one constraint begins elsewhere
        push = narrowed(own.chance, own.gradient)
        near = nearby.nearby(own, push, self.whole)
        if near is None:
            found_μ, found = self._newton(y, own, error, limit, warm, push)
        else:
            part = with_other(self, whole=Among(self.whole, self.whole.size(own.chance)))
            rows, rest = near.rows, error + near.others
            found_μ, found = part._newton(y[:, rows], near.of(own), rest, limit, warm, push[:, rows])
            found = near.put_back(own, found)
        farthest = self._farthest()
        for r in (~self._near(found.change) | (found.violation > 0).any(1)).nonzero()[:, 0]:
            start = Ahead(*(part[r] for part in own))
            found_μ[r], bounded = self._bounded(y[r], start, found_μ[r], error[r], limit[r], farthest)
            found = put_back(found, r[None], Ahead(*(part[None] for part in bounded)))
        return put_back(ahead, which, found), μ.index_copy(0, which, found_μ)

    def _farthest(self) -> float:
        """How far a coordinate of a particle may be moved in one step."""
        fastest = FARTHEST * self.noise.std / self.step_size if self.speed is None else self.speed
        return fastest * self.step_size

    def _near(self, change: Float[Tensor, "q n d"]) -> Bool[Tensor, "q"]:
        """The clouds without a particle that is moved further."""
        moved = change.abs().flatten(1)  # of a part maybe none
        return self.whole.largest(moved.amax(1) if moved.shape[1] else moved.sum(1)) <= self._farthest()

    def _newton(
        self, y: Tensor, start: Ahead, error: Tensor, L: Tensor, guess: Tensor, push: Tensor
    ) -> tuple[Float[Tensor, "q m"], Ahead]:
        search = Search(self._chances, self.whole, AIM * self.limits.to(L.device), self._near)
        return search.least(y, start, error, L, guess, push)

    def _bounded(
        self, y: Tensor, start: Ahead, μ: Tensor, error: Tensor, L: Tensor, farthest: float
    ) -> tuple[Tensor, Ahead]:
        def ahead_of(change: Tensor) -> Ahead:
            return self._ahead_of(y, change, error, L)

        def outwards(wanted: Tensor) -> Tensor:
            chosen = [s for s, w in zip(self.sets, wanted, strict=True) if w > 0]
            return out_of(chosen, y, self.noise.factor)

        return bounded(ahead_of, outwards, start, μ, self.whole, farthest)
