"""The deterministic flow: x' = x − h∇U(x), Euler's step of dx = −∇U dt (E.5). Without noise it does not
sample: it collapses into the modes.

Stopped in time it gives samples all the same; the ratio R_t determines when (paper §3.2).
"""

from typing import ClassVar

from jaxtyping import Float

from barriers.arrays import Tensor
from lem_safe.energies.unrolled import refuse_half_a_graph
from lem_safe.keys import Key
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.blocks import gradient
from lem_safe.samplers.heat import heated
from lem_safe.samplers.hooks import begin, filtered_drift, filtered_step, observed, told
from lem_safe.samplers.parameters import DriftHook, EnergyOf, StepHook, StepSize


class Flow:
    """Gradient descent of every particle, without noise; a drift filter then omits its Itô term."""

    particlewise = True
    example: ClassVar[dict[str, object]] = {"kind": "flow", "samples": 5000, "steps": 200, "step_size": 0.005}

    def __init__(
        self,
        energy: EnergyOf,
        step_size: StepSize,
        drift_filter: DriftHook = None,
        step_filter: StepHook = None,
    ):
        if not step_size > 0:
            raise ValueError(f"Flow: step_size must be > 0; got {step_size:g}")
        self.energy, self.step_size, self.drift_filter, self.step_filter = (
            energy,
            float(step_size),
            heated(drift_filter, 0.0),
            step_filter,
        )

    def init(self, x: Float[Tensor, "n d"]) -> State:
        return begin(x, self.drift_filter, self.step_filter)

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        x, h = state.x, self.step_size
        refuse_half_a_graph(self.energy, x)
        g = gradient(self.energy, x)
        u, drift_memory, drift_info = filtered_drift(self.drift_filter, x, -g, state.drift_memory)
        y, step_memory, step_info = filtered_step(self.step_filter, key, x, x + h * u, h, state.step_memory)
        after = State(y, drift_memory, step_memory)
        surrogate = observed(self.drift_filter, y, drift_info, step_info)
        return after, told(self.energy, x, g, drift_info, step_info, surrogate)
