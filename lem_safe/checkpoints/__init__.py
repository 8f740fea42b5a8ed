"""Energies read from files: our own, and published networks under the names that their weights have."""

from lem_safe.checkpoints.checkpoint import Checkpoint
from lem_safe.checkpoints.formats import FORMATS, Format
from lem_safe.checkpoints.opened import Opened, opened

__all__ = ["FORMATS", "Checkpoint", "Format", "Opened", "opened"]
