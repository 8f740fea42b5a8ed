"""The tilt: a step filter that keeps each particle by itself, with multipliers fixed beforehand (G.5).

A proposed move x → y is taken with the chance min(1, e^{−Σμ_k(1_k(y) − 1_k(x))}). Where the moves alone keep
ρ_U exactly, as tested ones do, this keeps ρ ∝ e^{−U−Σμ_k 1_k} exactly: the KL projection onto every
{ρ(𝒰_k) ≤ β_k} where μ solves its dual, for sets that overlap too and for any predicate. No particle sees
another one, so the samples are independent given μ.
"""

from collections.abc import Callable, Sequence
from functools import partial, singledispatch
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.filters.alone import alone
from barriers.filters.base import (
    FilterInfo,
    Promise,
    chosen,
    insides,
    insides_kept,
    per_cloud,
    refuse_derivatives,
    taken_back,
    unlimited,
)
from barriers.filters.chains import Both, StepChain
from barriers.filters.later_uniforms import Uniforms, drawn, numbers_at
from barriers.sets.base import UnsafeSet

LARGEST = 1e300
"""What stands for an infinite multiplier: one set with it may be left for another, none may be entered."""


class TiltMemory(NamedTuple):
    """Membership of each particle in each set."""

    inside: Bool[Tensor, "*r n m"]


class Tilt:
    """Metropolis' test of the hard indicators, one multiplier in nats per set.

    multipliers: None until a pilot run has learned them (see `learned`); such a filter cannot be applied.
    """

    hook: Literal["step"] = "step"
    couples = False
    batched = True
    draws_later = True
    promise = Promise(
        "in equilibrium",
        "G.5: particles are independent, and with the multipliers of the dual the distribution that the "
        "moves settle in is the KL projection, for overlapping sets too; with moves that are not tested, up "
        "to their own bias",
    )

    def __init__(self, sets: Sequence[UnsafeSet], multipliers: Sequence[float] | None):
        self.sets, self.limits = tuple(sets), unlimited(len(sets))
        if multipliers is not None and len(multipliers) != len(self.sets):
            raise ValueError(
                f"tilt: multipliers must be auto or one number per constraint, {len(self.sets)} here; got "
                f"{len(multipliers)}"
            )
        if multipliers is not None and not all(μ >= 0 for μ in multipliers):
            raise ValueError(f"tilt: multipliers must be >= 0; got {[float(μ) for μ in multipliers]}")
        self.multipliers = None if multipliers is None else tuple(float(μ) for μ in multipliers)

    def init(self, x: Float[Tensor, "*r n d"]) -> TiltMemory:
        return TiltMemory(insides(self.sets, x))

    @alone
    def apply(
        self,
        x: Float[Tensor, "*r n d"],
        proposal: Float[Tensor, "*r n d"],
        step_size: float,
        uniforms: Uniforms,
        memory: TiltMemory,
    ) -> tuple[Float[Tensor, "*r n d"], TiltMemory, FilterInfo]:
        refuse_derivatives("tilt", x, proposal)
        if self.multipliers is None:
            raise ValueError("tilt: the multipliers are not learned yet; give them as numbers")
        nats = np.array(self.multipliers)
        if x.dim() == 2 and x.device.type == "cpu":
            was_inside, asked = memory.inside.numpy(force=True), partial(numbers_at, uniforms)
            y, inside = self._of_one(x, proposal, nats, asked, was_inside)
            numbers = torch.from_numpy(np.array([nats, np.zeros_like(nats)])).unbind()
            return y, TiltMemory(inside), FilterInfo(self.limits, *numbers)
        μ = torch.from_numpy(nats).to(x.device)
        info = FilterInfo(
            *(per_cloud(each.to(x.device), x) for each in (self.limits, μ, torch.zeros_like(μ)))
        )
        if x.device.type == "cpu" and x.numel():
            y, inside = self._of_each(x, proposal, nats, uniforms, memory.inside)
            return y, TiltMemory(inside), info
        was, would = memory.inside, insides(self.sets, proposal)
        rise = ((would.double() - was.double()) * μ.clamp(max=LARGEST)).sum(-1)
        accepted = rise <= 0
        tested = ~accepted
        if bool(tested.any()):
            accepted[tested] = drawn(uniforms, tested).double() < (-rise[tested]).exp()
        inside = torch.where(accepted[..., None], would, was)
        return chosen(accepted, proposal, x), TiltMemory(inside), info

    def _of_one(
        self,
        x: Float[Tensor, "n d"],
        y: Float[Tensor, "n d"],
        μ: Float[np.ndarray, "m"],
        numbers: Callable[[np.ndarray], np.ndarray],
        was: Bool[np.ndarray, "n m"],
    ) -> tuple[Float[Tensor, "n d"], Bool[Tensor, "n m"]]:
        """The step of a single cloud in this memory, and who is inside then: most moves change nothing.
        numbers: the uniform numbers of the particles at these places.
        """
        inside = insides_kept(self.sets, y)
        would = inside.numpy(force=True)
        rows, rise = _rising(μ, was, would)
        if not len(rows):
            return y, inside
        return taken_back(rows[~(numbers(rows) < np.exp(-rise))], x, y, was, would)

    def _of_each(
        self,
        x: Float[Tensor, "r n d"],
        y: Float[Tensor, "r n d"],
        μ: Float[np.ndarray, "m"],
        uniforms: Uniforms,
        was: Bool[Tensor, "r n m"],
    ) -> tuple[Float[Tensor, "r n d"], Bool[Tensor, "r n m"]]:
        """The same of clouds side by side."""

        def numbers(places: np.ndarray) -> np.ndarray:
            tested = np.zeros(x.shape[:-1], dtype=bool)
            tested.reshape(-1)[places] = True
            return drawn(uniforms, torch.from_numpy(tested)).double().numpy(force=True)

        here, rows = (part.reshape(-1, x.shape[-1]) for part in (x, y))
        before = was.reshape(len(rows), -1).numpy(force=True)
        rows, inside = self._of_one(here, rows, μ, numbers, before)
        return rows.view(x.shape), inside.view(was.shape)


def _rising(
    μ: Float[np.ndarray, "m"], was: Bool[np.ndarray, "n m"], would: Bool[np.ndarray, "n m"]
) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "#k"]]:
    """The particles whose moves cost multipliers, and how much."""
    nats = np.minimum(μ, LARGEST)
    if len(nats) == 1:
        return np.flatnonzero(np.greater(would, was)) if nats[0] > 0 else np.arange(0), nats
    rows = np.flatnonzero(np.not_equal(would, was).any(1))
    rise = ((would[rows].astype(np.float64) - was[rows]) * nats).sum(1)
    return rows[rise > 0], rise[rise > 0]


@singledispatch
def needs_pilot(chosen: Any) -> bool:
    """Whether a filter, or a member of a chain, still has to learn its multipliers."""
    return False


@needs_pilot.register
def _tilt_needs_pilot(chosen: Tilt) -> bool:
    return chosen.multipliers is None


@needs_pilot.register
def _chain_needs_pilot(chosen: StepChain) -> bool:
    return any(needs_pilot(f) for f in chosen.filters)


@needs_pilot.register
def _both_needs_pilot(chosen: Both) -> bool:
    return needs_pilot(chosen.step)


@singledispatch
def learned(chosen: Any, multipliers: Sequence[float]) -> Any:
    """The filter with these multipliers where it still had to learn them, in nats, one per constraint."""
    return chosen


@learned.register
def _learned_tilt(chosen: Tilt, multipliers: Sequence[float]) -> Tilt:
    return Tilt(chosen.sets, multipliers) if chosen.multipliers is None else chosen


@learned.register
def _learned_chain(chosen: StepChain, multipliers: Sequence[float]) -> StepChain:
    return StepChain([learned(f, multipliers) for f in chosen.filters], chosen.whole)


@learned.register
def _learned_both(chosen: Both, multipliers: Sequence[float]) -> Both:
    return Both(chosen.drift, learned(chosen.step, multipliers))
