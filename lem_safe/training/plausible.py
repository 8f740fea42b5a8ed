"""Whether a file's tensors can be those of the network that its metadata describe, told before anything of
that size is made: a few bytes of text may ask for more memory than there is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from barriers.arrays import torch
from lem_safe.energies.mlp import Network

Shapes = Mapping[str, tuple[int, ...]]

COLUMNS = 10_000
"""Of a file's energy, at most: coordinates hold a matrix of as many rows and columns."""
SMALL, FEW = 4096, 4_000_000
"""Settings up to so much, and so many numbers in all, are made whatever the tensors are."""


def names(value: Any) -> tuple[str, ...]:
    """Columns' names as JSON has them; ValueError for anything but a list of different names."""
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError("columns must be a list of names")
    if len(set(value)) < len(value):
        raise ValueError("columns must be different names")
    return tuple(value)


def must_fit(network: Network, columns: int, shapes: Shapes) -> None:
    """Raises ValueError where a network over so many columns cannot have tensors of these shapes, by name and
    without the prefix `inner.`; those of its coordinates, `offset` and `matrix`, are among them.
    """
    if shapes.get("offset") != (columns,):
        raise ValueError(f"it names {columns:,} columns, and its offset has shape {shapes.get('offset')}")
    if columns > COLUMNS:
        raise ValueError(f"it names {columns:,} columns, more than {COLUMNS:,}")
    longest = max(max((n for shape in shapes.values() for n in shape), default=0), len(shapes), SMALL)
    for name, value in settings(network):
        if value > longest:
            raise ValueError(f"{name} is {value:,}, and its tensors have no dimension of that size")
    if network.fitted:
        must_have_room(network, columns, shapes)
        return
    with torch.device("meta"):  # shapes without numbers
        made = network.build(columns, torch.Generator().manual_seed(0)).state_dict()
    for name, tensor in made.items():
        if shapes.get(name) != tuple(tensor.shape):
            raise ValueError(
                f"'{name}' must have shape {tuple(tensor.shape)}; it has {shapes.get(name, 'none')}"
            )


def settings(network: Network) -> Iterator[tuple[str, int]]:
    """Every whole number of a network's settings, by its name, those of lists and of a network within
    included.
    """
    for name, value in vars(network).items():
        if isinstance(value, Network):
            yield from settings(value)
        for number in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
            if isinstance(number, int):
                yield name, number


def must_have_room(network: Network, columns: int, shapes: Shapes) -> None:
    """For a network that is fitted and cannot be made without numbers: it may not be larger than its file."""
    have = sum(math.prod(shape) for shape in shapes.values())
    found = dict(settings(network))
    hidden, depth = found.get("hidden", 1), found.get("depth", 1)
    need = columns * columns + columns * hidden + (depth - 1) * hidden * hidden
    if need > max(have, FEW):
        raise ValueError(f"its settings ask for {need:,} numbers, and its tensors hold {have:,}")
