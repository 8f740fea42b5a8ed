"""A filter for a part of a cloud whose other parts are in other processes (`whole`)."""

import copy
from functools import singledispatch
from typing import Any

from barriers.filters.chains import Both, DriftChain, StepChain
from barriers.filters.ensemble import EnsembleFilter
from barriers.filters.gate import Gate
from barriers.filters.hard_limit import HardLimitStep
from barriers.filters.mirror import MirrorStep
from barriers.filters.penalty import Penalty, PrimalDual
from barriers.filters.pointwise import PointwiseFilter
from barriers.filters.predictive import PredictiveFilter
from barriers.filters.project import Project
from barriers.filters.reject import Reject
from barriers.filters.step import BarrierStep
from barriers.filters.tilt import Tilt
from barriers.filters.whole import Whole


class NotSpread(ValueError):
    """A filter needs the whole cloud in one process."""


@singledispatch
def spread(chosen: Any, whole: Whole) -> Any:
    """The same filter for a part of the cloud; NotSpread where it has to see all particles itself."""
    raise NotSpread(
        f"{type(chosen).__name__}: what this filter computes of a whole cloud is not known, so the cloud "
        "cannot be spread over processes"
    )


@spread.register
def _spread_none(chosen: None, whole: Whole) -> None:
    return None


@spread.register(Tilt)
@spread.register(Reject)
def _spread_particlewise(chosen: Tilt | Reject, whole: Whole) -> Any:
    """Each particle is decided by itself: nothing is asked of the others."""
    return chosen


@spread.register(Gate)
@spread.register(MirrorStep)
@spread.register(BarrierStep)
@spread.register(PredictiveFilter)
@spread.register(Penalty)
@spread.register(PrimalDual)
@spread.register(PointwiseFilter)
@spread.register(Project)
def _spread_over_whole(chosen: Any, whole: Whole) -> Any:
    part = copy.copy(chosen)
    part.whole = whole
    return part


@spread.register
def _spread_ensemble(chosen: EnsembleFilter, whole: Whole) -> EnsembleFilter:
    if chosen.backend != "structured":
        raise NotSpread(
            f"drift: backend {chosen.backend} solves for all particles at once, so the cloud cannot be "
            "spread over processes; use backend: structured"
        )
    part: EnsembleFilter = _spread_over_whole(chosen, whole)
    return part


@spread.register
def _spread_hard_limit(chosen: HardLimitStep, whole: Whole) -> HardLimitStep:
    part: HardLimitStep = _spread_over_whole(chosen, whole)
    part.steering = spread(chosen.steering, whole)
    return part


@spread.register
def _spread_drift_chain(chosen: DriftChain, whole: Whole) -> DriftChain:
    return DriftChain([spread(f, whole) for f in chosen.filters])


@spread.register
def _spread_step_chain(chosen: StepChain, whole: Whole) -> StepChain:
    return StepChain([spread(f, whole) for f in chosen.filters], whole)


@spread.register
def _spread_both(chosen: Both, whole: Whole) -> Both:
    return Both(spread(chosen.drift, whole), spread(chosen.step, whole))
