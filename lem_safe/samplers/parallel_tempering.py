"""Parallel tempering: every particle has hotter copies, which cross barriers between modes and hand what they
find down to it (E.12).

Copy a follows e^{−U/T_a} by a tested Langevin step with step size hT_a, which is as often accepted at every
temperature of a quadratic. After that neighbours in temperature swap places with chance min(1, e^{(1/T_a −
1/T_b)(U_a − U_b)}), even pairs and odd pairs in turn. Moves and swaps each keep the product of the laws, so
the cloud at T = 1, the one that is returned, has ρ_U exactly.

A step filter corrects the cloud at T = 1 only, once after the moves and once after the swaps. A swap that it
refuses is undone on both sides, so the gate's argument (G.2) holds of either kernel with the same chance of
entering, and its equilibrium stays the KL projection.
"""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, NamedTuple

import torch
from annotated_types import Gt, MinLen
from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import Doc

from lem_safe.keys import Key
from lem_safe.samplers.adaptation import before_warm_up, tuned_step
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.hooks import begin, filtered_step, root_mean_square
from lem_safe.samplers.metropolis import langevin_move, whole
from lem_safe.samplers.parameters import Adapt, DriftHook, EnergyOf, StepHook


class Ladder(NamedTuple):
    """The hotter copies of every particle, coolest first, and how many steps were taken: even pairs swap
    after even ones.
    """

    hotter: Float[Tensor, "r n d"]
    step: Int[Tensor, ""]


class ParallelTempering:
    """Copies at several temperatures that swap: modes far apart get their right share. Twice as many
    gradients as copies, a step.
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "parallel_tempering",
        "samples": 2000,
        "steps": 1000,
        "step_size": 0.1,
        "temperatures": [2.0, 4.0, 8.0],
        "adapt": {"steps": 500, "target": 0.574},
    }

    def __init__(
        self,
        energy: EnergyOf,
        step_size: Annotated[
            float,
            Gt(0),
            Doc("Step size h at temperature 1; hT at temperature T. With `adapt`, the first guess."),
        ],
        temperatures: Annotated[
            list[Annotated[float, Gt(1)]],
            MinLen(1),
            Doc(
                "The temperatures of the hotter copies, in increasing order; the cloud that is "
                "saved is at temperature 1."
            ),
        ],
        adapt: Adapt = None,
        drift_filter: DriftHook = None,
        step_filter: StepHook = None,
    ):
        if not step_size > 0:
            raise ValueError(f"ParallelTempering: step_size must be > 0; got {step_size:g}")
        T = [1.0, *(float(t) for t in temperatures)]
        if len(T) < 2 or any(not a < b < math.inf for a, b in zip(T, T[1:], strict=False)):
            raise ValueError(
                f"ParallelTempering: temperatures must rise from above 1; got {list(temperatures)}"
            )
        self.energy, self.step_size, self.drift_filter, self.step_filter = (
            energy,
            float(step_size),
            drift_filter,
            whole(step_filter),
        )
        self.temperatures, self.adapt = tuple(T), adapt

    def init(self, x: Float[Tensor, "n d"]) -> State:
        ladder = Ladder(
            x.expand(len(self.temperatures) - 1, *x.shape).clone(), torch.zeros((), dtype=torch.int64)
        )
        state = begin(x, self.drift_filter, self.step_filter, ladder)
        return state if self.adapt is None else before_warm_up(state, self.step_size)

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        if self.adapt is None:
            return self._step(key, state, self.step_size)
        return tuned_step(self._step, self.adapt, self.step_size, key, state)

    def _step(self, key: Key, state: State, h: float) -> tuple[State, Info]:
        old = torch.cat([state.x[None], state.own.hotter])
        copies, n, _ = old.shape
        T = torch.tensor(self.temperatures, dtype=old.dtype, device=old.device).repeat_interleave(n)
        noise = torch.cat([_stream(key, "noise", a).normal(state.x) for a in range(copies)])
        uniforms = torch.cat([_stream(key, "accept", a).uniform(state.x[:, 0]) for a in range(copies)])
        moved = langevin_move(
            self.energy,
            old.flatten(0, 1),
            h,
            T,
            noise,
            uniforms,
            self.drift_filter,
            state.drift_memory,
            filtered=n,
        )
        x, U = moved.x.view_as(old), moved.energy.view(copies, n)
        cold, memory, step_info = filtered_step(self.step_filter, key, state.x, x[0], h, state.step_memory)
        if not torch.equal(cold, x[0]):
            x, U = torch.cat([cold[None], x[1:]]), torch.cat([self.energy(cold).detach()[None], U[1:]])

        pairs = range(int(state.own.step) % 2, copies - 1, 2)
        y, chances = swapped(x, U, self.temperatures, pairs, key)
        if self.step_filter is not None and 0 in pairs:
            tried = y[0]
            cold, memory, again = filtered_step(self.step_filter, key.fold("swap"), x[0], tried, h, memory)
            refused = ((cold == x[0]).all(1) & (tried != x[0]).any(1))[:, None]
            y = torch.cat([cold[None], torch.where(refused, x[1], y[1])[None], y[2:]])
            assert step_info is not None and again is not None, "there is a step filter"
            shortfall = torch.maximum(step_info.shortfall, again.shortfall)
            step_info = again._replace(multipliers=step_info.multipliers, shortfall=shortfall)

        info = Info(
            moved.energy_before[:n].mean(),
            moved.drift_info,
            step_info,
            root_mean_square(moved.gradient[:n]),
            accepted=moved.chance[:n],
            swapped=chances,
        )
        return State(y[0], moved.drift_memory, memory, Ladder(y[1:], state.own.step + 1)), info


def swapped(
    x: Float[Tensor, "c n d"],
    U: Float[Tensor, "c n"],
    temperatures: Sequence[float],
    pairs: Sequence[int],
    key: Key,
) -> tuple[Float[Tensor, "c n d"], Float[Tensor, "r"]]:
    """The copies after the pairs (a, a + 1) were offered a swap, and the mean chance of each pair, NaN where
    none was offered.
    """
    y, chances = x.clone(), torch.full((len(temperatures) - 1,), torch.nan, dtype=torch.float64)
    for a in pairs:
        log_a = swap_log_ratio(U[a], U[a + 1], temperatures[a], temperatures[a + 1])
        swap = (key.fold("swap", a).uniform(U[a]).log() < log_a)[:, None]
        y[a], y[a + 1] = torch.where(swap, x[a + 1], x[a]), torch.where(swap, x[a], x[a + 1])
        chances[a] = log_a.clamp(max=0).exp().nan_to_num(0.0).double().mean()
    return y, chances


def swap_log_ratio(
    U_a: Float[Tensor, "n"], U_b: Float[Tensor, "n"], T_a: float, T_b: float
) -> Float[Tensor, "n"]:
    """log of e^{−U_b/T_a − U_a/T_b} / e^{−U_a/T_a − U_b/T_b}."""
    return (1 / T_a - 1 / T_b) * (U_a - U_b)


def _stream(key: Key, name: str, a: int) -> Key:
    """The coldest copy draws the noise that any other sampler would draw for it."""
    return key.fold(name) if a == 0 else key.fold(name, a)
