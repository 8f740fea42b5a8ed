"""The drift filter: the smallest change of the drift, over the whole ensemble, that keeps every barrier (Q.1,
Q.2).

min (1/2n)Σ‖uᵢ − vᵢ‖²  s.t.  dB_k/dt ≥ −α B_k,   dB/dt = J E[∇f·u + Δf],  J = ∂readout/∂mean

with the Itô term Δf (B.3, B.4). The solution is u = v + Σ(Jᵀμ)_k ∇f_k, so only m multipliers are unknown, not
n·d velocities. In the limit n → ∞, h → 0 this is the KL projection (F.1). Differentiable in x, v, α and the
parameters of the barrier (Q.3).

`speed` bounds how much any coordinate of a particle's drift may change: from an unsafe start the surrogate is
flat, and the least-squares solution would move particles far outside the range of the linearisation.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from barriers.derivatives import Scalar
from barriers.filters.base import FilterInfo, Mean, Promise, local_mean
from barriers.functionals import Barrier
from barriers.qp import Backend, project, solve_dual
from barriers.qp.dual import OnInfeasible

BLOCK_NUMBERS = 1 << 22
"""The size of a block of gradients: memory is O(n·d + n·m) for any m·d."""


class EnsembleMemory(NamedTuple):
    """The active set of the last step, the initial guess of the next."""

    active: Bool[Tensor, "1 m"] | None


class Moments(NamedTuple):
    """Means over the cloud, in float64: of f, of ∇f·v + Δf, and of ∇f_k·∇f_l."""

    mean: Float[Tensor, "k"]
    rate: Float[Tensor, "k"]
    gram: Float[Tensor, "k k"]


class EnsembleFilter:
    """Keeps `barrier` nonnegative in expectation, at barrier rate α."""

    hook: Literal["drift"] = "drift"
    couples = True
    promise = Promise(
        "in expectation",
        "F.1: B(ρ_t) ≥ 0 and KL non-increasing as n → ∞, h → 0; noise enters after the filter, so a finite "
        "cloud fluctuates around it",
    )

    def __init__(
        self,
        barrier: Barrier,
        rate: Scalar = 5.0,
        on_infeasible: OnInfeasible = "relax",
        mean: Mean = local_mean,
        speed: float | None = None,
        backend: Backend = "structured",
    ):
        if not rate > 0:
            raise ValueError(f"drift filter: rate must be > 0; got {rate:g}")
        if speed is not None and not speed > 0:
            raise ValueError(f"drift filter: speed must be > 0; got {speed:g}")
        self.barrier, self.rate, self.on_infeasible, self.mean = barrier, rate, on_infeasible, mean
        self.speed, self.backend = speed, backend

    @property
    def limits(self) -> Tensor:
        return self.barrier.limits

    def init(self, x: Float[Tensor, "n d"]) -> EnsembleMemory:
        return EnsembleMemory(None)

    def apply(
        self, x: Float[Tensor, "n d"], drift: Float[Tensor, "n d"], memory: EnsembleMemory
    ) -> tuple[Float[Tensor, "n d"], EnsembleMemory, FilterInfo]:
        moments = self._moments(x, drift)
        B, J = self.barrier.readout(moments.mean), self.barrier.jacobian(moments.mean)
        G = J @ moments.gram @ J.T
        r = (
            -J @ moments.rate - self.rate * B
        )  # how far v overshoots: > 0 where the barrier would fall too fast
        solution = solve_dual(G[None], r[None], warm=memory.active, on_infeasible=self.on_infeasible)
        μ = solution.multipliers[0]
        filtered, shortfall = drift, solution.shortfall[0]
        if bool((μ > 0).any()):
            change = self._combination(x, J.T @ μ)
            filtered = drift + change
            too_fast = self.speed is not None and not bool((change.abs() <= self.speed).all())
            if too_fast or self.backend != "structured":
                filtered, μ, shortfall = self._whole(x, drift, J, r)
        return (
            filtered,
            EnsembleMemory(μ[None] > 0),
            FilterInfo(self.barrier.observed(moments.mean), μ, shortfall),
        )

    def _whole(self, x: Tensor, drift: Tensor, J: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Solves the problem with all its rows: where the speed bound is active, or another library is to
        solve it.
        """
        rows = -torch.einsum("mk,nkd->mnd", J.to(x.dtype), self.barrier.gradients(x)[1]).flatten(1)
        n, v = x.shape[0], drift.flatten()
        bounds = rows.double() @ v.double() - n * r
        found = project(
            v[None].double(),
            rows[None].double(),
            bounds[None],
            speed=self.speed,
            on_infeasible=self.on_infeasible,
            backend=self.backend,
        )
        return found.u[0].to(drift.dtype).reshape(drift.shape), found.multipliers[0], found.shortfall[0] / n

    def surrogate(self, x: Float[Tensor, "n d"], info: FilterInfo) -> Float[Tensor, "m"]:
        return self.barrier.observed(self.mean(self.barrier.statistics(x)))

    def _moments(self, x: Tensor, drift: Tensor) -> Moments:
        sums: list[Tensor] | None = None
        for xb, vb in zip(*(self._blocks(t) for t in (x, drift)), strict=True):
            f, g, lap = self.barrier.jet(xb)
            rate = torch.einsum("nkd,nd->nk", g, vb) + lap
            g64 = g.double()
            gram = torch.einsum("nkd,nld->kl", g64, g64) / xb.shape[0]
            parts = [self.mean(f), self.mean(rate), self.mean(gram.flatten()[None]).reshape(gram.shape)]
            share = xb.shape[0] / x.shape[0]
            sums = (
                [share * p for p in parts]
                if sums is None
                else [s + share * p for s, p in zip(sums, parts, strict=True)]
            )
        assert sums is not None, "a cloud has at least one particle"
        return Moments(*sums)

    def _combination(self, x: Tensor, weights: Tensor) -> Tensor:
        """Σ weights_k ∇f_k at every particle."""
        return torch.cat(
            [
                torch.einsum("nkd,k->nd", self.barrier.gradients(xb)[1], weights.to(x.dtype))
                for xb in self._blocks(x)
            ]
        )

    def _blocks(self, x: Tensor) -> tuple[Tensor, ...]:
        rows = max(1, BLOCK_NUMBERS // (x.shape[1] * max(1, self.barrier.limits.shape[0])))
        return x.split(rows)
