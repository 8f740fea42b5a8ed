"""The Metropolis test of a Langevin step: the kernel that keeps e^{−U/T} exactly, whatever the step size
(E.8).

    y = x + hu(x) + √(2hT) ξ,    log a = (U(x) − U(y))/T + (‖y − x − hu(x)‖² − ‖x − y − hu(y)‖²)/(4hT),

and the step is taken with chance min(1, a). The test knows both directions' drifts, so any u(x) proposes
rightly and none changes the law: a drift filter makes proposals lean away from a set, and the test takes the
lean back. One that looks at the whole cloud (the ensemble QP) is asked about the cloud of proposals for the
way back, where its multiplier is a little another one: then the law is ρ_U to that extent only.

A filter after the noise may take a tested move or refuse it, and the law is the gate's (G.3). The mirror
image of one is another move, which
nobody tested: so whoever a mirroring filter does not let in stays where it was (`whole`).
"""

import math
from functools import singledispatch
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.derivatives import NotDifferentiable
from barriers.filters import MirrorStep, StepChain
from barriers.filters.base import DriftFilter, FilterInfo
from lem_safe.energies.base import Energy


class Move(NamedTuple):
    """Where everybody is after the test, their energies there, the chances, and what was seen at the
    start.
    """

    x: Float[Tensor, "n d"]
    energy: Float[Tensor, "n"]
    chance: Float[Tensor, "n"]
    energy_before: Float[Tensor, "n"]
    gradient: Float[Tensor, "n d"]
    drift_memory: Any
    drift_info: FilterInfo | None


def langevin_move(
    energy: Energy,
    x: Float[Tensor, "n d"],
    h: float,
    temperature: Float[Tensor, "n"],
    noise: Float[Tensor, "n d"],
    uniforms: Float[Tensor, "n"],
    drift_filter: DriftFilter | None = None,
    memory: Any = None,
    filtered: int | None = None,
) -> Move:
    """One tested step of every particle, in two gradients; a drift filter sees the first `filtered` of them,
    by default all.
    """
    if torch.is_grad_enabled() and x.requires_grad:
        raise NotDifferentiable(
            "mala, parallel_tempering: accepting or refusing a step is a jump, its derivative is zero or "
            "infinite; use the sampler langevin, "
            "flow or underdamped to differentiate through a run, or sample under torch.no_grad()"
        )
    first = x.shape[0] if filtered is None else filtered

    def drift(at: Tensor, gradient: Tensor) -> tuple[Tensor, Any, FilterInfo | None]:
        if drift_filter is None:
            return -gradient, memory, None
        u, after, info = drift_filter.apply(at[:first], -gradient[:first], memory)
        return torch.cat([u, -gradient[first:]]), after, info

    U, gradient = energy.value_and_gradient(x)
    u, drift_memory, drift_info = drift(x, gradient)
    y = x + h * u + math.sqrt(2 * h) * temperature.sqrt()[:, None] * noise
    U_y, gradient_y = energy.value_and_gradient(y)
    log_a = log_ratio(U, U_y, x, y, u, drift(y, gradient_y)[0], h, temperature)
    accepted = uniforms.log() < log_a  # false where the energy is not a number
    chance = log_a.clamp(max=0).exp().nan_to_num(0.0)
    x_after, U_after = torch.where(accepted[:, None], y, x), torch.where(accepted, U_y, U)
    return Move(x_after, U_after, chance, U, gradient, drift_memory, drift_info)


def log_ratio(
    U: Float[Tensor, "n"],
    U_y: Float[Tensor, "n"],
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "n d"],
    u: Float[Tensor, "n d"],
    u_y: Float[Tensor, "n d"],
    h: float,
    temperature: Float[Tensor, "n"],
) -> Float[Tensor, "n"]:
    """log of ρ(y)q(x|y) / ρ(x)q(y|x)."""
    there, back = (y - x - h * u).square().sum(1), (x - y - h * u_y).square().sum(1)
    return (U - U_y + (there - back) / (4 * h)) / temperature


@singledispatch
def whole(step_filter: Any) -> Any:
    """The step filter for moves that are taken whole or not at all: tested ones, and swaps."""
    return step_filter


@whole.register
def _mirror(step_filter: MirrorStep) -> MirrorStep:
    return step_filter.returning()


@whole.register
def _chain(step_filter: StepChain) -> StepChain:
    return StepChain([whole(f) for f in step_filter.filters])
