"""Barriers on distributions: B(ρ) ≥ 0 is safe. Each has statistics of one particle and a readout of their
means (B.1).
"""

from barriers.functionals.base import Barrier, StatisticsJet, of_each
from barriers.functionals.mass import MassBarrier, smooth_mass
from barriers.functionals.moment import MomentBarrier
from barriers.functionals.parity import GroupParity
from barriers.functionals.predicted import PredictedMass
from barriers.functionals.tail import TailClearance

BARRIERS: dict[str, type[Barrier]] = {
    "mass": MassBarrier,
    "tail_clearance": TailClearance,
    "moment": MomentBarrier,
    "group_parity": GroupParity,
}

__all__ = [
    "BARRIERS",
    "Barrier",
    "GroupParity",
    "MassBarrier",
    "MomentBarrier",
    "PredictedMass",
    "StatisticsJet",
    "TailClearance",
    "of_each",
    "smooth_mass",
]
