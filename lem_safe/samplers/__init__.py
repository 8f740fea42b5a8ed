"""Samplers: one file each; `init` and `step`, nothing else."""

from typing import Any

from lem_safe.samplers.adaptation import Adaptation
from lem_safe.samplers.annealed import Annealed
from lem_safe.samplers.base import Info, Sampler, State
from lem_safe.samplers.flow import Flow
from lem_safe.samplers.langevin import Langevin
from lem_safe.samplers.mala import Mala
from lem_safe.samplers.metric import Contraction, contraction
from lem_safe.samplers.parallel_tempering import ParallelTempering
from lem_safe.samplers.preconditioned import Preconditioned
from lem_safe.samplers.promises import REMAINS, promise_under
from lem_safe.samplers.underdamped import Underdamped

SAMPLERS: dict[str, Any] = {
    "langevin": Langevin,
    "flow": Flow,
    "mala": Mala,
    "underdamped": Underdamped,
    "preconditioned": Preconditioned,
    "annealed": Annealed,
    "parallel_tempering": ParallelTempering,
}

__all__ = [
    "REMAINS",
    "SAMPLERS",
    "Adaptation",
    "Annealed",
    "Contraction",
    "Flow",
    "Info",
    "Langevin",
    "Mala",
    "ParallelTempering",
    "Preconditioned",
    "Sampler",
    "State",
    "Underdamped",
    "contraction",
    "promise_under",
]
