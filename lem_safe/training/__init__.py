"""Learning an energy from data: whitening, losses, the loop, and trained energies as files."""

from lem_safe.training.checkpoint import load_energy, save_energy
from lem_safe.training.loop import fit
from lem_safe.training.losses import LOSSES, Denoising, Implicit, Loss, Sliced
from lem_safe.training.settings import TrainingSettings
from lem_safe.training.trained import Trained, default_cache
from lem_safe.training.whitening import whiten

__all__ = [
    "LOSSES", "Denoising", "Implicit", "Loss", "Sliced", "Trained", "TrainingSettings", "default_cache", "fit", "load_energy",
    "save_energy", "whiten",
]  # fmt: skip
