"""Moves for rows of a table: each particle takes either a fresh draw of the energy's base or a Langevin step
in its numbers, both with a Metropolis test (E.24).

A fresh draw y from e^{−U₀} is accepted with probability min(1, e^{g(x) − g(y)}), g = U − U₀: it changes
categories, missing cells and modes at once. Which of the two moves is made does not depend on the particle,
so the kernel is reversible for e^{−U}, as filters that act on moves need it (G.3, G.5).
"""

from functools import partial
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import NotDifferentiable
from lem_safe.energies.mixture_on_subspace import base_of
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_given import GivenRows
from lem_safe.keys import Key
from lem_safe.metropolis import log_ratio, taken, tested
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.blocks import by_block
from lem_safe.samplers.hooks import begin, filtered_drift, filtered_step, observed, root_mean_square
from lem_safe.samplers.metropolis import UNKNOWN, Place, as_a_whole, carried, evaluated
from lem_safe.samplers.parameters import DriftHook, EnergyOf, StepHook


class Mixed:
    """Fresh draws from the mixture that an energy is based on, and Langevin steps in its numbers, both
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
        self.energy, self.step_size = energy, float(step_size)
        self.drift_filter, self.step_filter = drift_filter, as_a_whole(step_filter)
        self.base = base_of(energy)
        self.fresh = fresh if self.base is not None else 0.0

    def init(self, x: Float[Tensor, "n D"]) -> State:
        return begin(x, self.drift_filter, self.step_filter, UNKNOWN)

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        x, h = state.x, self.step_size
        if torch.is_grad_enabled() and x.requires_grad:
            raise NotDifferentiable(
                "mixed: accepting or refusing a move is a jump, its derivative is zero or infinite; use the "
                "sampler langevin, flow or underdamped to differentiate through a run, or sample under "
                "torch.no_grad()"
            )
        here = evaluated(self.energy, x, state.own)
        u, memory, drift_info = filtered_drift(self.drift_filter, x, -here.gradient, state.drift_memory)
        fresh = key.fold("which").uniform(x[:, 0]) < self.fresh
        y = torch.where(fresh[:, None], self._drawn(key, x), self._moved(key, x, u, h))
        there = evaluated(self.energy, y)
        back = filtered_drift(self.drift_filter, y, -there.gradient, state.drift_memory)[0]
        moved = log_ratio(here.energy, there.energy, x, y, u, back, h, torch.ones_like(here.energy))
        log_a = torch.where(fresh, self._excess(here) - self._excess(there), moved)
        log_a = torch.where(there.energy.isfinite(), log_a, -torch.inf)
        verdict = tested(log_a, key.fold("accept").uniform(x[:, 0]))
        after = taken(verdict.accepted, there, here)
        z, step_memory, step_info = filtered_step(self.step_filter, key, x, after.x, h, state.step_memory)
        info = Info(
            here.energy.mean,
            drift_info,
            step_info,
            partial(root_mean_square, here.gradient),
            accepted=verdict.chance,
            surrogate=observed(self.drift_filter, z, drift_info, step_info),
        )
        return State(z, memory, step_memory, carried(here, after, z)), info

    def _drawn(self, key: Key, x: Tensor) -> Tensor:
        """Fresh draws of the base."""
        if self.base is None:
            return x
        d = self.base.numbers
        ξ = key.fold("fresh numbers").normal(x[:, :d])
        v = key.fold("fresh codes").uniform(x[:, d:])
        drawn: Tensor = by_block(self.base.draws, key.fold("fresh component").uniform(x[:, 0]), ξ, v)
        return drawn

    def _moved(self, key: Key, x: Tensor, u: Tensor, h: float) -> Tensor:
        """Langevin proposals, which leave codes as they are."""
        noise = key.fold("noise").normal(x)
        if self.base is not None:
            noise[:, self.base.numbers :] = 0
        return x + h * u + (2 * h) ** 0.5 * noise

    def _excess(self, at: Place) -> Tensor:
        """g = U − U₀, by which fresh draws are tested."""
        if self.base is None:
            return torch.zeros_like(at.energy)
        with torch.no_grad():
            if isinstance(self.energy, RowEnergy):
                return by_block(self.energy.correction, at.x)
            if isinstance(self.energy, GivenRows):
                return by_block(self.energy.excess, at.x)
        return at.energy - by_block(self.base, at.x)
