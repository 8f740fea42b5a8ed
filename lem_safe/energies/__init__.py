"""Energies in nats: analytic families, trained networks, and their compositions and changes of coordinates."""

from lem_safe.energies.adjusted import Shifted, Tempered, Tilted
from lem_safe.energies.banana import Banana
from lem_safe.energies.base import Energy, Tractable
from lem_safe.energies.composed import WeightedSum
from lem_safe.energies.disjunction import Disjunction
from lem_safe.energies.double_well import DoubleWell
from lem_safe.energies.funnel import Funnel
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.mlp import MLP, NETWORKS, Network
from lem_safe.energies.network import NetworkEnergy, Trainable
from lem_safe.energies.pulled import Pulled, in_coordinates
from lem_safe.energies.quadratic import Quadratic
from lem_safe.energies.ring import Ring
from lem_safe.energies.student_t import StudentT
from lem_safe.energies.transported import Transported
from lem_safe.energies.unrolled import Unrolled

ENERGIES: dict[str, type[Energy]] = {
    "gaussian": Gaussian,
    "gaussian_mixture": GaussianMixture,
    "quadratic": Quadratic,
    "banana": Banana,
    "funnel": Funnel,
    "double_well": DoubleWell,
    "ring": Ring,
    "student_t": StudentT,
    "composed": WeightedSum,
    "disjunction": Disjunction,
    "tempered": Tempered,
    "shifted": Shifted,
    "tilted": Tilted,
}
"""Every energy a scenario can name by `kind` that needs no training; `trained` belongs to lem_safe.training."""

__all__ = [
    "ENERGIES", "MLP", "NETWORKS", "Banana", "Disjunction", "DoubleWell", "Energy", "Funnel", "Gaussian", "GaussianMixture",
    "Network", "NetworkEnergy", "Pulled", "Quadratic", "Ring", "Shifted", "StudentT", "Tempered", "Tilted", "Tractable",
    "Trainable", "Transported", "Unrolled", "WeightedSum", "in_coordinates",
]  # fmt: skip
