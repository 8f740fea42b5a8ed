"""Models that `torch.export` saved, read as data: nothing in the file is executed or unpickled."""

from lem_safe.checkpoints.exported.exported import Exported

__all__ = ["Exported"]
