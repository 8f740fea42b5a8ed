"""Energies read from files: our own, published networks under their weights' original names, and modules
that torch.export saved.
"""

from lem_safe.checkpoints.checkpoint import Checkpoint
from lem_safe.checkpoints.exported import Exported
from lem_safe.checkpoints.formats import FORMATS, Format
from lem_safe.checkpoints.from_file import FromFile
from lem_safe.checkpoints.opened import Opened, opened

__all__ = ["FORMATS", "Checkpoint", "Exported", "Format", "FromFile", "Opened", "opened"]
