"""The step filter: a discrete-time barrier for the particles actually drawn (D.1–D.3).

After the proposal y the cloud is moved by δ = Σ(Jᵀμ)_k ∇f_k(y), the smallest move to first order, with μ ≥ 0
found by Newton so that

    B(y + δ) ≥ e^{−αh} B(x)

holds exactly, on the moved particles. Where Newton fails, or its move costs more than returning all
particles, the worst offenders return to their previous place (D.2). From a start with B ≥ 0 every later cloud
has B ≥ 0, by induction, deterministically (D.3).

Newton itself is not recorded for differentiation. Derivatives are those of the equations it solved,
F(μ, θ) = B(z(μ, θ)) − floor(θ) constant on the active set W = {μ > 0}:  dμ_W = −(∂F/∂μ)_WW⁻¹ dF_W (Q.3), away
from the kinks where a constraint becomes active.
"""

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.derivatives import NotDifferentiable, Scalar
from barriers.filters.base import FilterInfo, Mean, Promise, local_mean, overlaps
from barriers.filters.complementarity import advanced
from barriers.filters.nudge import nudged
from barriers.functionals import Barrier

ITERATIONS = 12
AIM = {torch.float64: 1e-12}
"""Newton's target is inside the constraint by this share of the limit, so that it holds after rounding; 1e-6
in other dtypes.
"""


class StepMemory(NamedTuple):
    """The means of the statistics over the current cloud."""

    mean: Float[Tensor, "k"]


class Correction(NamedTuple):
    """A corrected cloud with its means, multipliers, and how far each barrier lies below its floor (> 0:
    violated).
    """

    x: Float[Tensor, "n d"]
    mean: Float[Tensor, "k"]
    multipliers: Float[Tensor, "m"]
    violation: Float[Tensor, "m"]


class BarrierStep:
    """Keeps `barrier` nonnegative at every step, for the actual cloud, at barrier rate α."""

    hook: Literal["step"] = "step"
    couples = True
    promise = Promise(
        "every step, this cloud",
        "D.3: from B_φ(ρ⁰) ≥ 0, B_φ ≥ 0 at every step by induction; an unsafe start recovers at rate α",
    )

    def __init__(
        self, barrier: Barrier, rate: Scalar = 5.0, mean: Mean = local_mean, reach: float = math.inf
    ):
        if not rate > 0:
            raise ValueError(f"step filter: rate must be > 0; got {rate:g}")
        if not reach > 0:
            raise ValueError(f"step filter: reach must be > 0; got {reach:g}")
        self.barrier, self.rate, self.mean, self.reach = barrier, rate, mean, reach

    @property
    def limits(self) -> Tensor:
        return self.barrier.limits

    def init(self, x: Float[Tensor, "n d"]) -> StepMemory:
        return StepMemory(self.mean(self.barrier.statistics(x)))

    def apply(
        self,
        x: Float[Tensor, "n d"],
        proposal: Float[Tensor, "n d"],
        step_size: float,
        uniforms: Float[Tensor, "n"],
        memory: StepMemory,
    ) -> tuple[Float[Tensor, "n d"], StepMemory, FilterInfo]:
        B = self.barrier.readout(memory.mean)
        floor = _decay(self.rate * step_size) * B
        mean = self.mean(self.barrier.statistics(proposal))
        zero = torch.zeros_like(B)
        best = Correction(proposal, mean, zero, floor - self.barrier.readout(mean))
        if not _kept(best):
            start_is_within = bool((floor <= B).all())
            proposal, best = self._directed(proposal, floor, best)
            found = self._newton(proposal, floor, best)
            if start_is_within and self._cost(found.x, proposal) > self._cost(x, proposal):
                found = best  # no minimiser: returning all particles is allowed and costs less
            if not start_is_within:
                found = self._shortened(found, proposal, floor)
            recorded = torch.is_grad_enabled() and any(t.requires_grad for t in (proposal, floor, mean))
            if recorded:
                best = self._differentiable(proposal, floor, mean, found)
            elif _kept(found):
                best = found
            else:
                best = self._returned(x, floor, found, start_is_within=start_is_within)
        info = FilterInfo(
            self.barrier.observed(best.mean), best.multipliers / step_size, best.violation.clamp(min=0)
        )
        return best.x, StepMemory(best.mean), info

    def _directed(self, y: Tensor, floor: Tensor, at: Correction) -> tuple[Tensor, Correction]:
        """The proposal, with particles at which every statistic has zero gradient (on the ridge of a
        distance) moved by the size of rounding to where one has none.
        """
        if torch.is_grad_enabled() and y.requires_grad:
            return y, at

        def gradient(z: Tensor) -> Tensor:
            return self.barrier.gradients(z)[1].abs().amax(1)

        moved = nudged(y, (gradient(y) == 0).all(1), gradient)
        return (y, at) if moved is y else (moved, self._judged(moved, floor, at.multipliers))

    def _differentiable(self, y: Tensor, floor: Tensor, mean: Tensor, found: Correction) -> Correction:
        """The same correction with μ as a function of all inputs of F, by the implicit function theorem
        (Q.3).

        One more Newton step from the detached μ, on F minus its own value: it moves nothing and carries the
        derivative.
        """
        if not _kept(found):
            raise NotDifferentiable(
                "step filter: Newton did not reach the barrier and moves were returned, which no "
                "equation defines; "
                "use a smaller step_size, a lower rate or a wider surrogate, or run under torch.no_grad()"
            )
        g, J, μ = self.barrier.gradients(y)[1], self.barrier.jacobian(mean), found.multipliers.detach()
        z = y + _combined(g, J, μ)
        F = self.barrier.readout(self.mean(self.barrier.statistics(z))) - floor
        with torch.no_grad():
            gz = self.barrier.gradients(z)[1]
            slope = self.barrier.jacobian(found.mean) @ overlaps(self.mean, gz, g) @ J.T
            active = μ > 0
            block = torch.where(
                active[:, None] & active, slope, torch.eye(len(μ), dtype=slope.dtype, device=slope.device)
            )
            inverse = torch.linalg.pinv(block, rtol=1e-12)
        μ = μ - inverse @ torch.where(active, F - F.detach(), 0.0)
        return self._judged(y + _combined(g, J, μ), floor, μ)

    @torch.no_grad()
    def _newton(self, y: Tensor, floor: Tensor, at: Correction) -> Correction:
        """The smallest move that reaches the floor: the complementarity problem μ ≥ 0, B ≥ floor, by
        successive duals.
        """
        f, g = self.barrier.gradients(y)
        J = self.barrier.jacobian(at.mean)
        aim = AIM.get(y.dtype, 1e-6) * self.barrier.limits.abs().nan_to_num()
        μ, violation, gz, Jz, best = at.multipliers, at.violation + aim, g, J, at
        for _ in range(ITERATIONS):
            slope = Jz @ overlaps(self.mean, gz, g) @ J.T
            μ = advanced(slope, μ, violation)
            z = y + _combined(g, J, μ)
            f, gz = self.barrier.gradients(z)
            mean = self.mean(f)
            short = floor - self.barrier.readout(mean)
            violation, Jz = short + aim, self.barrier.jacobian(mean)
            trial = Correction(z, mean, μ, short)
            if _kept(trial):
                best = trial
                tight = torch.where(μ > 0, short.abs() <= 4 * aim, True)
                if bool(tight.all()):
                    break
            elif not _kept(best) and torch.isfinite(short).all() and short.max() < best.violation.max():
                best = trial
        return best

    def _returned(self, x: Tensor, floor: Tensor, at: Correction, *, start_is_within: bool) -> Correction:
        """Returns the worst offenders of each violated constraint to x; if that is not enough, all particles
        (D.2).
        """
        old, new = self.barrier.statistics(x).double(), self.barrier.statistics(at.x).double()
        back = torch.zeros(x.shape[0], dtype=torch.bool, device=x.device)
        offence = (old - new) @ self.barrier.jacobian(
            at.mean
        ).T  # the decrease of each barrier by each particle's step
        for k in (at.violation > 0).nonzero()[:, 0].tolist():
            gain = torch.where(back, 0.0, offence[:, k])
            order = gain.argsort(descending=True)
            recovered = gain[order].clamp(min=0).cumsum(0) / x.shape[0]
            already = offence[back, k].sum() / x.shape[0]
            enough = int((recovered < at.violation[k] - already + 1e-12).sum()) + 1
            back[order[:enough]] |= gain[order[:enough]] > 0
        some = self._judged(torch.where(back[:, None], x, at.x), floor, at.multipliers)
        if _kept(some):
            return some
        everybody = self._judged(x, floor, torch.full_like(at.multipliers, torch.nan))
        if start_is_within:
            return everybody
        return min((at, some, everybody), key=lambda c: float(c.violation.nan_to_num(nan=torch.inf).max()))

    def _shortened(self, found: Correction, y: Tensor, floor: Tensor) -> Correction:
        """With no particle moved further than `reach`: far inside a set the surrogate is flat, and Newton
        would move particles arbitrarily far.
        """
        δ = found.x - y
        length = δ.norm(dim=1, keepdim=True)
        if bool((length <= self.reach).all()):
            return found
        return self._judged(y + δ * (self.reach / length).clamp(max=1.0), floor, found.multipliers)

    @torch.no_grad()
    def _cost(self, z: Tensor, y: Tensor) -> float:
        """(1/n)Σ‖zᵢ − yᵢ‖²; infinite where z is not finite."""
        return float(self.mean((z - y).double().square().sum(1, keepdim=True)).nan_to_num(nan=math.inf))

    def _judged(self, x: Tensor, floor: Tensor, μ: Tensor) -> Correction:
        mean = self.mean(self.barrier.statistics(x))
        return Correction(x, mean, μ, floor - self.barrier.readout(mean))


def _kept(c: Correction) -> bool:
    return bool((c.violation <= 0).all())


def _combined(g: Tensor, J: Tensor, μ: Tensor) -> Tensor:
    """δ = Σ(Jᵀμ)_k ∇f_k at every particle."""
    return torch.einsum("nkd,k->nd", g, (J.T @ μ).to(g.dtype))


def _decay(exponent: Scalar) -> Scalar:
    """e^{−exponent}."""
    return (-exponent).exp() if isinstance(exponent, Tensor) else math.exp(-exponent)
