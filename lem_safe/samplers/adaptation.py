"""A step size chosen in a warm-up: dual averaging of log h towards a mean acceptance (E.9), and then
constant.

    e ← (1 − 1/(m + 10)) e + (target − ā)/(m + 10),    log h = log 10h₀ − 20√m e,
        log h̄ ← m^{−¾} log h + (1 − m^{−¾}) log h̄,

with ā the mean acceptance of a pilot cloud (Hoffman & Gelman 2014). The pilot starts where the run starts,
moves under the same filters, and is discarded: only h̄ is kept, so the run's trace is the whole history of
its cloud, with a constant h.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float, Int
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.filters.whole import HERE, Whole
from lem_safe.keys import BLOCK, Key
from lem_safe.samplers.base import Info, State

GAIN, DELAY, FORGETTING = 0.05, 10.0, 0.75
"""γ, t₀ and κ of dual averaging, as published."""


@dataclass(frozen=True)
class Adaptation:
    """How long to search for a step size, and the mean acceptance rate to reach."""

    example: ClassVar[dict[str, object]] = {"steps": 500, "target": 0.574}

    steps: Annotated[
        int, Ge(1), Doc("The number of warm-up steps; they precede the run and are not in its trace.")
    ] = 500
    target: Annotated[
        float, Gt(0), Lt(1), Doc("The mean acceptance rate to aim at; .574 is best for Langevin proposals.")
    ] = 0.574


class Tuned(NamedTuple):
    """The state of a sampler with a warm-up: the pilot (None afterwards), the averages, and the sampler's own
    state.
    """

    pilot: State | None
    taken: Int[Tensor, ""]
    error: Float[Tensor, ""]
    log_step: Float[Tensor, ""]
    log_mean: Float[Tensor, ""]
    inner: Any


UNIT = 2.0**32
"""The sum of the chances of a block of particles is rounded to a multiple of 1/UNIT, so that the order in
which blocks are added makes no difference.
"""

Kernel = Callable[[Key, State, float], tuple[State, Info]]
"""A step at a given step size, whose info has the acceptance probabilities."""


def before_warm_up(state: State, step_size: float) -> State:
    """The initial state with a warm-up, from the one without."""
    zero, log_h = torch.zeros((), dtype=torch.float64), torch.tensor(math.log(step_size), dtype=torch.float64)
    return state._replace(own=Tuned(state, torch.zeros((), dtype=torch.int64), zero, log_h, zero, state.own))


def tuned_step(
    kernel: Kernel, adapt: Adaptation, step_size: float, key: Key, state: State, whole: Whole = HERE
) -> tuple[State, Info]:
    """During the warm-up, a step of the pilot, which does not move the particles of the state; then a step at
    h̄. whole: the cloud that the state is a part of.
    """
    own: Tuned = state.own
    if int(own.taken) >= adapt.steps:
        h = math.exp(float(own.log_mean))
        after, info = kernel(key, state._replace(own=own.inner), h)
        return after._replace(own=own._replace(inner=after.own)), info.replaced(step_size=h)
    h = math.exp(float(own.log_step))
    assert own.pilot is not None, "the pilot is there until the warm-up ends"
    pilot, info = kernel(key.fold("warm-up", int(own.taken)), own.pilot, h)
    assert info.accepted is not None, "only a sampler with a Metropolis test is tuned"
    averaged = average(own, mean_chance(info.accepted, whole), adapt.target, step_size)
    averaged = averaged._replace(pilot=pilot if int(averaged.taken) < adapt.steps else None)
    return state._replace(own=averaged), info.replaced(step_size=h, warming=True)


def mean_chance(accepted: Float[Tensor, "n"], whole: Whole = HERE) -> float:
    """The mean acceptance probability of a cloud, of which these are particles."""
    n = whole.size(accepted[:, None])
    if n <= BLOCK:
        return float(accepted.double().mean())
    (total,) = whole.total(chances(accepted))
    return int(total) / UNIT / n


def chances(accepted: Float[Tensor, "n"]) -> Int[Tensor, ""]:
    """The sum of the acceptance probabilities of blocks of particles, in units of 1/UNIT: those of parts of a
    cloud add up exactly.
    """
    blocks = torch.stack([block.double().sum() for block in accepted.split(BLOCK)])
    return (blocks * UNIT).round().long().sum()


def average(own: Tuned, accepted: float, target: float, step_size: float) -> Tuned:
    """One step of dual averaging, from the initial guess h₀ = `step_size`."""
    m = int(own.taken) + 1
    error = own.error + (target - accepted - own.error) / (m + DELAY)
    log_step = math.log(10 * step_size) - math.sqrt(m) / GAIN * error
    log_mean = own.log_mean + m**-FORGETTING * (log_step - own.log_mean)
    return own._replace(taken=own.taken + 1, error=error, log_step=log_step, log_mean=log_mean)
