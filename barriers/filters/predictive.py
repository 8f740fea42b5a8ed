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
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import NotDifferentiable, recorded
from barriers.filters.ahead import Ahead, PredictiveMemory, chances
from barriers.filters.base import FilterInfo, Promise, insides
from barriers.filters.complementarity import advanced
from barriers.filters.iterates import ITERATIONS, Iterates
from barriers.filters.nearby import Among, nearby, with_other
from barriers.filters.one_constraint import if_flat, least
from barriers.filters.push import against, along, depth, narrowed, normal_profile, out_of
from barriers.filters.smallest_change import Trials, smallest
from barriers.filters.some_clouds import put_back, some
from barriers.filters.whole import HERE, Whole, overlaps, together
from barriers.predicted import Noise, exact, with_distances
from barriers.qp.dual import Infeasible, OnInfeasible
from barriers.sets.base import UnsafeSet

FARTHEST = 4.0
"""The default limit of the change of any coordinate in one step, in standard deviations of the noise."""
AIM = 1e-6
"""Newton's target is inside the limit by this share of it."""
AT_ONCE = 2048
"""Coordinates of the particles for which several multiples of a change are tried at once."""
MEMORY = 0.02
"""The smallest weight of one step in the running error of an approximate probability."""


class PredictiveFilter:
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

    def under(self, noise: Noise, speed: float | None) -> "PredictiveFilter":
        """The same filter for other noise."""
        return with_other(self, noise=noise, speed=speed)

    def init(self, x: Float[Tensor, "*r n d"]) -> PredictiveMemory:
        fraction = self.whole.mean(insides(self.sets, x).double())
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
        β = self.limits.to(x.device)
        error = self._error(x, memory)
        L = β - math.exp(-self.rate * self.step_size) * (β - memory.predicted)
        y = x + self.step_size * self._mapped(drift)
        ahead = self._ahead_of(y, torch.zeros_like(y), error, L)
        μ = torch.zeros_like(L)
        over = (ahead.violation > 0).any(-1)
        if bool(over.any()):
            ahead, μ = self._filtered(over, y, error, L, memory.multipliers, ahead)
            drift = torch.where(over[..., None, None], drift + ahead.change / self.step_size, drift)
        shortfall = ahead.violation.clamp(min=0)
        if self.on_infeasible == "raise" and bool((shortfall > 0).any()):
            raise Infeasible(
                "no drift keeps the predicted mass of every constraint within its limit: missed by "
                f"{shortfall.tolist()}"
            )
        after = PredictiveMemory(torch.minimum(ahead.mean, L), ahead.mean - error, error, memory.steps + 1, μ)
        return drift, after, FilterInfo(ahead.mean, μ / self.step_size, shortfall)

    def surrogate(self, x: Float[Tensor, "*r n d"], info: FilterInfo) -> Float[Tensor, "*r m"]:
        """The expected mass inside after the step that led to x."""
        return info.mean

    def _error(self, x: Tensor, memory: PredictiveMemory) -> Tensor:
        """The running mean of realised minus computed fractions, for approximate probabilities."""
        approximate = torch.tensor([not exact(s, self.noise) for s in self.sets], device=x.device)
        if not bool(approximate.any()) or bool((memory.steps == 0).all()):
            return memory.error
        found = self.whole.mean(insides(self.sets, x).double()) - memory.computed
        weight = (1 / (memory.steps + 1)).clamp(min=MEMORY)[..., None]  # a plain mean of the first ones
        return torch.where(approximate, memory.error + weight * (found - memory.error), 0.0)

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
        near = nearby(own, push, self.whole)
        if near is None:
            found_μ, found = self._newton(y, own, error, limit, warm, push)
        else:
            part = with_other(self, whole=Among(self.whole, self.whole.size(own.chance)))
            rows, rest = near.rows, error + near.others
            found_μ, found = part._newton(y[:, rows], near.of(own), rest, limit, warm, push[:, rows])
            found = near.put_back(own, found)
        farthest = self._farthest()
        for r in (~self._near(found) | (found.violation > 0).any(1)).nonzero()[:, 0]:
            start = Ahead(*(part[r] for part in own))
            found_μ[r], bounded = self._bounded(y[r], start, found_μ[r], error[r], limit[r], farthest)
            found = put_back(found, r[None], Ahead(*(part[None] for part in bounded)))
        return put_back(ahead, which, found), μ.index_copy(0, which, found_μ)

    def _farthest(self) -> float:
        """How far a coordinate of a particle may be moved in one step."""
        fastest = FARTHEST * self.noise.std / self.step_size if self.speed is None else self.speed
        return fastest * self.step_size

    def _near(self, found: Ahead) -> Bool[Tensor, "q"]:
        """The clouds without a particle that is moved further."""
        moved = found.change.abs().flatten(1)  # of a part maybe none
        return self.whole.largest(moved.amax(1) if moved.shape[1] else moved.sum(1)) <= self._farthest()

    def _newton(
        self, y: Tensor, start: Ahead, error: Tensor, L: Tensor, guess: Tensor, push: Tensor
    ) -> tuple[Float[Tensor, "q m"], Ahead]:
        """The smallest μ ≥ 0 of each cloud with Q ≤ L; the push is that at the unfiltered positions."""
        aim = AIM * self.limits.to(L.device)
        if len(aim) == 1:
            return self._of_one(y, start, error, L, push, aim)
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
            p, gradient = self._chances(z, change)
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
        self, y: Tensor, start: Ahead, error: Tensor, L: Tensor, push: Tensor, aim: Tensor
    ) -> tuple[Float[Tensor, "q 1"], Ahead]:
        """The same for a single constraint."""

        def evaluated(which: Tensor | None, μ: Tensor) -> tuple[Ahead, Tensor]:
            parts = (y, error, L, push)
            z, ε, limit, own = parts if which is None else (part[which] for part in parts)
            change = against(own, μ)
            p, gradient = self._chances(z, change)
            mean, falls = self.whole.means(p, (gradient * own).sum(-1))
            return Ahead(change, mean + ε, p, gradient, mean + ε - limit), falls

        slope = (start.gradient * push).sum(-1)
        over = start.violation + aim
        μ, falls = if_flat(normal_profile, -depth(start.chance), slope, over, self.whole.mean)
        return least(evaluated, start, falls, μ, aim, lambda at: ~self._near(at))

    def _bounded(
        self, y: Tensor, start: Ahead, μ: Tensor, error: Tensor, L: Tensor, farthest: float
    ) -> tuple[Tensor, Ahead]:
        """With no coordinate moved further than `farthest`: the push scaled up until Q ≤ L, or all particles
        inside moved outwards, or the best of these.
        """
        wanted = torch.where(start.violation > 0, 1.0, 0.0).to(μ)
        μ = torch.where(μ.isfinite() & (μ > 0), μ, 0.0)
        pushed = narrowed(start.chance, start.gradient)
        slope = self.whole.mean((start.gradient * pushed).sum(2))
        first = torch.where(μ > 0, μ, wanted * start.violation / slope.clamp(min=1e-200))
        push, best = against(pushed, first), (0.0, start)
        # a long move along a straight line may re-enter a curved set
        for longest in (farthest, farthest / 2, farthest / 4):
            found = self._searched(partial(along, push, longest), y, error, L, 1e6)
            best = min(best, found, key=lambda b: float(b[1].violation.max()))
            if bool((found[1].violation <= 0).all()):
                return found[0] * first, found[1]
        outwards = out_of([s for s, w in zip(self.sets, wanted, strict=True) if w > 0], y, self.noise.factor)
        led = self._searched(lambda c: (farthest * c).to(y.dtype) * outwards, y, error, L, 1.0)[1]
        # equal where all are too deep to be distinguished: move outwards anyway
        if led.violation.max() <= best[1].violation.max():
            return torch.full_like(μ, torch.nan), led
        return best[0] * first, best[1]

    def _searched(
        self, change: Callable[[Tensor], Tensor], y: Tensor, error: Tensor, L: Tensor, most: float
    ) -> tuple[float, Ahead]:
        """The smallest c ≤ most whose change brings Q within L; where none does, the best of those tried."""
        seen: dict[float, tuple[Ahead, int]] = {}

        def tried(multiples: Sequence[float]) -> Trials:
            c = torch.tensor(multiples, dtype=torch.float64, device=y.device)[:, None, None]
            found = self._ahead_of(y, change(c), error, L)
            seen.update({one: (found, i) for i, one in enumerate(multiples)})
            return Trials((found.violation > 0).any(1), found.violation.amax(1))

        c = smallest(tried, most, AT_ONCE // max(self.whole.size(y) * y.shape[-1], 1))
        found, i = seen[c]
        return c, Ahead(*(part[i] for part in found))
