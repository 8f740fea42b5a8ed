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
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.derivatives import NotDifferentiable, value_and_gradient
from barriers.filters.base import FilterInfo, Mean, Promise, insides, local_mean, overlaps
from barriers.filters.complementarity import advanced
from barriers.filters.push import along, combined, narrowed
from barriers.predicted import Noise, chance, exact, with_distances
from barriers.qp.dual import Infeasible, OnInfeasible
from barriers.sets.base import UnsafeSet

FARTHEST = 4.0
"""The default limit of the change of any coordinate in one step, in standard deviations of the noise."""
ITERATIONS, HALVINGS = 12, 30
AIM = 1e-6
"""Newton's target is inside the limit by this share of it."""
MEMORY = 0.02
"""The smallest weight of one step in the running error of an approximate probability."""


class PredictiveMemory(NamedTuple):
    """Q of the last step or, where that exceeded its limit L, L; the mean probability computed then; its
    running error and the number of steps it covers; the last multipliers.
    """

    predicted: Float[Tensor, "m"]
    computed: Float[Tensor, "m"]
    error: Float[Tensor, "m"]
    steps: Float[Tensor, ""]
    multipliers: Float[Tensor, "m"]


class _Ahead(NamedTuple):
    """The effect of a change δ of the mean positions: Q, the push at every particle, the gradient, and by how
    much Q exceeds L.
    """

    change: Float[Tensor, "n d"]
    mean: Float[Tensor, "m"]
    push: Float[Tensor, "n m d"]
    gradient: Float[Tensor, "n m d"]
    violation: Float[Tensor, "m"]


class PredictiveFilter:
    """Keeps the mass inside each set after the noise within β, in expectation given the cloud, at barrier
    rate α.
    """

    hook: Literal["drift"] = "drift"
    couples = True
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
        mean: Mean = local_mean,
        speed: float | None = None,
        noise: Noise | None = None,
    ):
        if any(not 0 < β < 1 for β in betas):
            raise ValueError(f"drift filter: beta must lie in (0, 1); got {list(betas)}")
        if not rate > 0:
            raise ValueError(f"drift filter: rate must be > 0; got {rate:g}")
        if speed is not None and not speed > 0:
            raise ValueError(f"drift filter: speed must be > 0; got {speed:g}")
        self.sets, self.betas, self.step_size, self.rate = (
            tuple(map(with_distances, sets)),
            tuple(betas),
            step_size,
            rate,
        )
        self.on_infeasible, self.mean, self.speed = on_infeasible, mean, speed
        self.noise = Noise(math.sqrt(2 * step_size)) if noise is None else noise
        self.limits = torch.tensor(self.betas, dtype=torch.float64)

    def under(self, noise: Noise, speed: float | None) -> "PredictiveFilter":
        """The same filter for other noise."""
        return PredictiveFilter(
            self.sets,
            self.betas,
            self.step_size,
            rate=self.rate,
            on_infeasible=self.on_infeasible,
            mean=self.mean,
            speed=speed,
            noise=noise,
        )

    def init(self, x: Float[Tensor, "n d"]) -> PredictiveMemory:
        fraction, zero = (
            self.mean(insides(self.sets, x).double()),
            torch.zeros(len(self.sets), dtype=torch.float64, device=x.device),
        )
        ahead = self._ahead_of(x, torch.zeros_like(x), zero, zero).mean.minimum(self.limits.to(x.device))
        return PredictiveMemory(torch.maximum(fraction, ahead), fraction, zero, zero.new_zeros(()), zero)

    def apply(
        self, x: Float[Tensor, "n d"], drift: Float[Tensor, "n d"], memory: PredictiveMemory
    ) -> tuple[Float[Tensor, "n d"], PredictiveMemory, FilterInfo]:
        """The filtered drift at x; under a metric both are v = L⁻¹u."""
        if torch.is_grad_enabled() and (x.requires_grad or drift.requires_grad):
            raise NotDifferentiable(
                "drift (without a smoothing): its multipliers are searched for, which is not recorded; "
                "give the filter a smoothing, for "
                "example {kind: sigmoid, width: 0.1}, to differentiate through a run, or sample under "
                "torch.no_grad()"
            )
        β = self.limits.to(x.device)
        error = self._error(x, memory)
        L = β - math.exp(-self.rate * self.step_size) * (β - memory.predicted)
        y = x + self.step_size * self._mapped(drift)
        ahead = self._ahead_of(y, torch.zeros_like(y), error, L)
        μ = torch.zeros_like(L)
        if bool((ahead.violation > 0).any()):
            μ, ahead = self._newton(y, ahead, error, L, memory.multipliers)
            farthest = (
                FARTHEST * self.noise.std / self.step_size if self.speed is None else self.speed
            ) * self.step_size
            too_far = not bool((ahead.change.abs() <= farthest).all())
            if too_far or bool((ahead.violation > 0).any()):
                μ, ahead = self._bounded(y, μ, error, L, farthest)
            drift = drift + ahead.change / self.step_size
        shortfall = ahead.violation.clamp(min=0)
        if self.on_infeasible == "raise" and bool((shortfall > 0).any()):
            raise Infeasible(
                "no drift keeps the predicted mass of every constraint within its limit: missed by "
                f"{shortfall.tolist()}"
            )
        after = PredictiveMemory(torch.minimum(ahead.mean, L), ahead.mean - error, error, memory.steps + 1, μ)
        return drift, after, FilterInfo(ahead.mean, μ / self.step_size, shortfall)

    def surrogate(self, x: Float[Tensor, "n d"], info: FilterInfo) -> Float[Tensor, "m"]:
        """The expected mass inside after the step that led to x."""
        return info.mean

    def _error(self, x: Tensor, memory: PredictiveMemory) -> Tensor:
        """The running mean of realised minus computed fractions, for approximate probabilities."""
        approximate = torch.tensor([not exact(s, self.noise) for s in self.sets], device=x.device)
        if not bool(approximate.any()) or float(memory.steps) == 0:
            return memory.error
        found = self.mean(insides(self.sets, x).double()) - memory.computed
        weight = max(MEMORY, 1 / (float(memory.steps) + 1))  # a plain mean of the first measurements
        return torch.where(approximate, memory.error + weight * (found - memory.error), 0.0)

    def _mapped(self, v: Tensor) -> Tensor:
        return v if self.noise.factor is None else v @ self.noise.factor.to(v.dtype).T

    def _ahead_of(self, y: Tensor, change: Tensor, error: Tensor, L: Tensor) -> _Ahead:
        z = y + self._mapped(change)
        p, gradient = (
            torch.stack(part, 1) for part in zip(*(chance(s, z, self.noise) for s in self.sets), strict=True)
        )
        if self.noise.factor is not None:
            gradient = gradient @ self.noise.factor.to(gradient.dtype)
        mean = self.mean(p) + error
        return _Ahead(change, mean, narrowed(p, gradient), gradient, mean - L)

    def _newton(self, y: Tensor, start: _Ahead, error: Tensor, L: Tensor, μ: Tensor) -> tuple[Tensor, _Ahead]:
        """The smallest μ ≥ 0 with Q ≤ L, with the push evaluated at the unfiltered positions."""
        aim = AIM * self.limits.to(L.device)
        best, best_μ, at = start, torch.zeros_like(μ), start
        if bool((μ > 0).any()):
            at = self._ahead_of(y, combined(start.push, μ), error, L)
        else:
            μ = torch.zeros_like(μ)
        for _ in range(ITERATIONS):
            slope = overlaps(self.mean, at.gradient, start.push)
            μ = advanced(slope, μ, at.violation + aim)
            at = self._ahead_of(y, combined(start.push, μ), error, L)
            if not bool(torch.isfinite(at.violation).all()):
                break
            within = bool((at.violation <= 0).all())
            if within or at.violation.max() < best.violation.max():
                best, best_μ = at, μ
            if within and bool(torch.where(μ > 0, at.violation >= -4 * aim, True).all()):
                break
        return best_μ, best

    def _bounded(
        self, y: Tensor, μ: Tensor, error: Tensor, L: Tensor, farthest: float
    ) -> tuple[Tensor, _Ahead]:
        """With no coordinate moved further than `farthest`: the push scaled up until Q ≤ L, or all particles
        inside moved outwards, or the best of these.
        """
        start = self._ahead_of(y, torch.zeros_like(y), error, L)
        wanted = torch.where(start.violation > 0, 1.0, 0.0).to(μ)
        μ = torch.where(μ.isfinite() & (μ > 0), μ, 0.0)
        slope = self.mean((start.gradient * start.push).sum(2))
        first = torch.where(μ > 0, μ, wanted * start.violation / slope.clamp(min=1e-200))
        push, best = combined(start.push, first), (0.0, start)
        # a long move along a straight line may re-enter a curved set
        for longest in (farthest, farthest / 2, farthest / 4):
            found = self._searched(partial(along, push, longest), y, error, L, 1e6)
            best = min(best, found, key=lambda b: float(b[1].violation.max()))
            if bool((found[1].violation <= 0).all()):
                return found[0] * first, found[1]
        outwards = self._outwards(y, wanted > 0)
        led = self._searched(lambda c: farthest * c * outwards, y, error, L, 1.0)[1]
        if (
            led.violation.max() <= best[1].violation.max()
        ):  # equal where all are too deep to be distinguished: move outwards anyway
            return torch.full_like(μ, torch.nan), led
        return best[0] * first, best[1]

    def _searched(
        self, change: Callable[[float], Tensor], y: Tensor, error: Tensor, L: Tensor, most: float
    ) -> tuple[float, _Ahead]:
        """The smallest c ≤ most whose change brings Q within L, by bisection; where none does, the best of
        those tried.
        """
        low, high = 0.0, min(1.0, most)
        at = self._ahead_of(y, change(high), error, L)
        best = (high, at)
        while bool((at.violation > 0).any()) and high < most:
            low, high = high, min(8 * high, most)
            at = self._ahead_of(y, change(high), error, L)
            best = min(best, (high, at), key=lambda b: float(b[1].violation.max()))
        if bool((at.violation > 0).any()):
            return best
        for _ in range(HALVINGS):
            if high - low <= 1e-3 * high:
                break
            middle = (low + high) / 2
            trial = self._ahead_of(y, change(middle), error, L)
            if bool((trial.violation <= 0).all()):
                high, at = middle, trial
            else:
                low = middle
        return high, at

    def _outwards(self, y: Tensor, violated: Tensor) -> Tensor:
        """Unit steps out of the violated sets for particles inside: deep within a set the probability is
        flat, and its gradient 0.
        """
        total = torch.zeros_like(y)
        for k in violated.nonzero()[:, 0].tolist():
            s, ds = value_and_gradient(self.sets[k], y)
            ds = ds if self.noise.factor is None else ds @ self.noise.factor.to(ds.dtype)
            total = total + (s <= 0)[:, None] * ds / ds.abs().amax(1, keepdim=True).clamp(min=1e-30)
        return total / total.abs().amax(1, keepdim=True).clamp(min=1.0)
