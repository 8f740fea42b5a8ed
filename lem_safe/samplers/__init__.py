"""Samplers: one file each, with `init` and `step` only."""

from barriers.filters import FILTERS, Promise
from barriers.kinds import Kinds
from lem_safe.samplers import promises
from lem_safe.samplers.adaptation import UNIT, Adaptation, chances, mean_chance
from lem_safe.samplers.annealed import Annealed
from lem_safe.samplers.base import Info, Sampler, State, particlewise, spreads
from lem_safe.samplers.birth_death import FEWEST, BirthDeath
from lem_safe.samplers.entry import SamplerEntry
from lem_safe.samplers.flow import Flow
from lem_safe.samplers.langevin import Langevin
from lem_safe.samplers.mala import Mala
from lem_safe.samplers.metric import Contraction, contraction
from lem_safe.samplers.mixed import Mixed
from lem_safe.samplers.parallel_tempering import ParallelTempering
from lem_safe.samplers.preconditioned import Preconditioned
from lem_safe.samplers.underdamped import Underdamped

SAMPLERS: Kinds[SamplerEntry] = Kinds(
    "sampler",
    SamplerEntry,
    {
        "langevin": SamplerEntry(Langevin, Langevin.example, predicted=True),
        "flow": SamplerEntry(Flow, Flow.example, leaves=promises.FLOW, unit_noise=False),
        "mala": SamplerEntry(Mala, Mala.example, leaves=promises.MALA),
        "underdamped": SamplerEntry(Underdamped, Underdamped.example, leaves=promises.UNDERDAMPED),
        "preconditioned": SamplerEntry(
            Preconditioned, Preconditioned.example, leaves=promises.PRECONDITIONED, unit_noise=False
        ),
        "annealed": SamplerEntry(Annealed, Annealed.example, leaves=promises.ANNEALED),
        "parallel_tempering": SamplerEntry(
            ParallelTempering,
            ParallelTempering.example,
            leaves=promises.PARALLEL_TEMPERING,
            costs="Each particle-step takes one gradient at every temperature.",
        ),
        "mixed": SamplerEntry(Mixed, Mixed.example, leaves=promises.MIXED, unit_noise=False),
        "birth_death": SamplerEntry(
            BirthDeath,
            BirthDeath.example,
            leaves=promises.BIRTH_DEATH,
            couples=True,
            fewest=FEWEST,
            costs="Whenever births are tried, half of the particles take one more gradient, and two "
            "kernels for each of at most sampler.centres others.",
        ),
    },
)
"""Every sampler a scenario can name by `kind`."""


def promise_under(sampler: str, chosen: str) -> Promise:
    """The promise of the filter of kind `chosen` under the sampler of kind `sampler`; none for a drift filter
    under an unknown sampler.
    """
    known = SAMPLERS[sampler] if sampler in SAMPLERS else SamplerEntry(Langevin)
    return known.remains(sampler, chosen, FILTERS[chosen])


__all__ = [
    "SAMPLERS",
    "UNIT",
    "Adaptation",
    "Annealed",
    "BirthDeath",
    "Contraction",
    "Flow",
    "Info",
    "Langevin",
    "Mala",
    "Mixed",
    "ParallelTempering",
    "Preconditioned",
    "Sampler",
    "SamplerEntry",
    "State",
    "Underdamped",
    "chances",
    "contraction",
    "mean_chance",
    "particlewise",
    "promise_under",
    "spreads",
]
