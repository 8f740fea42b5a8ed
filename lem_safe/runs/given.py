"""The parts of a run that are objects, which no file can name; and a device by its name."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lem_safe.energies.base import Energy
from lem_safe.errors import BadInput, Fault


@dataclass(frozen=True)
class Given:
    """What is sampled where it was made in Python.

    energy: over data units. rows: where the particles start, particle i at row i, again from the first where
    there are more of them, in data units; None where the scenario says.
    """

    energy: Energy
    rows: Float[Tensor, "N d"] | None = None


def device_of(name: str) -> torch.device:
    """The device of this name; BadInput where there is none here."""
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise BadInput(
            Fault(f"device '{name}' is not available here (torch sees no CUDA device); use --device cpu")
        )
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise BadInput(Fault(f"device '{name}' is not known; use cpu or cuda")) from error
