"""Learning an energy from data: whitening, losses, the loop, and trained energies as files."""

from lem_safe.files import default_cache
from lem_safe.training.calibrated import Calibrated
from lem_safe.training.checkpoint import load_energy, save_energy
from lem_safe.training.energy_matching import EnergyMatching
from lem_safe.training.journal import Journal
from lem_safe.training.loop import fit
from lem_safe.training.losses import LOSSES, Denoising, Implicit, Loss, MultiScale, Sliced
from lem_safe.training.settings import TrainingSettings
from lem_safe.training.trained import Trained
from lem_safe.training.whitening import whiten

__all__ = [
    "LOSSES",
    "Calibrated",
    "Denoising",
    "EnergyMatching",
    "Implicit",
    "Journal",
    "Loss",
    "MultiScale",
    "Sliced",
    "Trained",
    "TrainingSettings",
    "default_cache",
    "fit",
    "load_energy",
    "save_energy",
    "whiten",
]
