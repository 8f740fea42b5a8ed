"""Filters from a scenario's specification: one function per kind, whose annotated parameters
are the schema.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt, MinLen
from typing_extensions import Doc

from barriers.filters.chains import AnyFilter, Both, DriftChain, StepChain, chained
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
from barriers.functionals import Barrier, MassBarrier, PredictedMass, smooth_mass
from barriers.noise import Noise
from barriers.qp import Backend
from barriers.qp.dual import OnInfeasible
from barriers.sets.base import UnsafeSet
from barriers.specification import Context
from barriers.surrogates import Hinge, Surrogate

Sets = Annotated[Sequence[UnsafeSet], Context("sets")]
Betas = Annotated[Sequence[float], Context("betas")]
StepSize = Annotated[float, Context("step_size")]
Rate = Annotated[
    float, Gt(0), Doc("Barrier rate α: how fast the distance to the limit may be used up, per unit of time.")
]
Smoothing = Annotated[
    Surrogate | None,
    Doc(
        "A smooth surrogate of the indicator (B.2). Without it nothing is smoothed: the "
        "filter bounds the mass inside the set directly (Q.4, D.4)."
    ),
]

Speed = Annotated[
    float | None,
    Gt(0),
    Doc(
        "The largest change of any coordinate of a particle's drift; by default a few "
        "standard deviations of the noise per step."
    ),
]
Reach = Annotated[
    float | None,
    Gt(0),
    Doc(
        "The longest correction in one step while the start is over a limit; by default two "
        "standard deviations of the noise."
    ),
]
Weight = Annotated[float, Ge(0), Doc("The weight of each constraint's surrogate in the energy.")]
Limit = Annotated[
    Literal["surrogate", "hard"],
    Doc(
        "With a smoothing, what is kept within its limit: the surrogate (D.3), or the count inside, "
        "for which the surrogate's limit is raised until the budget is used (D.7, D.8). Without a smoothing "
        "it is the count in any case."
    ),
]
DualRate = Annotated[float, Gt(0), Doc("How fast the weight follows the violation, per step.")]


def drift_filter(
    sets: Sets,
    betas: Betas,
    step_size: StepSize,
    rate: Rate = 5.0,
    smoothing: Smoothing = None,
    speed: Speed = None,
    backend: Annotated[
        Backend,
        Doc(
            "The solver for the QP of a filter with a smoothing: the built-in structured "
            "dual, or a library, for comparison."
        ),
    ] = "structured",
    on_infeasible: Annotated[
        OnInfeasible, Doc("What to do when no velocity satisfies every constraint.")
    ] = "relax",
) -> EnsembleFilter | PredictiveFilter:
    """Changes the drift, before the noise, so that the expected fraction inside after the noise is within the
    tolerance.
    """
    if min(betas) <= 0 and not isinstance(smoothing, Hinge):
        raise ValueError(
            "drift: beta (or the aim below it) must be > 0, since noise leaves every particle some chance "
            f"of being inside; got {min(betas):g}; "
            "use the filter `gate` or `step`"
        )
    if smoothing is None:
        if backend != "structured":
            raise ValueError(
                f"drift: backend {backend!r} solves the QP of a filter with a smoothing, and none is "
                "given; add one, for example "
                "smoothing: {kind: sigmoid, width: 0.1}, or remove the key"
            )
        return PredictiveFilter(sets, betas, step_size, rate, on_infeasible, speed=speed)
    fastest = smoothing.width / step_size if speed is None else speed
    barrier = smooth_mass(sets, [smoothing] * len(sets), betas)
    return EnsembleFilter(barrier, rate, on_infeasible, speed=float(fastest), backend=backend)


def step_filter(
    sets: Sets,
    betas: Betas,
    step_size: StepSize,
    rate: Rate = 5.0,
    smoothing: Smoothing = None,
    reach: Reach = None,
    limit: Limit = "surrogate",
) -> BarrierStep | HardLimitStep | MirrorStep:
    """Accepts a move into a set only while its budget has room; mirrors the other moves at the boundary."""
    if smoothing is None:
        return MirrorStep(sets, betas, rate, reach=2 * math.sqrt(2 * step_size) if reach is None else reach)
    if min(betas) <= 0 and not isinstance(smoothing, Hinge):
        raise ValueError(
            "step: beta (or the aim below it) must be > 0 for a surrogate that is positive everywhere; "
            f"got {min(betas):g}; "
            "remove `smoothing`, or use the filter `gate`"
        )
    furthest = 4 * smoothing.width if reach is None else reach
    corrected = HardLimitStep if limit == "hard" else BarrierStep
    return corrected(MassBarrier(sets, [smoothing] * len(sets), betas), rate, reach=float(furthest))


def gate_filter(sets: Sets, betas: Betas) -> Gate:
    """Accepts a move into a set only while its budget has room."""
    return Gate(sets, betas)


def tilt_filter(
    sets: Sets,
    multipliers: Annotated[
        Literal["auto"] | list[Annotated[float, Ge(0)]],
        Doc("auto: a pilot run, with a seed of its own, learns them. Or one number per constraint, in nats."),
    ] = "auto",
    power: Annotated[
        float,
        Gt(0),
        Lt(1),
        Doc(
            "The probability with which a run is to pass, and to be certified where it can be: the budget "
            "it aims at, where `aim` is not given, is as far below beta as that takes."
        ),
    ] = 0.95,
) -> Tilt:
    """Accepts a move into a set with a fixed probability, each particle for itself: samples stay
    independent, so their bound can be certified.
    """
    return Tilt(sets, None if multipliers == "auto" else multipliers)


def pointwise_filter(sets: Sets, rate: Rate = 5.0) -> PointwiseFilter:
    """A barrier for each particle alone, before the noise: a common baseline. Under noise it bounds
    nothing.
    """
    return PointwiseFilter(sets, rate)


def reject_filter(sets: Sets) -> Reject:
    """Refuses every move into a set, whatever its tolerance."""
    return Reject(sets)


def project_filter(sets: Sets) -> Project:
    """Moves every particle that is inside a set to its boundary, whatever its tolerance."""
    return Project(sets)


def penalty_filter(
    sets: Sets, betas: Betas, step_size: StepSize, weight: Weight, smoothing: Smoothing = None
) -> Penalty:
    """A fixed weight on the surrogate: it lowers the fraction inside but bounds nothing."""
    return Penalty(_softened(sets, betas, step_size, smoothing), [weight] * len(sets))


def primal_dual_filter(
    sets: Sets, betas: Betas, step_size: StepSize, dual_rate: DualRate = 1.0, smoothing: Smoothing = None
) -> PrimalDual:
    """A weight on the surrogate that is adapted to the violations (primal-dual Langevin)."""
    return PrimalDual(_softened(sets, betas, step_size, smoothing), dual_rate)


def _softened(
    sets: Sequence[UnsafeSet], betas: Sequence[float], step_size: float, smoothing: Surrogate | None
) -> Barrier:
    """The barrier that a weight acts on: the surrogate, or the probability of being inside after the noise,
    whose limit is β itself (Q.5).
    """
    if smoothing is None:
        return PredictedMass(sets, betas, Noise(math.sqrt(2 * step_size)))
    return smooth_mass(sets, [smoothing] * len(sets), betas)


def chain_filter(
    filters: Annotated[
        list[AnyFilter],
        MinLen(1),
        Doc("The filters in the order in which they act, those before the noise first."),
    ],
) -> DriftChain | StepChain | Both:
    """Several filters, each acting on what the one before it returned; the last one's promise is kept."""
    return chained(filters)


def no_filter() -> None:
    """No filter: the sampler as it is."""
