"""The coordinates that an energy is sampled in, and regions over them."""

from barriers.arrays import torch
from barriers.coordinates import Coordinates, identity
from barriers.sets import UnsafeSet, pull
from barriers.subspace import Subspace
from lem_safe.energies.base import Energy
from lem_safe.energies.transported import Transported
from lem_safe.errors import BadInput, Fault


def sampler_coordinates(energy: Energy, dtype: torch.dtype) -> Coordinates:
    """The coordinates of the first learned part of an energy; data units where nothing is learned."""
    for part in energy.modules():
        if isinstance(part, Transported):
            own = part.coordinates
            if isinstance(own, Subspace):
                return own.saved_as(dtype)
            if not own.affine:
                return own
            return (
                identity(energy.dimension, dtype)
                if own.identity
                else Coordinates(own.offset, own.matrix, dtype)
            )
    return identity(energy.dimension, dtype)


def over_coordinates(name: str, region: UnsafeSet, coordinates: Coordinates) -> UnsafeSet:
    """A region over sampler coordinates; BadInput where its size there overflows or underflows."""
    try:
        return pull(region, coordinates)
    except ValueError as error:
        raise BadInput(
            Fault(f"does not fit the scale of the energy: {error}", key=f"unsafe.{name}")
        ) from error
