"""The step filter with a hard limit: its surrogate's limit is raised until the particles inside fill their
budget (D.7), and moves for which a set has no room are returned (D.8).

A surrogate φ ≥ κ·1_𝒰 counts particles beside a set too, so E φ ≤ κβ leaves part of the budget unused. Here
the limit is ℓ_k = κβ·e^{a_k}, with a_k in the memory:

    a_{k+1} = max(0, a_k + (1 − e^{−αh})(u − N_k/⌊βn⌋)),       N_k particles inside, u = .97.

It is not raised further where it is more than twice the proposal's E φ, since it then binds nothing. E φ of
the corrected cloud is at most ℓ_{k+1} (D.1), but the promise does not rest on it. What is counted is
membership: of the corrected moves, those that enter a set are accepted in random order while it has room
(G.1), and the others return to their previous place. So the count never exceeds ⌊βn⌋, whatever φ, ℓ and
Newton do.
"""

import math
from typing import Literal, NamedTuple

from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.budget import budget
from barriers.derivatives import NotDifferentiable, Scalar, recorded
from barriers.filters.admission import granted
from barriers.filters.alone import alone
from barriers.filters.base import FilterInfo, Promise, refuse_batches
from barriers.filters.correction import Correction
from barriers.filters.step import BarrierStep, decay
from barriers.filters.whole import HERE, Whole
from barriers.functionals import Barrier

USE = 0.97
"""u: the share of its budget that a set holds on average."""

SLACK = 2.0
"""A limit above this multiple of the proposal's E φ is not raised: from a start far away it would grow
without end.
"""


class HardLimitMemory(NamedTuple):
    """The means of the statistics over the current cloud, membership of each particle in each set, and the
    logarithm of the factor by which each limit is raised.
    """

    mean: Float[Tensor, "k"]
    inside: Bool[Tensor, "n m"]
    raised: Float[Tensor, "m"]


class Steering(BarrierStep):
    """The correction alone, as far as Newton came: the count decides which moves are returned."""

    def _returned(self, x: Tensor, floor: Tensor, at: Correction, *, start_is_within: bool) -> Correction:
        return at


class HardLimitStep:
    """Keeps the count inside each set within ⌊βn⌋ at every step, and the surrogate within a limit at which
    that budget is used.

    Raises ValueError for a barrier that bounds no number of particles, such as a moment.
    """

    hook: Literal["step"] = "step"
    couples = True
    promise = Promise(
        "every step, this cloud",
        "D.8: from a start within budget the count inside each set never exceeds ⌊βn⌋, by induction; an "
        "unsafe start recovers at rate α",
    )

    def __init__(self, barrier: Barrier, rate: Scalar = 5.0, whole: Whole = HERE, reach: float = math.inf):
        self.steering = Steering(barrier, rate, whole, reach)
        self.barrier, self.rate, self.whole = barrier, rate, whole
        counted = barrier.counted()
        if counted is None:
            raise ValueError(
                f"step filter: limit hard counts particles, and {type(barrier).__name__} bounds a mean of "
                "functions, which is no number of particles; use limit surrogate"
            )
        self.counted = counted

    @property
    def limits(self) -> Tensor:
        """The tolerances: what is observed is the fraction inside, not E φ."""
        return torch.tensor(self.counted.shares, dtype=torch.float64)

    def init(self, x: Float[Tensor, "n d"]) -> HardLimitMemory:
        """Each limit is raised as far as the start's own E φ, where the start is within its budget."""
        inside, mean = self.counted.contains(x), self.whole.mean(self.barrier.statistics(x))
        B, scale = self.barrier.readout(mean), self.counted.scale
        own = torch.where(scale > 0, -B / scale.clamp(min=1e-300), 0.0).clamp(min=0).log1p()
        (held,) = self.whole.count(inside)
        return HardLimitMemory(mean, inside, torch.where(held > self._budgets(x), 0.0, own))

    @alone
    def apply(
        self,
        x: Float[Tensor, "n d"],
        proposal: Float[Tensor, "n d"],
        step_size: float,
        uniforms: Float[Tensor, "n"],
        memory: HardLimitMemory,
    ) -> tuple[Float[Tensor, "n d"], HardLimitMemory, FilterInfo]:
        refuse_batches("step", x, proposal)
        B, budgets, was = self.barrier.readout(memory.mean), self._budgets(x), memory.inside
        mean = self.whole.mean(self.barrier.statistics(proposal))
        (held,) = self.whole.count(was)
        raised = self._raised(memory, held, mean, budgets, step_size)
        r = self.counted.scale * raised.expm1()  # a limit of B + r ≥ 0 is one of E φ ≤ κβ·e^a
        floor = decay(self.rate * step_size) * (B + r).clamp(max=0) - r
        found = self.steering.corrected(x, proposal, mean, floor, B)
        would = self.counted.contains(found.x)
        accepted = granted(was, would, budgets, uniforms, self.whole)
        z, mean = found.x, found.mean
        if self.whole.any(~accepted):
            if recorded(z, mean):
                raise NotDifferentiable(
                    "step filter: moves for which a set had no room were returned, which no equation "
                    "defines; use limit surrogate, or run under torch.no_grad()"
                )
            z = torch.where(accepted[:, None], z, x)
            mean = self.whole.mean(self.barrier.statistics(z))
        inside = torch.where(accepted[:, None], would, was)
        n, (held,) = self.whole.size(x), self.whole.count(inside)
        over = (held - budgets).clamp(min=0).double() / n
        info = FilterInfo(held.double() / n, found.multipliers / step_size, over)
        return z, HardLimitMemory(mean, inside, raised), info

    def _raised(
        self,
        memory: HardLimitMemory,
        count: Int[Tensor, "m"],
        mean: Tensor,
        budgets: Int[Tensor, "m"],
        h: float,
    ) -> Float[Tensor, "m"]:
        """a_{k+1}; 0 where the start is still over its budget, and where the budget is 0. count: of particles
        inside. mean: of the statistics of the proposal.
        """
        scale = self.counted.scale
        change = (1 - decay(self.rate * h)) * (USE - count.double() / budgets.clamp(min=1))
        binds = scale * memory.raised.exp() < SLACK * (scale - self.barrier.readout(mean))
        raised = (memory.raised + torch.where(binds, change, change.clamp(max=0))).clamp(min=0)
        return torch.where((count > budgets) | (budgets == 0), 0.0, raised)

    def _budgets(self, x: Tensor) -> Int[Tensor, "m"]:
        n = self.whole.size(x)
        most = [n if share >= 1 else budget(share, n) for share in self.counted.shares]
        return torch.tensor(most, device=x.device)
