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
from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.declared import declares
from barriers.derivatives import NotDifferentiable, Scalar, recorded
from barriers.filters.alone import alone
from barriers.filters.base import FilterInfo, Promise, combined, refuse_batches
from barriers.filters.complementarity import advanced, times
from barriers.filters.correction import Correction, StepMemory, kept
from barriers.filters.iterates import ITERATIONS, Iterates
from barriers.filters.later_uniforms import Uniforms
from barriers.filters.nudge import nudged
from barriers.filters.one_constraint import column, if_flat, least, means_by, numbers
from barriers.filters.some_clouds import mixed, put_back, some
from barriers.filters.whole import HERE, Whole, as_matrix, overlaps, products, together
from barriers.functionals import Barrier, of_each
from barriers.squares import squared_norm

AIM = {torch.float64: 1e-12}
"""Newton's target is inside the constraint by this share of the limit, so that it holds after rounding; 1e-6
in other dtypes.
"""


class BarrierStep:
    """Keeps `barrier` nonnegative at every step, for the actual cloud, at barrier rate α."""

    hook: Literal["step"] = "step"
    couples = True
    batched = True
    draws_later = True
    promise = Promise(
        "every step, this cloud",
        "D.3: from B_φ(ρ⁰) ≥ 0, B_φ ≥ 0 at every step by induction; an unsafe start recovers at rate α",
    )

    def __init__(self, barrier: Barrier, rate: Scalar = 5.0, whole: Whole = HERE, reach: float = math.inf):
        if not rate > 0:
            raise ValueError(f"step filter: rate must be > 0; got {rate:g}")
        if not reach > 0:
            raise ValueError(f"step filter: reach must be > 0; got {reach:g}")
        self.barrier, self.rate, self.whole, self.reach = barrier, rate, whole, reach

    @property
    def limits(self) -> Tensor:
        return self.barrier.limits

    def init(self, x: Float[Tensor, "*r n d"]) -> StepMemory:
        return StepMemory(self.whole.mean(of_each(self.barrier.statistics, x)))

    @alone
    def apply(
        self,
        x: Float[Tensor, "*r n d"],
        proposal: Float[Tensor, "*r n d"],
        step_size: float,
        uniforms: Uniforms,
        memory: StepMemory,
    ) -> tuple[Float[Tensor, "*r n d"], StepMemory, FilterInfo]:
        refuse_batches("step", x, proposal)
        B = self.barrier.barriers(memory.mean)
        mean = self.whole.mean(of_each(self.barrier.statistics, proposal))
        best = self.corrected(x, proposal, mean, decay(self.rate * step_size) * B, B)
        info = FilterInfo(
            self.barrier.observed(best.mean), best.multipliers / step_size, best.violation.clamp(min=0)
        )
        return best.x, StepMemory(best.mean), info

    def corrected(self, x: Tensor, proposal: Tensor, mean: Tensor, floor: Tensor, B: Tensor) -> Correction:
        """The proposal moved so that each barrier is at least its floor (D.1, D.2). mean: of the statistics
        of the proposal. B: the barriers at x.
        """
        if proposal.dim() == 2:
            alone = self.corrected(*(part[None] for part in (x, proposal, mean, floor, B)))
            return Correction(*(part[0] for part in alone))
        at = Correction(proposal, mean, torch.zeros_like(B), floor - self.barrier.barriers(mean))
        short = (~kept(at)).nonzero()[:, 0]
        if not len(short):
            return at
        x, mean, floor, B = (part[short] for part in (x, mean, floor, B))
        found = self._moved(x, some(at, short), mean, floor, (floor <= B).all(1))
        return put_back(at, short, found)

    def _moved(self, x: Tensor, best: Correction, mean: Tensor, floor: Tensor, within: Tensor) -> Correction:
        """The clouds `best`, which are below their floors, corrected. within: which started within their
        limits.
        """
        proposal, best, g = self._directed(best.x, floor, best)
        found = self._newton(proposal, floor, best, g)
        # no minimiser: returning all particles is allowed and costs less
        costly = within & torch.gt(*self._costs(proposal, found.x, x))
        found = mixed(costly, best, found)
        if not bool(within.all()):
            found = mixed(within, found, self._shortened(found, proposal, floor))
        if recorded(proposal, floor, mean):
            return self._differentiable(proposal, floor, mean, found)
        for r in (~kept(found)).nonzero()[:, 0]:
            own = Correction(*(part[r] for part in found))
            own = self._returned(x[r], floor[r], own, start_is_within=bool(within[r]))
            found = put_back(found, r[None], Correction(*(part[None] for part in own)))
        return found

    def _directed(
        self, y: Tensor, floor: Tensor, at: Correction
    ) -> tuple[Tensor, Correction, Float[Tensor, "*r n k d"]]:
        """The proposal, with particles at which every statistic has zero gradient (on the ridge of a
        distance) moved by the size of rounding to where one has none; and the gradients there.
        """
        with torch.no_grad():
            g = of_each(self.barrier.gradients, y)[1]
        if recorded(y):
            return y, at, g

        def gradient(z: Tensor) -> Tensor:
            return self.barrier.gradients(z)[1].abs().amax(1)

        rows = y.flatten(0, -2)
        lost = (g == 0).flatten(-2).all(-1).flatten()
        if not self.whole.any(lost):
            return y, at, g
        moved = nudged(rows, lost, gradient, clouds=math.prod(y.shape[:-2]))
        moved = moved.reshape(y.shape)
        g = of_each(self.barrier.gradients, moved)[1]
        return moved, self._judged(moved, floor, at.multipliers), g

    def _differentiable(self, y: Tensor, floor: Tensor, mean: Tensor, found: Correction) -> Correction:
        """The same correction with μ as a function of all inputs of F, by the implicit function theorem
        (Q.3).

        One more Newton step from the detached μ, on F minus its own value: it moves nothing and carries the
        derivative.
        """
        if not bool(kept(found).all()):
            raise NotDifferentiable(
                "step filter: Newton did not reach the barrier and moves were returned, which no "
                "equation defines; "
                "use a smaller step_size, a lower rate or a wider surrogate, or run under torch.no_grad()"
            )
        g, J = of_each(self.barrier.gradients, y)[1], self.barrier.jacobian(mean)
        μ = found.multipliers.detach()
        z = y + _combined(g, J, μ)
        F = self.barrier.barriers(self.whole.mean(of_each(self.barrier.statistics, z))) - floor
        with torch.no_grad():
            gz = of_each(self.barrier.gradients, z)[1]
            slope = self.barrier.jacobian(found.mean) @ overlaps(self.whole, gz, g) @ J.mT
            active = μ > 0
            eye = torch.eye(μ.shape[-1], dtype=slope.dtype, device=slope.device)
            block = torch.where(active[..., :, None] & active[..., None, :], slope, eye)
            inverse = torch.linalg.pinv(block, rtol=1e-12)
        μ = μ - times(inverse, torch.where(active, F - F.detach(), 0.0))
        return self._judged(y + _combined(g, J, μ), floor, μ)

    @torch.no_grad()
    def _newton(self, y: Tensor, floor: Tensor, at: Correction, g: Tensor) -> Correction:
        """The smallest move of each cloud that reaches its floor: the complementarity problem μ ≥ 0,
        B ≥ floor, by successive duals. g: the gradients at y.
        """
        J = self._jacobian(at.mean)
        aim = AIM.get(y.dtype, 1e-6) * self.barrier.limits.abs().nan_to_num()
        if len(aim) == 1:
            return self._of_one(y, floor, at, g, J, aim)
        μ, violation, gz, slope, Jz, best, found = at.multipliers, at.violation + aim, g, None, J, at, at
        iterates = Iterates(len(y), y.device)
        for _ in range(ITERATIONS):
            slope = overlaps(self.whole, gz, g) if slope is None else slope
            μ = advanced(slope if J is None or Jz is None else Jz @ slope @ J.mT, μ, violation)
            z = y + _combined(g, J, μ)
            f, gz = of_each(self.barrier.gradients, z)
            mean, slope = together(self.whole, f, gz, g)
            short = floor - self.barrier.barriers(mean)
            violation, Jz, worst = short + aim, self._jacobian(mean), short.amax(1)
            trial, finite = Correction(z, mean, μ, short), torch.isfinite(short).all(1)
            within, nearer = worst <= 0, finite & (worst < best.violation.amax(1))
            better = (within | (~kept(best) & nearer)) & iterates.going
            best, left = mixed(better, trial, best), iterates.left
            settled = within & ~((μ > 0) & (short.abs() > 4 * aim)).any(1)
            on = iterates.after(μ, settled | ~finite)  # not finite: it left the range of the dtype
            if on is not None:
                found = put_back(found, left, best)
                if not len(on):
                    return found
                best = some(best, on)
                y, floor, g, μ, violation, gz = (part[on] for part in (y, floor, g, μ, violation, gz))
                J, Jz, slope = (None if part is None else part[on] for part in (J, Jz, slope))
        return put_back(found, iterates.left, best)

    def _of_one(
        self, y: Tensor, floor: Tensor, at: Correction, g: Tensor, J: Tensor | None, aim: Tensor
    ) -> Correction:
        """The same for a single constraint."""

        def moved(which: np.ndarray | None, by: np.ndarray) -> tuple[Correction, Callable[[], np.ndarray]]:
            here, own, low, Jy, μ = y, g, floor, J, column(by, floor)
            if which is not None:
                places = torch.from_numpy(which).to(y.device)
                here, own, low = (part.index_select(0, places) for part in (y, g, floor))
                Jy = None if J is None else J[places]
            z = here + _combined(own, Jy, μ)
            f, gz = of_each(self.barrier.gradients, z)
            mean, slope = self.whole.means(f, products(gz, own))
            short = low - self.barrier.barriers(mean)
            return Correction(z, mean, μ, short), lambda: self._falls(mean, as_matrix(slope, own), Jy)

        flat, close = self.barrier.of_distance(), float(aim)
        over = numbers(at.violation) + close
        if flat is None:
            falls = self._falls(at.mean, overlaps(self.whole, g, g), J)
            μ = np.divide(over, falls, out=np.zeros_like(over), where=falls > 0)
        else:
            φ, s, slope = flat[0], of_each(flat[1], y), squared_norm(g)[..., 0]
            μ, falls = if_flat(φ.profile, s, slope, over, means_by(self.whole), close)
        return least(moved, at, falls, μ, close)[1]

    def _falls(self, mean: Tensor, slope: Tensor, J: Tensor | None) -> Float[np.ndarray, "q"]:
        """By how much the violation of a single constraint falls per unit of its multiplier."""
        Jz = self._jacobian(mean)
        return numbers((slope if J is None or Jz is None else Jz @ slope @ J.mT)[..., 0])

    def _jacobian(self, mean: Tensor) -> Tensor | None:
        """∂B/∂mean; None where it is −1."""
        return None if declares(self.barrier, "subtracts", "readout") else self.barrier.jacobian(mean)

    def _returned(self, x: Tensor, floor: Tensor, at: Correction, *, start_is_within: bool) -> Correction:
        """Returns the worst offenders of each violated constraint to x; if that is not enough, all particles
        (D.2).
        """
        old, new = self.barrier.statistics(x).double(), self.barrier.statistics(at.x).double()
        # the decrease of each barrier by each particle's step
        (offence,), own = self.whole.joined((old - new) @ self.barrier.jacobian(at.mean).T)
        n = len(offence)
        back = torch.zeros(n, dtype=torch.bool, device=x.device)
        for k in (at.violation > 0).nonzero()[:, 0].tolist():
            gain = torch.where(back, 0.0, offence[:, k])
            order = gain.argsort(descending=True)
            recovered = gain[order].clamp(min=0).cumsum(0) / n
            already = offence[back, k].sum() / n
            enough = int((recovered < at.violation[k] - already + 1e-12).sum()) + 1
            back[order[:enough]] |= gain[order[:enough]] > 0
        some = self._judged(torch.where(back[own, None], x, at.x), floor, at.multipliers)
        if kept(some):
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
        length = δ.norm(dim=-1, keepdim=True)
        short = self.whole.largest(length.flatten(1).amax(1)) <= self.reach
        if bool(short.all()):
            return found
        moved = y + δ * (self.reach / length).clamp(max=1.0)
        return mixed(short, found, self._judged(moved, floor, found.multipliers))

    @torch.no_grad()
    def _costs(self, y: Float[Tensor, "*r n d"], *z: Float[Tensor, "*r n d"]) -> list[Float[Tensor, "*r"]]:
        """(1/n)Σ‖zᵢ − yᵢ‖² of each cloud, for each of several z; infinite where one is not finite."""
        squares = ((at - y).double().square().sum(-1, keepdim=True) for at in z)
        return [mean[..., 0].nan_to_num(nan=math.inf) for mean in self.whole.means(*squares)]

    def _judged(self, x: Tensor, floor: Tensor, μ: Tensor) -> Correction:
        mean = self.whole.mean(of_each(self.barrier.statistics, x))
        return Correction(x, mean, μ, floor - self.barrier.barriers(mean))


def _combined(g: Tensor, J: Tensor | None, μ: Tensor) -> Tensor:
    """δ = Σ(Jᵀμ)_k ∇f_k at every particle; J = None: −1."""
    return combined(g, -μ if J is None else times(J.mT, μ))


def decay(exponent: Scalar) -> Scalar:
    """e^{−exponent}."""
    return (-exponent).exp() if isinstance(exponent, Tensor) else math.exp(-exponent)
