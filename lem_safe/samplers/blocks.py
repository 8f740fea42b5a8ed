"""Functions of particles, computed block by block, as noise is drawn.

A matrix product or an exponential of many rows may round its last ones differently from one of fewer rows. A
part of a cloud is whole blocks of it, so a function that is computed by block has the same bits wherever
its block is. On a device, where small pieces are slow, it is computed at once.
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import recorded
from lem_safe.energies.base import Energy
from lem_safe.keys import BLOCK


def by_block(f: Callable[..., Any], *rows: Tensor, cloud: int | None = None) -> Any:
    """f(*rows), a tensor or a tuple of tensors with a row for each particle. cloud: how many of the rows are
    one cloud, where they are several copies of it.
    """
    n = len(rows[0]) if cloud is None else cloud
    if n <= BLOCK or rows[0].device.type != "cpu" or recorded(*rows):
        return f(*rows)
    copies = zip(*(part.split(n) for part in rows), strict=True)
    found = [f(*block) for copy in copies for block in zip(*(p.split(BLOCK) for p in copy), strict=True)]
    if isinstance(found[0], Tensor):
        return torch.cat(found)
    return tuple(torch.cat(parts) for parts in zip(*found, strict=True))


def value_and_gradient(
    energy: Energy, x: Float[Tensor, "n d"], cloud: int | None = None
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
    """U and ∇U at the particles."""
    U, gradient = by_block(energy.value_and_gradient, x, cloud=cloud)
    return U, gradient


def gradient(energy: Energy, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """∇U at the particles."""
    found: Tensor = by_block(energy.gradient_alone, x)
    return found


def times(x: Float[Tensor, "n d"], matrix: Float[Tensor, "d k"]) -> Float[Tensor, "n k"]:
    """x @ matrix."""
    found: Tensor = by_block(lambda rows: rows @ matrix, x)
    return found
