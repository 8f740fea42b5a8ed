"""Energies in nats: analytic families, trained networks, and their compositions and changes of coordinates."""

from lem_safe.energies.base import Energy, Tractable
from lem_safe.energies.composed import WeightedSum
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.mlp import MLP, NETWORKS, Network
from lem_safe.energies.network import NetworkEnergy, Trainable
from lem_safe.energies.pulled import Pulled, in_coordinates
from lem_safe.energies.transported import Transported

ENERGIES: dict[str, type[Energy]] = {
    "gaussian": Gaussian,
    "gaussian_mixture": GaussianMixture,
}
"""Every analytic energy a scenario can name by `kind`; `trained` and `checkpoint` belong to lem_safe.training."""

__all__ = [
    "ENERGIES", "MLP", "NETWORKS", "Energy", "Gaussian", "GaussianMixture", "Network", "NetworkEnergy", "Pulled", "Tractable",
    "Trainable", "Transported", "WeightedSum", "in_coordinates",
]  # fmt: skip
