"""Moves for rows of a table: each particle takes either a fresh draw of the energy's base or a Langevin step
in its numbers, both with a Metropolis test (E.24).

A fresh draw y from e^{−U₀} is accepted with probability min(1, e^{g(x) − g(y)}), g = U − U₀: it changes
categories, missing cells and modes at once. Which of the two moves is made does not depend on the particle,
so the kernel is reversible for e^{−U}, as filters that act on moves need it (G.3, G.5).
"""

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import Doc

from barriers.derivatives import NotDifferentiable
from lem_safe.energies.base import Energy
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_mixture import RowMixture
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key
from lem_safe.metropolis import log_ratio, taken, tested
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.hooks import begin, filtered_step, root_mean_square
from lem_safe.samplers.metropolis import UNKNOWN, Place, carried, evaluated, whole
from lem_safe.samplers.parameters import DriftHook, EnergyOf, StepHook


class Mixed:
    """Fresh draws from the mixture that a table's energy is based on, and Langevin steps in its numbers, both
    tested: no bias from the step size. Of an energy without such a base, the Langevin steps alone.
    """

    particlewise = True
    example: ClassVar[dict[str, object]] = {"kind": "mixed", "samples": 5000, "steps": 200, "step_size": 0.05}

    def __init__(
        self,
        energy: EnergyOf,
        step_size: Annotated[float, Gt(0), Doc("Step size h of the Langevin steps, in latent coordinates.")],
        fresh: Annotated[
            float, Ge(0), Le(1), Doc("The share of the moves that are fresh draws from the base.")
        ] = 0.5,
        drift_filter: DriftHook = None,
        step_filter: StepHook = None,
    ):
        if not step_size > 0 or not 0 <= fresh <= 1:
            raise ValueError(
                f"Mixed: step_size must be > 0 and fresh within [0, 1]; got {step_size:g} and {fresh:g}"
            )
        if drift_filter is not None:
            raise BadInput(
                Fault(
                    "acts on the drift, and fresh draws have none; use gate, tilt, reject or step",
                    key="filter.kind",
                )
            )
        self.energy, self.step_size, self.step_filter = energy, float(step_size), whole(step_filter)
        self.base = base_of(energy)
        self.fresh = fresh if self.base is not None else 0.0

    def init(self, x: Float[Tensor, "n D"]) -> State:
        return begin(x, None, self.step_filter, UNKNOWN)

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        x, h = state.x, self.step_size
        if torch.is_grad_enabled() and x.requires_grad:
            raise NotDifferentiable(
                "mixed: accepting or refusing a move is a jump, its derivative is zero or infinite; use the "
                "sampler langevin, flow or underdamped to differentiate through a run, or sample under "
                "torch.no_grad()"
            )
        here = evaluated(self.energy, x, state.own)
        fresh = key.fold("which").uniform(x[:, 0]) < self.fresh
        y = torch.where(fresh[:, None], self._drawn(key, x), self._moved(key, here, h))
        there = evaluated(self.energy, y)
        log_a = self._log_ratio(here, there, fresh, h)
        verdict = tested(log_a, key.fold("accept").uniform(x[:, 0]))
        after = taken(verdict.accepted, there, here)
        z, memory, info = filtered_step(self.step_filter, key, x, after.x, h, state.step_memory)
        found = Info(here.energy.mean(), None, info, root_mean_square(here.gradient), accepted=verdict.chance)
        return State(z, None, memory, carried(here, after, z)), found

    def _drawn(self, key: Key, x: Tensor) -> Tensor:
        """Fresh draws of the base."""
        if self.base is None:
            return x
        d = self.base.numbers
        ξ = key.fold("fresh numbers").normal(x[:, :d])
        v = key.fold("fresh codes").uniform(x[:, d:])
        return self.base.draws(key.fold("fresh component").uniform(x[:, 0]), ξ, v)

    def _moved(self, key: Key, here: Place, h: float) -> Tensor:
        """Langevin proposals, which leave codes as they are."""
        noise = key.fold("noise").normal(here.x)
        if self.base is not None:
            noise[:, self.base.numbers :] = 0
        return here.x - h * here.gradient + (2 * h) ** 0.5 * noise

    def _log_ratio(self, here: Place, there: Place, fresh: Bool[Tensor, "n"], h: float) -> Tensor:
        unit = torch.ones_like(here.energy)
        u, u_there = -here.gradient, -there.gradient
        moved = log_ratio(here.energy, there.energy, here.x, there.x, u, u_there, h, unit)
        if self.base is None:
            return moved
        g = here.energy - self.base(here.x), there.energy - self.base(there.x)
        if isinstance(self.energy, RowEnergy):
            g = self.energy.correction(here.x), self.energy.correction(there.x)
        return torch.where(fresh, g[0] - g[1], moved)


def base_of(energy: Energy) -> RowMixture | None:
    """What fresh draws are taken from; None where an energy has no such base."""
    if isinstance(energy, RowEnergy):
        return energy.base
    return energy if isinstance(energy, RowMixture) else None
