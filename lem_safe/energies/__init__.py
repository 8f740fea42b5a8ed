"""Energies in nats: analytic families, trained networks, and their compositions and changes of
coordinates.
"""

from barriers.kinds import Entry, Kinds
from lem_safe.energies.adjusted import Shifted, Tempered, Tilted
from lem_safe.energies.banana import Banana
from lem_safe.energies.base import Energy, Tractable
from lem_safe.energies.composed import Combination, Conjunction, Negation, WeightedSum
from lem_safe.energies.disjunction import Disjunction
from lem_safe.energies.double_well import DoubleWell
from lem_safe.energies.funnel import Funnel
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.images import Convolutional
from lem_safe.energies.kernel_base import KernelBase
from lem_safe.energies.mapped import Mapped
from lem_safe.energies.mixture_based import MixtureBase, MixtureBased
from lem_safe.energies.mlp import MLP, NETWORKS, Fourier, Network, Residual
from lem_safe.energies.network import Confined, NetworkEnergy, Trainable
from lem_safe.energies.normaliser import known_log_z
from lem_safe.energies.pulled import Pulled, in_coordinates
from lem_safe.energies.quadratic import Quadratic
from lem_safe.energies.ring import Ring
from lem_safe.energies.student_t import StudentT
from lem_safe.energies.transported import Transported
from lem_safe.energies.unrolled import Unrolled
from lem_safe.energies.untrained import Untrained, columns_of

ENERGIES: Kinds[Entry] = Kinds(
    "energy",
    Entry,
    {
        "gaussian": Gaussian,
        "gaussian_mixture": GaussianMixture,
        "quadratic": Quadratic,
        "banana": Banana,
        "funnel": Funnel,
        "double_well": DoubleWell,
        "ring": Ring,
        "student_t": StudentT,
        "composed": WeightedSum,
        "conjunction": Conjunction,
        "negation": Negation,
        "disjunction": Disjunction,
        "tempered": Tempered,
        "shifted": Shifted,
        "tilted": Tilted,
        "transported": Mapped,
    },
    base=Energy,
    reserved=("trained", "checkpoint", "exported"),
)
"""Every energy a scenario can name by `kind` that needs no training; `trained` belongs to
lem_safe.training.
"""

NETWORKS["mixture_base"] = MixtureBase  # here, as its module needs the table's other members
NETWORKS["kernel_base"] = KernelBase
NETWORKS["convolutional"] = Convolutional

__all__ = [
    "ENERGIES",
    "MLP",
    "NETWORKS",
    "Banana",
    "Combination",
    "Confined",
    "Conjunction",
    "Convolutional",
    "Disjunction",
    "DoubleWell",
    "Energy",
    "Fourier",
    "Funnel",
    "Gaussian",
    "GaussianMixture",
    "Mapped",
    "MixtureBase",
    "MixtureBased",
    "Negation",
    "Network",
    "NetworkEnergy",
    "Pulled",
    "Quadratic",
    "Residual",
    "Ring",
    "Shifted",
    "StudentT",
    "Tempered",
    "Tilted",
    "Tractable",
    "Trainable",
    "Transported",
    "Unrolled",
    "Untrained",
    "WeightedSum",
    "columns_of",
    "in_coordinates",
    "known_log_z",
]
