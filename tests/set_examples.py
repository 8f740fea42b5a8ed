"""The examples of kinds of sets: over which columns they are, and affine coordinates over as many."""

import torch

from barriers.coordinates import Coordinates
from barriers.sets import SETS, UnsafeSet


def columns(kind: str) -> tuple[str, ...]:
    """The columns of the example of a kind; two for what is no kind, such as `any`."""
    made: type[UnsafeSet] = SETS[kind].constructor if kind in SETS else UnsafeSet  # type: ignore[assignment]
    return tuple(f"x{i}" for i in range(made.example_columns))


def shear(d: int) -> Coordinates:
    """A map that turns and stretches pairs of columns, and mixes them where there are more than two."""
    pair = torch.tensor([[1.5, 0.4], [-0.3, 0.6]], dtype=torch.float64)
    matrix = torch.block_diag(*[pair] * (d // 2), *[torch.eye(1, dtype=torch.float64)] * (d % 2))
    if d > 2:
        matrix = matrix + torch.full((d, d), 0.1, dtype=torch.float64).triu(2)
    offset = torch.tensor([0.3, -0.2], dtype=torch.float64).repeat(d)[:d]
    return Coordinates(offset, matrix, torch.float64)
