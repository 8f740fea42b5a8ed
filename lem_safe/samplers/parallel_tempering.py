"""Parallel tempering: every particle has hotter copies, which cross barriers between modes and pass their
states down to it (E.12).

Copy a follows e^{−U/T_a} by a Metropolis-adjusted Langevin step with step size hT_a, whose acceptance is the
same at every temperature of a quadratic. Then neighbours in temperature swap places with probability min(1,
e^{(1/T_a − 1/T_b)(U_a − U_b)}), even and odd pairs alternately. Moves and swaps each keep the product of the
distributions, so the cloud at T = 1, the one that is returned, has ρ_U exactly.

A step filter corrects only the cloud at T = 1, once after the moves and once after the swaps. A swap that it
refuses is undone on both sides, so the gate's argument (G.2) holds for either kernel with the same
probability of entering, and its equilibrium remains the KL projection.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Gt, MinLen
from jaxtyping import Float, Int
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.filters.whole import HERE
from lem_safe.energies.base import Energy
from lem_safe.keys import Key
from lem_safe.metropolis import tested
from lem_safe.samplers.adaptation import before_warm_up, tuned_step
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.hooks import begin, filtered_step, observed, root_mean_square
from lem_safe.samplers.metropolis import (
    UNKNOWN,
    Evaluated,
    Move,
    Place,
    as_a_whole,
    carried,
    langevin_move,
)
from lem_safe.samplers.parameters import Adapt, DriftHook, EnergyOf, StepHook, WholeCloud


class Ladder(NamedTuple):
    """The hotter copies of every particle, coldest first, and the number of steps taken: even pairs swap
    after even ones. known: U and ∇U at all copies, coldest first, concatenated.
    """

    hotter: Float[Tensor, "r n d"]
    step: Int[Tensor, ""]
    known: Evaluated = UNKNOWN


class ParallelTempering:
    """Copies at several temperatures that exchange states, so that modes far apart get their correct shares.
    One gradient per copy and step.
    """

    spreads = True
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
        whole: WholeCloud = HERE,
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
            as_a_whole(step_filter),
        )
        self.temperatures, self.adapt, self.whole = tuple(T), adapt, whole

    @property
    def particlewise(self) -> bool:
        """True without a warm-up, in which a cloud chooses its step size."""
        return self.adapt is None

    def init(self, x: Float[Tensor, "n d"]) -> State:
        ladder = Ladder(
            x.expand(len(self.temperatures) - 1, *x.shape).clone(), torch.zeros((), dtype=torch.int64)
        )
        state = begin(x, self.drift_filter, self.step_filter, ladder)
        return state if self.adapt is None else before_warm_up(state, self.step_size)

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        if self.adapt is None:
            return self._step(key, state, self.step_size)
        return tuned_step(self._step, self.adapt, self.step_size, key, state, self.whole)

    def _step(self, key: Key, state: State, h: float) -> tuple[State, Info]:
        moved, n = self._moved(key, state, h), len(state.x)
        before, after = moved.before.rows(slice(n)), moved.after.rows(slice(n))
        copies = Copies.of(moved.after, len(self.temperatures))
        cold, memory, step_info = filtered_step(self.step_filter, key, state.x, after.x, h, state.step_memory)
        if not torch.equal(cold, after.x):
            copies = copies.cooled(cold, carried(before, after, cold), self.energy)

        pairs = range(int(state.own.step) % 2, len(self.temperatures) - 1, 2)
        source, chances = swaps(copies.energy, self.temperatures, pairs, key)
        swapped = copies.reordered(source)
        if self.step_filter is not None and 0 in pairs:
            x, tried = copies.x[0], swapped.x[0]
            cold, memory, again = filtered_step(self.step_filter, key.fold("swap"), x, tried, h, memory)
            refused = (cold == x).all(1) & (tried != x).any(1)
            swapped = copies.reordered(torch.where(refused, unswapped(source), source))
            if not torch.equal(cold, swapped.x[0]):
                swapped = swapped.cooled(cold, UNKNOWN, self.energy)
            assert step_info is not None and again is not None, "there is a step filter"
            shortfall = torch.maximum(step_info.shortfall, again.shortfall)
            step_info = again._replace(multipliers=step_info.multipliers, shortfall=shortfall)

        y, own = swapped.x, Ladder(swapped.x[1:], state.own.step + 1, swapped.known())
        info = Info(
            before.energy.mean,
            moved.drift_info,
            step_info,
            partial(root_mean_square, before.gradient),
            accepted=moved.chance[:n],
            swapped=chances,
            surrogate=observed(self.drift_filter, y[0], moved.drift_info, step_info),
        )
        return State(y[0], moved.drift_memory, memory, own), info

    def _moved(self, key: Key, state: State, h: float) -> Move:
        """A Metropolis-adjusted step of every copy, coldest first; the drift filter acts on the coldest
        alone.
        """
        x, n = torch.cat([state.x[None], state.own.hotter]), len(state.x)
        T = torch.tensor(self.temperatures, dtype=x.dtype, device=x.device).repeat_interleave(n)
        noise = torch.cat([_stream(key, "noise", a).normal(state.x) for a in range(len(x))])
        uniforms = torch.cat([_stream(key, "accept", a).uniform(state.x[:, 0]) for a in range(len(x))])
        return langevin_move(
            self.energy,
            x.flatten(0, 1),
            h,
            T,
            noise,
            uniforms,
            known=state.own.known,
            drift_filter=self.drift_filter,
            memory=state.drift_memory,
            filtered=n,
        )


class Copies(NamedTuple):
    """All copies of every particle, coldest first, with U; ∇U too, unless a filter has moved a particle to a
    place that was not evaluated.
    """

    x: Float[Tensor, "c n d"]
    energy: Float[Tensor, "c n"]
    gradient: Float[Tensor, "c n d"] | None

    @classmethod
    def of(cls, place: Place, copies: int) -> "Copies":
        """The copies, from their concatenation."""
        return cls(*(part.unflatten(0, (copies, -1)) for part in place))

    def cooled(self, cold: Float[Tensor, "n d"], known: Evaluated, energy: Energy) -> "Copies":
        """The same with other coldest copies, with U and ∇U from `known`; otherwise U alone is evaluated."""
        U = energy(cold).detach() if known.energy is None else known.energy
        g = None if known.gradient is None or self.gradient is None else _first(known.gradient, self.gradient)
        return Copies(_first(cold, self.x), _first(U, self.energy), g)

    def reordered(self, source: Int[Tensor, "c n"]) -> "Copies":
        """The copies with copy a of particle i replaced by copy source[a, i]."""
        g = self.gradient
        return Copies(
            torch.take_along_dim(self.x, source[..., None], 0),
            torch.take_along_dim(self.energy, source, 0),
            None if g is None else torch.take_along_dim(g, source[..., None], 0),
        )

    def known(self) -> Evaluated:
        """U and ∇U at all copies, for the next step."""
        if self.gradient is None:
            return UNKNOWN
        return Evaluated(self.energy.flatten(), self.gradient.flatten(0, 1))


def swaps(
    U: Float[Tensor, "c n"], temperatures: Sequence[float], pairs: Sequence[int], key: Key
) -> tuple[Int[Tensor, "c n"], Float[Tensor, "r"]]:
    """The source of each copy after the pairs (a, a + 1) were offered a swap, and the mean swap probability
    of each pair, NaN where none was offered.
    """
    source = unswapped(U)
    chances = torch.full((len(temperatures) - 1,), torch.nan, dtype=torch.float64)
    for a in pairs:
        log_a = swap_log_ratio(U[a], U[a + 1], temperatures[a], temperatures[a + 1])
        swap, chance = tested(log_a, key.fold("swap", a).uniform(U[a]))
        source[a], source[a + 1] = a + swap.long(), a + 1 - swap.long()
        chances[a] = chance.double().mean()
    return source, chances


def unswapped(like: Tensor) -> Int[Tensor, "c n"]:
    """The sources without any swap, for as many copies and particles."""
    return torch.arange(len(like), device=like.device)[:, None].repeat(1, like.shape[1])


def swap_log_ratio(
    U_a: Float[Tensor, "n"], U_b: Float[Tensor, "n"], T_a: float, T_b: float
) -> Float[Tensor, "n"]:
    """log of e^{−U_b/T_a − U_a/T_b} / e^{−U_a/T_a − U_b/T_b}."""
    return (1 / T_a - 1 / T_b) * (U_a - U_b)


def _stream(key: Key, name: str, a: int) -> Key:
    """The key of copy a; the coldest copy's is the one that any other sampler would use."""
    return key.fold(name) if a == 0 else key.fold(name, a)


def _first(row: Tensor, rows: Tensor) -> Tensor:
    """The rows with the first one replaced."""
    return torch.cat([row[None], rows[1:]])
