"""The coordinates that an energy is sampled in."""

import torch

from barriers.coordinates import Coordinates, identity
from lem_safe.energies.base import Energy
from lem_safe.energies.transported import Transported


def sampler_coordinates(energy: Energy, dtype: torch.dtype) -> Coordinates:
    """The coordinates of the first learned part of an energy; data units where nothing is learned."""
    for part in energy.modules():
        if isinstance(part, Transported):
            own = part.coordinates
            return (
                identity(energy.dimension, dtype)
                if own.identity
                else Coordinates(own.offset, own.matrix, dtype)
            )
    return identity(energy.dimension, dtype)
