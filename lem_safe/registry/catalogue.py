"""Every table of kinds, by its name in `make` and `lem-safe list`."""

from barriers.filters import FILTERS, Both, DriftFilter, StepFilter
from barriers.kinds import Entry, Kinds
from barriers.sets import SETS, Field, UnsafeSet
from barriers.surrogates import SURROGATES, Surrogate
from lem_safe.checkpoints import Checkpoint, Exported
from lem_safe.data import DATA, DataSource
from lem_safe.energies import ENERGIES, NETWORKS, Energy, Network
from lem_safe.lyapunov import STOPS
from lem_safe.samplers import SAMPLERS
from lem_safe.scenario import INITS, Table
from lem_safe.training.losses import LOSSES, Loss
from lem_safe.training.trained import Trained

LEARNED: Kinds[Entry] = Kinds(
    "energy", Entry, {"trained": Trained, "checkpoint": Checkpoint, "exported": Exported}
)
"""Energies that are learned; in this module and not with the others, as training needs those."""

TABLES: dict[str, Table] = {
    "sets": Table(SETS),
    "energies": Table(ENERGIES, LEARNED),
    "samplers": Table(SAMPLERS),
    "filters": Table(FILTERS),
    "surrogates": Table(SURROGATES),
    "data": Table(DATA),
    "networks": Table(NETWORKS),
    "losses": Table(LOSSES),
    "inits": Table(INITS),
    "stops": Table(STOPS),
}

NESTED: dict[type, str] = {
    UnsafeSet: "sets",
    Energy: "energies",
    Field: "energies",
    Surrogate: "surrogates",
    DataSource: "data",
    Network: "networks",
    Loss: "losses",
    DriftFilter: "filters",
    StepFilter: "filters",
    Both: "filters",
}
"""A parameter of this type is written as a member of that table."""
