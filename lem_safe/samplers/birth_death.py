"""Birth and death between the particles of a cloud, so that mass goes where no path of small steps leads
(E.13).

Every few steps of Metropolis-adjusted Langevin dynamics, half of the particles, drawn at random, may die and
be born again near the others: a particle at x is offered a place y ~ q, where q is a kernel density through
the particles that do not move, and takes it with probability

    min(1, e^{U(x) − U(y)} q(x)/q(y)).

q does not depend on the half that moves. Hence the product of ρ_U over all particles is kept exactly, for
every number of particles and every kernel: no limit of many particles or of a small bandwidth is needed.

A step filter acts twice, after the Langevin step and after the births, as after the swaps of parallel
tempering: a birth inside a set is a move that enters it.
"""

from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Ge, Gt
from jaxtyping import Float, Int
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy
from lem_safe.keys import Key
from lem_safe.metropolis import taken, tested
from lem_safe.samplers.adaptation import before_warm_up, tuned_step
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.hooks import begin, filtered_step, observed
from lem_safe.samplers.kernel_mixture import KernelMixture
from lem_safe.samplers.mala import Mala
from lem_safe.samplers.metropolis import UNKNOWN, Evaluated, Place, as_a_whole, carried, evaluated
from lem_safe.samplers.parameters import Adapt, DriftHook, EnergyOf, StepHook

FEWEST = 4
"""The fewest particles of which half can be a density for the other half."""


class Clock(NamedTuple):
    """The number of steps taken, with U and ∇U at the particles."""

    step: Int[Tensor, ""]
    known: Evaluated = UNKNOWN


class BirthDeath:
    """Metropolis-adjusted Langevin steps, and births of some particles near others, which carry mass between
    modes that no small step connects. One gradient per step, and half of one more per round of births.
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "birth_death",
        "samples": 2000,
        "steps": 1000,
        "step_size": 0.1,
        "every": 10,
        "adapt": {"steps": 500, "target": 0.574},
    }

    def __init__(
        self,
        energy: EnergyOf,
        step_size: Annotated[
            float, Gt(0), Doc("Step size h, in sampler coordinates; with `adapt`, the first guess.")
        ],
        every: Annotated[int, Ge(1), Doc("Births are tried after every so many steps.")] = 10,
        centres: Annotated[
            int,
            Ge(2),
            Doc("The largest number of particles, drawn anew each time, that others are born near."),
        ] = 256,
        adapt: Adapt = None,
        drift_filter: DriftHook = None,
        step_filter: StepHook = None,
    ):
        if not step_size > 0:
            raise ValueError(f"BirthDeath: step_size must be > 0; got {step_size:g}")
        if every < 1:
            raise ValueError(f"BirthDeath: every must be >= 1; got {every}")
        if centres < 2:
            raise ValueError(f"BirthDeath: centres must be >= 2, or no kernel has a width; got {centres}")
        self.energy, self.step_size, self.drift_filter, self.step_filter = (
            energy,
            float(step_size),
            drift_filter,
            as_a_whole(step_filter),
        )
        self.every, self.centres, self.adapt = every, centres, adapt

    def init(self, x: Float[Tensor, "n d"]) -> State:
        if len(x) < FEWEST:
            raise ValueError(
                f"BirthDeath: needs {FEWEST} particles or more, half of which move; got {len(x)}"
            )
        clock = Clock(torch.zeros((), dtype=torch.int64))
        state = begin(x, self.drift_filter, self.step_filter, clock)
        return state if self.adapt is None else before_warm_up(state, self.step_size)

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        if self.adapt is None:
            return self._step(key, state, self.step_size)
        return tuned_step(self._step, self.adapt, self.step_size, key, state)

    def _step(self, key: Key, state: State, h: float) -> tuple[State, Info]:
        clock: Clock = state.own
        moves = Mala(self.energy, h, None, self.drift_filter, self.step_filter)
        moved, info = moves.step(key, state._replace(own=clock.known))
        k = clock.step + 1
        if int(k) % self.every:
            return moved._replace(own=Clock(k, moved.own)), info
        before = evaluated(self.energy, moved.x, moved.own)
        after, chance = births(self.energy, key.fold("births"), before, self.centres)
        y, memory, again = filtered_step(
            self.step_filter, key.fold("births"), before.x, after.x, h, moved.step_memory
        )
        if again is not None:
            assert info.step is not None, "there is a step filter"
            shortfall = torch.maximum(info.step.shortfall, again.shortfall)
            again = again._replace(multipliers=info.step.multipliers, shortfall=shortfall)
        surrogate = observed(self.drift_filter, y, info.drift, again)
        own = Clock(k, carried(before, after, y))
        info = info.replaced(step=again, surrogate=surrogate, born=chance)
        return State(y, moved.drift_memory, memory, own), info


def births(energy: Energy, key: Key, before: Place, centres: int) -> tuple[Place, Float[Tensor, ""]]:
    """The particles after half of them were offered new places, by the test above, and the mean probability
    of taking one; 0 where the others have no spread, and so no density.
    """
    dying, q = offered(key.fold("order"), before.x, centres)
    if q is None:
        return before, torch.zeros((), dtype=torch.float64)
    here = Place(*(part[dying] for part in before))
    there = evaluated(energy, q.draw(key.fold("births"), before.x)[dying])
    uniforms = key.fold("accept").uniform(before.energy)[dying]
    verdict = tested(log_ratio(q, here, there), uniforms)
    found = taken(verdict.accepted, there, here)
    after = Place(*(rows.index_copy(0, dying, part) for rows, part in zip(before, found, strict=True)))
    return after, verdict.chance.mean()


def offered(key: Key, x: Float[Tensor, "n d"], centres: int) -> tuple[Int[Tensor, "k"], KernelMixture | None]:
    """The particles of one random half, and the density of their new places through at most `centres` of the
    others: it must not depend on the half that moves, or the distribution is not kept.
    """
    order = key.uniform(x[:, 0]).argsort()
    dying, staying = order.split([len(x) // 2, len(x) - len(x) // 2])
    return dying, KernelMixture.through(x[staying[:centres]])


def log_ratio(q: KernelMixture, here: Place, there: Place) -> Float[Tensor, "n"]:
    """log of e^{−U(y)}q(x) / e^{−U(x)}q(y), in float64."""
    U, U_y = here.energy.double(), there.energy.double()
    return U - U_y + q.log_density(here.x) - q.log_density(there.x)
