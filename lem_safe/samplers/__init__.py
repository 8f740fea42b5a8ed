"""Samplers: one file each; `init` and `step`, nothing else."""

from typing import Any

from lem_safe.samplers.base import Info, Sampler, State
from lem_safe.samplers.langevin import Langevin

SAMPLERS: dict[str, Any] = {"langevin": Langevin}

__all__ = ["SAMPLERS", "Info", "Langevin", "Sampler", "State"]
