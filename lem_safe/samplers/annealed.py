"""Langevin dynamics that starts hot: x' = x − h∇U(x) + √(2hT_k) ξ, T_k decreasing geometrically from T₀ to 1,
and 1 from then on (E.6).

At a high temperature it crosses barriers between modes that it would not cross otherwise. Its final
distribution is ρ_U as far as the last part of the run, at temperature 1, has mixed: modes keep the share they
had when crossings ceased. The distribution is not exact before that.
"""

import math
from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Ge, Gt, Le
from jaxtyping import Float, Int
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.specification import Context
from lem_safe.energies.unrolled import refuse_half_a_graph
from lem_safe.keys import Key
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.blocks import gradient
from lem_safe.samplers.heat import heated
from lem_safe.samplers.hooks import begin, filtered_drift, filtered_step, observed, told
from lem_safe.samplers.parameters import DriftHook, EnergyOf, StepHook, StepSize


class Clock(NamedTuple):
    """The number of steps taken."""

    step: Int[Tensor, ""]


class Annealed:
    """Langevin dynamics at a temperature that falls to 1 over the first part of the run."""

    particlewise = True
    example: ClassVar[dict[str, object]] = {
        "kind": "annealed",
        "samples": 5000,
        "steps": 4000,
        "step_size": 0.002,
        "temperature": 10.0,
        "cooling": 0.5,
    }

    def __init__(
        self,
        energy: EnergyOf,
        step_size: StepSize,
        steps: Annotated[int, Context("steps")],
        temperature: Annotated[
            float, Ge(1), Doc("The temperature T₀ of the first step; the energy's own is 1.")
        ] = 10.0,
        cooling: Annotated[
            float, Gt(0), Le(1), Doc("The fraction of the steps over which the temperature falls to 1.")
        ] = 0.5,
        drift_filter: DriftHook = None,
        step_filter: StepHook = None,
    ):
        if not step_size > 0:
            raise ValueError(f"Annealed: step_size must be > 0; got {step_size:g}")
        if not 1 <= temperature < math.inf:
            raise ValueError(f"Annealed: temperature must be >= 1, the energy's own; got {temperature:g}")
        if not 0 < cooling <= 1:
            raise ValueError(f"Annealed: cooling must lie in (0, 1], a part of the steps; got {cooling:g}")
        self.energy, self.step_size, self.drift_filter, self.step_filter = (
            energy,
            float(step_size),
            drift_filter,
            step_filter,
        )
        self.hottest, self.cold_from = float(temperature), math.ceil(cooling * steps)

    def temperature(self, step: int) -> float:
        """T of step 0, 1, ...: T₀^(1 − k/K), and 1 from K = ⌈cooling · steps⌉ on."""
        return float(self.hottest ** (1 - min(step / self.cold_from, 1.0)))

    def init(self, x: Float[Tensor, "n d"]) -> State:
        return begin(x, self.drift_filter, self.step_filter, Clock(torch.zeros((), dtype=torch.int64)))

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        x, h, T = state.x, self.step_size, self.temperature(int(state.own.step))
        refuse_half_a_graph(self.energy, x)
        g = gradient(self.energy, x)
        u, drift_memory, drift_info = filtered_drift(heated(self.drift_filter, T), x, -g, state.drift_memory)
        y = x + h * u + math.sqrt(2 * h * T) * key.fold("noise").normal(x)
        y, step_memory, step_info = filtered_step(self.step_filter, key, x, y, h, state.step_memory)
        after = State(y, drift_memory, step_memory, Clock(state.own.step + 1))
        surrogate = observed(self.drift_filter, y, drift_info, step_info)
        return after, told(self.energy, x, g, drift_info, step_info, surrogate)
