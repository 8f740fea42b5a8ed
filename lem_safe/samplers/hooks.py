"""The two points of a step where a filter acts: on the drift, before the noise; on the positions, after
everything else.

Every sampler filters positions last and returns exactly the result: a promise about every step of the cloud
holds under any sampler for that reason alone.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from barriers.filters.base import DriftFilter, FilterInfo, StepFilter, draws_later
from barriers.filters.chains import AnyFilter
from barriers.filters.later_uniforms import LaterUniforms
from barriers.squares import squared_norm
from lem_safe.cloud_keys import CloudKeys, in_banks
from lem_safe.energies.base import Energy
from lem_safe.keys import Key
from lem_safe.samplers.base import Info, State


@dataclass(frozen=True)
class Hooks:
    """The two points where a filter can act: before the noise, and after it."""

    drift_filter: DriftFilter | None = None
    step_filter: StepFilter | None = None


def hook(chosen: AnyFilter | None) -> Hooks:
    """The hooks with each filter at its own point."""
    if chosen is None:
        return Hooks()
    if chosen.hook == "both":
        return Hooks(chosen.drift, chosen.step)
    return Hooks(drift_filter=chosen) if chosen.hook == "drift" else Hooks(step_filter=chosen)


def begin(
    x: Tensor, drift_filter: DriftFilter | None, step_filter: StepFilter | None, own: Any = None
) -> State:
    """The initial state, with fresh memories."""
    return State(
        x, drift_filter.init(x) if drift_filter else None, step_filter.init(x) if step_filter else None, own
    )


def filtered_drift(
    drift_filter: DriftFilter | None, x: Float[Tensor, "n d"], drift: Float[Tensor, "n d"], memory: Any
) -> tuple[Float[Tensor, "n d"], Any, FilterInfo | None]:
    """The drift to use at x; the given drift without a filter."""
    return drift_filter.apply(x, drift, memory) if drift_filter else (drift, memory, None)


def moved_by(
    drift_filter: DriftFilter | None,
    x: Float[Tensor, "n d"],
    gradient: Float[Tensor, "n d"],
    step_size: float,
    memory: Any,
) -> tuple[Float[Tensor, "n d"], Any, FilterInfo | None]:
    """h times the drift to use at x, a new tensor: of −∇U without a filter."""
    if drift_filter is None:
        return gradient * -step_size, memory, None
    u, memory, info = drift_filter.apply(x, -gradient, memory)
    return step_size * u, memory, info


def filtered_step(
    step_filter: StepFilter | None,
    key: Key,
    x: Float[Tensor, "n d"],
    proposal: Float[Tensor, "n d"],
    step_size: float,
    memory: Any,
) -> tuple[Float[Tensor, "n d"], Any, FilterInfo | None]:
    """The step to take from x; the proposal without a filter."""
    if step_filter is None:
        return proposal, memory, None
    return step_filter.apply(x, proposal, step_size, _uniforms(step_filter, key.fold("filter"), x), memory)


def _uniforms(step_filter: StepFilter, key: Key, x: Float[Tensor, "n d"]) -> Any:
    """One number per particle; of one cloud or large ones, drawn when their filter needs them, where it says
    that it waits.
    """
    if not draws_later(step_filter):
        return key.uniform(x[:, 0])
    if not isinstance(key, CloudKeys):
        return LaterUniforms.of_one(lambda: key.uniform(x[:, 0]))
    n = len(x) // key.clouds
    if in_banks(n):
        return key.uniform(x[:, 0])

    def draw(which: Int[Tensor, "q"]) -> Float[Tensor, "q n"]:
        return key.of(which).uniform(x.new_empty(len(which) * n)).unflatten(0, (-1, n))

    return LaterUniforms(draw)


def observed(
    drift_filter: DriftFilter | None,
    x: Float[Tensor, "n d"],
    drift: FilterInfo | None,
    step: FilterInfo | None,
) -> Float[Tensor, "m"] | None:
    """E φ of the cloud x after the step, for `Info.surrogate`: known from a step filter; evaluated by a drift
    filter, which acts before the step; None without a filter.
    """
    if step is not None:
        return step.mean
    if drift_filter is None or drift is None:
        return None
    if not torch.is_grad_enabled():
        return drift_filter.surrogate(x, drift)
    with torch.no_grad():
        return drift_filter.surrogate(x.detach(), drift)


def told(
    energy: Energy,
    x: Float[Tensor, "n d"],
    gradient: Float[Tensor, "n d"],
    drift: FilterInfo | None,
    step: FilterInfo | None,
    surrogate: Float[Tensor, "*r m"] | None,
) -> Info:
    """The diagnostics of a step from x that needs the gradient alone."""
    return Info(
        partial(mean_energy, energy, x),
        drift,
        step,
        partial(root_mean_square, gradient),
        surrogate=surrogate,
    )


def mean_energy(energy: Energy, x: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """The mean of U over the cloud."""
    return energy.value_and_gradient(x.detach())[0].mean()


def root_mean_square(gradient: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """√E‖∇U‖² over the cloud."""
    return squared_norm(gradient.detach()).mean().sqrt()
