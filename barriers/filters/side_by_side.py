"""Which particles of clouds side by side, in this memory, enter their sets: the part that filters with a
budget have in common.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor
from barriers.filters.admission import granted_to_each
from barriers.filters.base import insides_kept
from barriers.filters.later_uniforms import Uniforms
from barriers.sets.base import UnsafeSet

Returned = Callable[[np.ndarray, Tensor, Tensor, np.ndarray, np.ndarray], tuple[Tensor, Tensor]]
"""Given the refused rows, all particles before and after the step, and who was and would be inside: where
they are instead, and who is inside.
"""


class Entered(NamedTuple):
    """Where the particles are, who is inside, and how many tried to enter, did, and are inside."""

    y: Float[Tensor, "r n d"]
    inside: Bool[Tensor, "r n m"]
    tried: Int[np.ndarray, "r m"]
    let_in: Int[np.ndarray, "r m"]
    held: Int[np.ndarray, "r m"]


def entered(
    sets: Sequence[UnsafeSet],
    x: Float[Tensor, "r n d"],
    y: Float[Tensor, "r n d"],
    inside_before: Bool[Tensor, "r n m"],
    room: Int[np.ndarray, "m"] | Int[np.ndarray, "r m"],
    uniforms: Uniforms,
    returned: Returned,
) -> Entered:
    """The moves x → y of clouds, as far as their sets have room (G.1)."""
    (r, n, d), m = x.shape, len(sets)
    rows, was = y.reshape(-1, d), inside_before.numpy(force=True)
    inside = insides_kept(sets, rows)
    would = inside.numpy(force=True).reshape(r, n, m)
    enters = np.greater(would, was)
    tried = let_in = enters.sum(1)
    if tried.any():
        refused = ~granted_to_each(inside_before, inside.view(r, n, m), enters, room, uniforms)
        places = np.flatnonzero(refused)
        if len(places):
            let_in = tried - (enters & refused[..., None]).sum(1)
            flat = (part.reshape(-1, m) for part in (was, would))
            rows, inside = returned(places, x.reshape(-1, d), rows, *flat)
    held = inside.numpy(force=True).reshape(r, n, m).sum(1)
    return Entered(rows.view(r, n, d), inside.view(r, n, m), tried, let_in, held)
