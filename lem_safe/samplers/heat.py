"""A drift filter under other noise than the one it was built for: dx = u dt + √(2C) dW with C = T·I,
including T = 0, or C = LLᵀ (F.3).

Itô's formula then reads d/dt E f = E[∇f·u + tr(C∇²f)], so a barrier condition with Δf bounds something else.
Only the barrier's derivatives have to change. For C = T·I the Itô term is TΔf. For C = LLᵀ the filter works
on v = L⁻¹u, as in the coordinates L⁻¹x in which the noise is standard: there the gradient is Lᵀ∇f and the
Laplacian tr(Lᵀ∇²f L), and the change is smallest in the metric C⁻¹.

The predictive filter (Q.4) needs no derivative for this: it is given the noise itself, √(2hT) or √(2h)L.
Without noise to predict, along the flow or with inertia, it is replaced by the smooth barrier, whose kinks
contribute no Itô term there.
"""

import math
from functools import partial, singledispatch
from typing import Any, Literal

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.declared import declares
from barriers.derivatives import autodiff_jet
from barriers.filters import (
    DriftChain,
    DriftFilter,
    DriftOverClouds,
    EnsembleFilter,
    FilterInfo,
    Penalty,
    PredictiveFilter,
    PrimalDual,
)
from barriers.filters.base import batched
from barriers.functionals import Barrier, MassBarrier, StatisticsJet, smooth_mass
from barriers.noise import Noise
from barriers.sets.base import NotSmooth
from barriers.surrogates import for_drift


class Heated(Barrier):
    """The same barrier for noise of temperature T: its Itô term is TΔf."""

    batched = True

    def __init__(self, inner: Barrier, temperature: float):
        super().__init__()
        self.inner, self.temperature = inner, temperature
        self.batched = declares(inner, "batched", "readout")
        self.register_buffer("limits", inner.limits)

    @classmethod
    def example(cls) -> "Heated":
        from barriers.functionals import MassBarrier

        return cls(MassBarrier.example(), 2.0)

    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        return self.inner.statistics(x)

    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        jet = self.inner.jet(x)
        return jet._replace(laplacian=self.temperature * jet.laplacian)

    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        return self.inner.gradients(x)

    def readout(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        return self.inner.readout(mean)


class Stretched(Barrier):
    """The same barrier at the same points x, with derivatives along the columns of L: Lᵀ∇f and tr(Lᵀ∇²f L).

    The second derivatives are computed by automatic differentiation, in d + 1 backward passes per statistic.
    """

    batched = True

    def __init__(self, inner: Barrier, factor: Float[Tensor, "d d"]):
        super().__init__()
        self.inner, self.factor = inner, factor
        self.batched = declares(inner, "batched", "readout")
        self.register_buffer("limits", inner.limits)

    @classmethod
    def example(cls) -> "Stretched":
        from barriers.functionals import MassBarrier

        return cls(MassBarrier.example(), torch.tensor([[0.8, 0.0], [0.3, 1.2]], dtype=torch.float64))

    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        return self.inner.statistics(x)

    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        value, gradient = self.gradients(x)
        L = self.factor.to(x.dtype)
        bend = [
            autodiff_jet(partial(self._statistic, x, L, k), torch.zeros_like(x)).laplacian
            for k in range(value.shape[1])
        ]
        return StatisticsJet(value, gradient, torch.stack(bend, 1))

    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        value, gradient = self.inner.gradients(x)
        return value, gradient @ self.factor.to(gradient.dtype)

    def readout(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        return self.inner.readout(mean)

    def _statistic(self, x: Tensor, L: Tensor, k: int, z: Tensor) -> Tensor:
        return self.inner.statistics(x + z @ L.T)[:, k]


def heated(chosen: DriftFilter | None, temperature: float) -> Any:
    """The drift filter for noise √(2T) dW; one without an Itô term (a penalty, a pointwise barrier) is the
    same at every temperature.
    """
    if isinstance(chosen, DriftOverClouds):
        return chosen.of(heated(chosen.inner, temperature))
    if isinstance(chosen, DriftChain):
        return DriftChain([heated(f, temperature) for f in chosen.filters])
    if temperature == 1:
        return chosen
    if isinstance(chosen, PredictiveFilter):
        if temperature == 0:
            return heated(smooth_form(chosen), 0.0)
        return chosen.under(
            Noise(chosen.noise.std * math.sqrt(temperature), chosen.noise.factor), chosen.speed
        )
    if isinstance(chosen, EnsembleFilter):
        return _like(chosen, Heated(chosen.barrier, temperature), chosen.speed)
    return chosen


def smooth_form(chosen: Any) -> Any:
    """The drift filter with E φ in place of a predicted mass, for samplers without noise in the positions.

    φ is the sigmoid of `for_drift`, over the smooth form of a set where there is one and over the set itself
    otherwise.
    """
    if isinstance(chosen, DriftOverClouds):
        return chosen.of(smooth_form(chosen.inner))
    if isinstance(chosen, DriftChain):
        return DriftChain([smooth_form(f) for f in chosen.filters])
    if not isinstance(chosen, PredictiveFilter):
        return chosen
    φ = [for_drift(chosen.step_size)] * len(chosen.sets)
    try:
        barrier = smooth_mass(chosen.sets, φ, chosen.betas)
    except NotSmooth:
        barrier = MassBarrier(chosen.sets, φ, chosen.betas)
    speed = φ[0].width / chosen.step_size if chosen.speed is None else chosen.speed
    return EnsembleFilter(barrier, chosen.rate, chosen.on_infeasible, chosen.whole, float(speed))


@singledispatch
def stretched(chosen: Any, factor: Float[Tensor, "d d"]) -> Any:
    """The drift filter as one of v = L⁻¹u for noise √2 L dW. One without such a form acts on u, without the
    metric.
    """
    return AtTheDrift(chosen, factor)


@stretched.register
def _stretched_none(chosen: None, factor: Tensor) -> None:
    return None


@stretched.register
def _stretched_ensemble_filter(chosen: EnsembleFilter, factor: Tensor) -> EnsembleFilter:
    reach = float(factor.abs().sum(1).max())  # the largest coordinate of Lv where v is at most 1 in each
    return _like(
        chosen, Stretched(chosen.barrier, factor), None if chosen.speed is None else chosen.speed / reach
    )


@stretched.register
def _stretched_predictive_filter(chosen: PredictiveFilter, factor: Tensor) -> PredictiveFilter:
    reach = float(factor.abs().sum(1).max())
    return chosen.under(
        Noise(chosen.noise.std, factor), None if chosen.speed is None else chosen.speed / reach
    )


@stretched.register
def _stretched_penalty(chosen: Penalty, factor: Tensor) -> Penalty:
    return Penalty(Stretched(chosen.barrier, factor), list(chosen.weights), chosen.whole)


@stretched.register
def _stretched_primal_dual(chosen: PrimalDual, factor: Tensor) -> PrimalDual:
    return PrimalDual(Stretched(chosen.barrier, factor), chosen.dual_rate, chosen.whole)


@stretched.register
def _stretched_drift_chain(chosen: DriftChain, factor: Tensor) -> DriftChain:
    return DriftChain([stretched(f, factor) for f in chosen.filters])


@stretched.register
def _stretched_drift_over_clouds(chosen: DriftOverClouds, factor: Tensor) -> DriftOverClouds:
    return chosen.of(stretched(chosen.inner, factor))


def _like(chosen: EnsembleFilter, barrier: Barrier, speed: float | None) -> EnsembleFilter:
    return EnsembleFilter(barrier, chosen.rate, chosen.on_infeasible, chosen.whole, speed, chosen.backend)


class AtTheDrift:
    """A drift filter that is given u = Lv, and whose result is mapped back."""

    hook: Literal["drift"] = "drift"

    @property
    def batched(self) -> bool:
        return batched(self.inner)

    def __init__(self, inner: DriftFilter, factor: Float[Tensor, "d d"]):
        self.inner, self.factor, self.promise, self.couples = inner, factor, inner.promise, inner.couples

    @property
    def limits(self) -> Tensor:
        return self.inner.limits

    def init(self, x: Float[Tensor, "*r n d"]) -> Any:
        return self.inner.init(x)

    def apply(
        self, x: Float[Tensor, "*r n d"], drift: Float[Tensor, "*r n d"], memory: Any
    ) -> tuple[Float[Tensor, "*r n d"], Any, FilterInfo]:
        L = self.factor.to(x.dtype)
        u, memory, info = self.inner.apply(x, drift @ L.T, memory)
        return torch.linalg.solve_triangular(L, u.mT, upper=False).mT, memory, info

    def surrogate(self, x: Float[Tensor, "*r n d"], info: FilterInfo) -> Float[Tensor, "*r m"]:
        return self.inner.surrogate(x, info)
