"""Unadjusted Langevin dynamics: x' = x − h∇U(x) + √(2h) ξ (E.2), with filters before the noise, after it, or
both.

With `Unrolled(energy)` and grad mode on, a run is differentiable end to end, for noise fixed by its keys.
"""

import math
from typing import ClassVar

from jaxtyping import Float

from barriers.arrays import Tensor
from lem_safe.energies.unrolled import refuse_half_a_graph
from lem_safe.keys import Key
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.blocks import gradient
from lem_safe.samplers.hooks import begin, filtered_step, moved_by, observed, told
from lem_safe.samplers.parameters import DriftHook, EnergyOf, StepHook, StepSize


class Langevin:
    """Euler–Maruyama for dx = u dt + √2 dW, with u = −∇U unless a filter changes it. Its stationary
    distribution has a bias of order h.
    """

    particlewise = True
    example: ClassVar[dict[str, object]] = {
        "kind": "langevin",
        "samples": 5000,
        "steps": 8000,
        "step_size": 0.002,
    }

    def __init__(
        self,
        energy: EnergyOf,
        step_size: StepSize,
        drift_filter: DriftHook = None,
        step_filter: StepHook = None,
    ):
        if not step_size > 0:
            raise ValueError(f"Langevin: step_size must be > 0; got {step_size:g}")
        self.energy, self.step_size, self.drift_filter, self.step_filter = (
            energy,
            float(step_size),
            drift_filter,
            step_filter,
        )

    def init(self, x: Float[Tensor, "n d"]) -> State:
        return begin(x, self.drift_filter, self.step_filter)

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        x, h = state.x, self.step_size
        refuse_half_a_graph(self.energy, x)
        g = gradient(self.energy, x)
        hu, drift_memory, drift_info = moved_by(self.drift_filter, x, g, h, state.drift_memory)
        y = hu.add_(x).add_(key.fold("noise").normal(x).mul_(math.sqrt(2 * h)))
        y, step_memory, step_info = filtered_step(self.step_filter, key, x, y, h, state.step_memory)
        after = State(y, drift_memory, step_memory)
        surrogate = observed(self.drift_filter, y, drift_info, step_info)
        return after, told(self.energy, x, g, drift_info, step_info, surrogate)
