"""Energies read from files: our own, and published networks under their weights' original names."""

from lem_safe.checkpoints.checkpoint import Checkpoint
from lem_safe.checkpoints.formats import FORMATS, Format
from lem_safe.checkpoints.opened import Opened, opened

__all__ = ["FORMATS", "Checkpoint", "Format", "Opened", "opened"]
