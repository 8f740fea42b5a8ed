"""Metropolis-adjusted Langevin steps (E.8) under filters. U and ∇U at the particles are carried from one step
to the next, so that a step evaluates only its proposals.

A drift filter makes proposals lean away from a set, and the test compensates it: no drift filter changes the
distribution. One that depends on the whole cloud (the ensemble QP) is evaluated on the cloud of proposals for
the reverse move, where its multiplier differs slightly: then the distribution is ρ_U only approximately.

A filter after the noise may take an accepted move or refuse it, and the distribution is the gate's (G.3). The
mirror image of a move is another move, which was not tested: so particles that a mirroring filter does not
let in stay where they were (`as_a_whole`). U and ∇U are known at both of these places. A filter that puts a
particle anywhere else makes the next step evaluate the cloud again.

In a metric M, M⁻¹ = LLᵀ, all this happens in the coordinates z = L⁻¹(y − x) around each particle (E.25).
"""

from functools import singledispatch
from typing import Any, NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import NotDifferentiable, recorded
from barriers.filters import MirrorStep, StepChain, StepOverClouds
from barriers.filters.base import DriftFilter, FilterInfo
from lem_safe import metropolis
from lem_safe.energies.base import Energy
from lem_safe.errors import BadInput, Fault
from lem_safe.metropolis import Site, taken
from lem_safe.samplers.blocks import times, value_and_gradient
from lem_safe.samplers.heat import stretched


class Evaluated(NamedTuple):
    """U and ∇U at the particles of a state, detached; None where unknown.

    They belong to these particles and this energy: after changing either, begin again with `init`. factor: L
    of the metric that the proposals are made in, M⁻¹ = LLᵀ; None without one.
    """

    energy: Float[Tensor, "n"] | None = None
    gradient: Float[Tensor, "n d"] | None = None
    factor: Float[Tensor, "d d"] | None = None


UNKNOWN = Evaluated()


class Place(NamedTuple):
    """Particles, with U and ∇U there."""

    x: Float[Tensor, "n d"]
    energy: Float[Tensor, "n"]
    gradient: Float[Tensor, "n d"]

    def rows(self, which: slice) -> "Place":
        """The particles with these indices."""
        return Place(self.x[which], self.energy[which], self.gradient[which])


class Move(NamedTuple):
    """The particles before and after the test, the acceptance probabilities, and the drift filter's info."""

    before: Place
    after: Place
    chance: Float[Tensor, "n"]
    drift_memory: Any
    drift_info: FilterInfo | None


def langevin_move(
    energy: Energy,
    x: Float[Tensor, "n d"],
    h: float,
    temperature: Float[Tensor, "n"],
    noise: Float[Tensor, "n d"],
    uniforms: Float[Tensor, "n"],
    *,
    known: Evaluated = UNKNOWN,
    drift_filter: DriftFilter | None = None,
    memory: Any = None,
    filtered: int | None = None,
) -> Move:
    """One Metropolis-adjusted step of every particle, with one gradient where U and ∇U at x are known, else
    two.

    h: step size at temperature 1. temperature: of each particle. noise, uniforms: the random numbers of the
    step.
    known: U and ∇U at x, and the metric. filtered: the number of leading particles that the drift filter is
    given, by default all.
    """
    _refuse_derivatives(x)
    first, L = x.shape[0] if filtered is None else filtered, known.factor
    chosen = drift_filter if L is None else stretched(drift_filter, L)

    def drift(at: Place) -> tuple[Tensor, Any, FilterInfo | None]:
        v = -at.gradient if L is None else times(-at.gradient, L)
        if chosen is None:
            return v, memory, None
        u, after, info = chosen.apply(at.x[:first], v[:first], memory)
        return torch.cat([u, v[first:]]), after, info

    def proposed(z: Tensor) -> tuple[Site, Place]:
        place = evaluated(energy, z if L is None else x + times(z, L.T), cloud=first)
        return Site(z, place.energy, drift(place)[0]), place

    here = evaluated(energy, x, known, first)
    u, drift_memory, drift_info = drift(here)
    origin = x if L is None else torch.zeros_like(x)
    verdict, there = metropolis.langevin_move(
        Site(origin, here.energy, u), proposed, h, temperature, noise, uniforms
    )
    after = taken(verdict.accepted, there, here)
    return Move(here, after, verdict.chance, drift_memory, drift_info)


def _refuse_derivatives(x: Tensor) -> None:
    if recorded(x):
        raise NotDifferentiable(
            "mala, parallel_tempering: accepting or refusing a step is a jump, its derivative is zero or "
            "infinite; use the sampler langevin, "
            "flow or underdamped to differentiate through a run, or sample under torch.no_grad()"
        )


def evaluated(
    energy: Energy, x: Float[Tensor, "n d"], known: Evaluated = UNKNOWN, cloud: int | None = None
) -> Place:
    """The particles x with U and ∇U, evaluated unless known. cloud: how many of them are one cloud, by
    default all.
    """
    if known.energy is not None and known.gradient is not None:
        return Place(x, known.energy, known.gradient)
    must_have_values(energy, "a Metropolis test compares U before and after a move")
    U, gradient = value_and_gradient(energy, x, cloud)
    return Place(x, U.detach(), gradient.detach())


def must_have_values(energy: Energy, why: str) -> None:
    """Refuses an energy of which only the score is known: BadInput, with what needs U."""
    if not energy.has_values:
        raise BadInput(
            Fault(
                f"{why}, and of this energy only the score −∇U is known; give U itself (lem_safe.energy), or "
                "use a sampler without a test: langevin, annealed, underdamped or flow",
                key="sampler.kind",
            )
        )


def carried(before: Place, after: Place, z: Float[Tensor, "n d"]) -> Evaluated:
    """U and ∇U at z, the result of a filter on particles that moved from `before` to `after`: known where
    each particle is at one of these two, else unknown.
    """
    went, stayed = (z == after.x).all(1), (z == before.x).all(1)
    if not bool((went | stayed).all()):
        return UNKNOWN
    known = taken(went, after, before)
    return Evaluated(known.energy, known.gradient)


@singledispatch
def as_a_whole(step_filter: Any) -> Any:
    """The step filter for moves that are taken completely or not at all: accepted ones, and swaps."""
    return step_filter


@as_a_whole.register
def _whole_mirror_step(step_filter: MirrorStep) -> MirrorStep:
    return step_filter.returning()


@as_a_whole.register
def _whole_step_over_clouds(step_filter: StepOverClouds) -> StepOverClouds:
    return step_filter.of(as_a_whole(step_filter.inner))


@as_a_whole.register
def _whole_step_chain(step_filter: StepChain) -> StepChain:
    return StepChain([as_a_whole(f) for f in step_filter.filters], step_filter.whole)
