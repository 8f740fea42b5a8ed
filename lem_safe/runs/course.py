"""The input of a loop around a sampler, and its result."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barriers.arrays import Tensor
from barriers.sets import UnsafeSet
from lem_safe.lyapunov import Monitor, Stop
from lem_safe.runs.promise_check import EveryStep
from lem_safe.samplers import Sampler


@dataclass(frozen=True)
class Course:
    """What is sampled and for how many steps: names and tolerances are for display, `sets` over sampler
    coordinates are counted.

    monitor: records the cloud at regular steps. stop: a rule that may end the run, not before the step
    `not_before`. promised: the filter's promise about every step, checked against the counts; None where it
    makes none. step_size: for the message where a run fails; None where unknown. over: the same sampler for
    so many clouds side by side; None where they run one after the other.
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
    over: Callable[[int], Sampler] | None = None


@dataclass(frozen=True)
class Finished:
    """The final cloud in sampler coordinates, its trace, and the step it was resumed from (0: not resumed).

    moved: the share of the particles that are not where they started, bit for bit.
    """

    x: Tensor
    trace: dict[str, np.ndarray]
    resumed_from_step: int
    moved: float = 1.0
