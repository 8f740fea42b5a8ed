"""Filters: two hooks with two names. `drift` acts before the noise, `step` and `gate` after it; each says what it promises."""

from collections.abc import Callable, Sequence
from typing import Annotated

from annotated_types import Gt
from typing_extensions import Doc

from barriers.filters.base import DriftFilter, FilterInfo, Promise, StepFilter
from barriers.filters.ensemble import EnsembleFilter
from barriers.filters.gate import Gate
from barriers.filters.step import BarrierStep
from barriers.functionals import MassBarrier, smooth_mass
from barriers.qp.dual import OnInfeasible
from barriers.sets.base import UnsafeSet
from barriers.specification import Context
from barriers.surrogates import Hinge, Surrogate, for_drift, for_step

Sets = Annotated[Sequence[UnsafeSet], Context("sets")]
Betas = Annotated[Sequence[float], Context("betas")]
StepSize = Annotated[float, Context("step_size")]
Rate = Annotated[float, Gt(0), Doc("Barrier rate α: how fast the distance to the limit may be used up, per unit of time.")]
Smoothing = Annotated[
    Surrogate | None, Doc("The surrogate of the indicator; chosen from the step size where it is not given (B.2).")
]


def drift_filter(sets: Sets, betas: Betas, step_size: StepSize, rate: Rate = 5.0, smoothing: Smoothing = None,
          on_infeasible: Annotated[OnInfeasible, Doc("What to do when no velocity satisfies every constraint.")] = "relax",
          ) -> EnsembleFilter:  # fmt: skip
    """The smallest change of the drift that keeps the barrier in expectation."""
    φ = _reachable(smoothing or for_drift(step_size), betas, "drift")
    return EnsembleFilter(smooth_mass(sets, [φ] * len(sets), betas), rate, on_infeasible)


def step_filter(sets: Sets, betas: Betas, step_size: StepSize, rate: Rate = 5.0, smoothing: Smoothing = None) -> BarrierStep:
    """The smallest correction of each step that keeps the barrier for the cloud as drawn."""
    φ = _reachable(smoothing or for_step(step_size), betas, "step")
    return BarrierStep(MassBarrier(sets, [φ] * len(sets), betas), rate)


def gate_filter(sets: Sets, betas: Betas) -> Gate:
    """Accepts a move into a set only while its budget has room."""
    return Gate(sets, betas)


def _reachable(φ: Surrogate, betas: Sequence[float], kind: str) -> Surrogate:
    """A surrogate that is positive everywhere has a positive mean: with β = 0 its limit could never be met."""
    if min(betas) <= 0 and not isinstance(φ, Hinge):
        raise ValueError(
            f"{kind}: beta must be > 0 for a surrogate that is positive everywhere; got {min(betas):g}; use the filter `gate`"
        )
    return φ


def no_filter() -> None:
    """No filter: the sampler as it is."""


FILTERS: dict[str, Callable[..., DriftFilter | StepFilter | None]] = {
    "none": no_filter, "drift": drift_filter, "step": step_filter, "gate": gate_filter,
}  # fmt: skip

PROMISES: dict[str, Promise] = {
    "none": Promise("none", "the plain sampler; a penalty lowers ρ(𝒰) and bounds nothing (C.5)"),
    "drift": EnsembleFilter.promise,
    "step": BarrierStep.promise,
    "gate": Gate.promise,
}

__all__ = ["FILTERS", "PROMISES", "BarrierStep", "DriftFilter", "EnsembleFilter", "FilterInfo", "Gate", "Promise", "StepFilter"]
