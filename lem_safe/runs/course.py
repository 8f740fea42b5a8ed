"""What a loop around a sampler is given, and what it gives back."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from barriers.sets import UnsafeSet
from lem_safe.lyapunov import Monitor, Stop
from lem_safe.runs.promise_check import EveryStep
from lem_safe.samplers import Sampler


@dataclass(frozen=True)
class Course:
    """What is sampled for how long: names and tolerances are for the eye, `sets` over sampler coordinates are
    what is counted.

    monitor: what looks at the cloud now and then. stop: a rule that may end the run, not before the step
    `not_before`. promised: what the filter promises of every step, checked against what is counted; None
    where it promises less. step_size: for the message where a run fails; None where nobody knows it.
    """

    title: str
    sampler: Sampler
    sets: tuple[UnsafeSet, ...]
    names: tuple[str, ...]
    betas: tuple[float, ...]
    steps: int
    monitor: Monitor | None = None
    stop: Stop | None = None
    not_before: int = 0
    promised: EveryStep | None = None
    step_size: float | None = None


@dataclass(frozen=True)
class Finished:
    """The final cloud in sampler coordinates, its trace, and the step it was resumed from (0: not at all).

    moved: the share of the particles that are not where they started, bit for bit.
    """

    x: Tensor
    trace: dict[str, np.ndarray]
    resumed_from_step: int
    moved: float = 1.0
