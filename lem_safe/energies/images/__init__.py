"""Energies of images, as flat rows [n, c·h·w] in the order channel, row, column: one to train, and a
published one.
"""

from lem_safe.energies.images.convolutional import Convolutional
from lem_safe.energies.images.layered import LayeredTrunk

__all__ = ["Convolutional", "LayeredTrunk"]
