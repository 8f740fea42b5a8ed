"""Filters: two hooks with two names. `drift` acts before the noise, `step` and `gate` after it; each states
its promise.
"""

from collections.abc import Mapping
from typing import Any

from barriers.filters.base import DriftFilter, FilterInfo, Promise, StepFilter
from barriers.filters.chains import AnyFilter, Both, DriftChain, StepChain, chained
from barriers.filters.ensemble import EnsembleFilter
from barriers.filters.entry import FilterEntry
from barriers.filters.gate import Gate
from barriers.filters.hard_limit import HardLimitStep
from barriers.filters.making import (
    chain_filter,
    drift_filter,
    gate_filter,
    no_filter,
    penalty_filter,
    pointwise_filter,
    primal_dual_filter,
    project_filter,
    reject_filter,
    step_filter,
    tilt_filter,
)
from barriers.filters.mirror import MirrorStep
from barriers.filters.over_clouds import DriftOverClouds, StepOverClouds, over_clouds
from barriers.filters.penalty import Penalty, PrimalDual
from barriers.filters.pointwise import PointwiseFilter
from barriers.filters.predictive import PredictiveFilter
from barriers.filters.project import Project
from barriers.filters.reject import Reject
from barriers.filters.spreading import NotSpread, spread
from barriers.filters.step import BarrierStep
from barriers.filters.tilt import Tilt, learned, needs_pilot
from barriers.filters.whole import HERE, Whole
from barriers.kinds import Kinds

FILTERS: Kinds[FilterEntry] = Kinds(
    "filter",
    FilterEntry,
    {
        "none": FilterEntry(
            no_filter,
            example={"kind": "none"},
            hook="none",
            promise=Promise("none", "the plain sampler"),
            by_distance=False,
            couples=False,
            claim="There is no filter: the fraction inside is that of the energy itself.",
        ),
        "drift": FilterEntry(
            drift_filter,
            example={"kind": "drift", "rate": 5.0},
            hook="drift",
            promise=PredictiveFilter.promise,
            couples=True,
            claim=(
                "The drift filter keeps the mass that it expects inside after the noise within the "
                "tolerance (or, if given a smoothing, a smooth surrogate within its limit in the mean, "
                "for many particles and small steps). The noise comes after it and makes the count "
                "fluctuate, so single steps may go over."
            ),
        ),
        "step": FilterEntry(
            step_filter,
            example={"kind": "step", "rate": 5.0},
            hook="step",
            promise=MirrorStep.promise,
            couples=True,
            claim=(
                "The step filter acts after the noise, on the particles actually drawn: started within "
                "its limit, it keeps every step within it, for these particles, with no probability "
                "involved."
            ),
        ),
        "gate": FilterEntry(
            gate_filter,
            example={"kind": "gate"},
            hook="step",
            promise=Gate.promise,
            by_distance=False,
            couples=True,
            claim=(
                "The gate counts: of the moves that enter a region it accepts only as many as the "
                "budget has room for. Started within the budget, no step goes over, for these "
                "particles, with no probability involved."
            ),
        ),
        "tilt": FilterEntry(
            tilt_filter,
            example={"kind": "tilt", "multipliers": "auto"},
            hook="step",
            promise=Tilt.promise,
            by_distance=False,
            couples=False,
            claim=(
                "The tilt accepts a move into a region with a fixed probability, each particle for itself. "
                "It does not count, so the fraction inside fluctuates as that of independent samples does; "
                "for the same reason the samples stay independent, and a confidence bound is computed."
            ),
        ),
        "pointwise": FilterEntry(
            pointwise_filter,
            example={"kind": "pointwise", "rate": 5.0},
            hook="drift",
            promise=PointwiseFilter.promise,
            couples=False,
            claim=(
                "The pointwise filter corrects the drift of each particle alone; under noise that "
                "bounds nothing. It is a baseline."
            ),
        ),
        "reject": FilterEntry(
            reject_filter,
            example={"kind": "reject"},
            hook="step",
            promise=Reject.promise,
            by_distance=False,
            couples=False,
            claim=(
                "Rejection refuses every move into a region, whatever is tolerated: started with none "
                "inside, none ever is. It leaves tolerated mass unused, so it changes the distribution "
                "more than "
                "it must."
            ),
        ),
        "project": FilterEntry(
            project_filter,
            example={"kind": "project"},
            hook="step",
            promise=Project.promise,
            couples=False,
            claim=(
                "Projection sends each particle inside to the region's boundary, which changes the "
                "distribution: "
                "what would have been inside piles up on the edge, where a rounding decides on which "
                "side it counts."
            ),
        ),
        "penalty": FilterEntry(
            penalty_filter,
            example={"kind": "penalty", "weight": 0.5},
            hook="drift",
            promise=Penalty.promise,
            couples=False,
            claim=(
                "A fixed weight on the region's surrogate makes it rarer by an amount that is not "
                "controlled; it "
                "bounds nothing."
            ),
        ),
        "primal_dual": FilterEntry(
            primal_dual_filter,
            example={"kind": "primal_dual", "dual_rate": 1.0},
            hook="drift",
            promise=PrimalDual.promise,
            couples=True,
            claim=(
                "The weight on the surrogate is learned as the run goes and settles where the tolerance "
                "is met in the mean; on the way there, and around it, steps may go over."
            ),
        ),
        "chain": FilterEntry(
            chain_filter,
            example={"kind": "chain", "filters": [{"kind": "penalty", "weight": 2.0}, {"kind": "gate"}]},
            hook="both",
            promise=Promise(
                "that of its last filter",
                "each filter acts on what the one before it returned: the last one's theorem "
                "holds for any drift or proposal, an earlier one's guarantee may be undone "
                "after it",
            ),
            couples=False,
            claim=(
                "Each filter acts on what the one before it returned; what is promised is what the last "
                "one promises."
            ),
            members="filters",
        ),
    },
)
"""Every filter a scenario can name by `kind`."""


def couples(spec: Mapping[str, Any]) -> bool:
    """Whether particles under the filter of this specification are dependent; for a chain, whether those of
    one of its filters are (A.2).
    """
    entry = FILTERS[spec["kind"]]
    return entry.couples or any(map(couples, spec.get(entry.members, ()) if entry.members else ()))


def last_of(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The filter that decides: the last one of a chain, else the filter itself."""
    members = FILTERS[spec["kind"]].members
    return last_of(spec[members][-1]) if members and spec.get(members) else spec


__all__ = [
    "FILTERS",
    "HERE",
    "AnyFilter",
    "BarrierStep",
    "Both",
    "DriftChain",
    "DriftFilter",
    "DriftOverClouds",
    "EnsembleFilter",
    "FilterEntry",
    "FilterInfo",
    "Gate",
    "HardLimitStep",
    "MirrorStep",
    "NotSpread",
    "Penalty",
    "PointwiseFilter",
    "PredictiveFilter",
    "PrimalDual",
    "Project",
    "Promise",
    "Reject",
    "StepChain",
    "StepFilter",
    "StepOverClouds",
    "Tilt",
    "Whole",
    "chained",
    "couples",
    "last_of",
    "learned",
    "needs_pilot",
    "over_clouds",
    "spread",
]
