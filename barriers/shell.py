"""A ball as its chance is computed (Q.5), in numpy: a particle is inside where |ρ + σξ| ≤ a reach."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.arrays import torch
from barriers.noise import DENSITY, SQRT2, Noise, beyond, reach_of
from barriers.sets.ball import smoothing

FARTHEST = {4: 9.0}
"""The largest argument of erfc for numbers of so many bytes, 26 of others: what is below the smallest normal
number takes several times as long, and is nothing beside any chance that counts.
"""
WANDER = 0.25
"""How many standard deviations a particle may be moved before its pairs are searched for again."""

Each = float | Float[np.ndarray, "p"]
"""One number, or one for each particle."""


class Shell(NamedTuple):
    """What is added to a squared distance from the centre; 1/√2σ and the reach over √2σ; 1/√(2π)σ: of one
    ball, or of each of several.
    """

    tiny: Each
    scale: Each
    reach: Each
    height: Each

    def chance(
        self, ρ: Float[np.ndarray, "*q p"]
    ) -> tuple[Float[np.ndarray, "*q p"], Float[np.ndarray, "2 *q p"]]:
        """P(|ρ + σξ| ≤ reach), and (ρ ∓ reach)/√2σ."""
        scaled = ρ * self.scale
        if isinstance(self.reach, float):
            z = scaled + _both_ways(self.reach, ρ.ndim, ρ.dtype)
        else:
            z = np.empty((2, *ρ.shape), ρ.dtype)
            np.subtract(scaled, self.reach, out=z[0])
            np.add(scaled, self.reach, out=z[1])
        np.minimum(z, FARTHEST.get(z.itemsize, 26.0), out=z)
        far, near = torch.special.erfc(torch.from_numpy(z)).numpy()
        far -= near
        far *= 0.5
        return far, z

    def slope(self, z: Float[np.ndarray, "2 *q p"]) -> Float[np.ndarray, "*q p"]:
        """The derivative of a chance in ρ."""
        square = z * z
        np.negative(square, out=square)
        φ_far, φ_near = np.exp(square, out=square)
        φ_near -= φ_far
        φ_near *= self.height
        found: np.ndarray = φ_near
        return found


@lru_cache(maxsize=256)
def _both_ways(reach: float, dimensions: int, dtype: np.dtype[Any]) -> Float[np.ndarray, "2 *q"]:
    """∓reach, as added to numbers of so many dimensions."""
    return np.array([-reach, reach], dtype).reshape(2, *[1] * dimensions)


@lru_cache(maxsize=256)
def shell(radius: float, d: int, std: float, dtype: np.dtype[Any]) -> tuple[Shell, float]:
    """Of positions of this dtype; and how far from the centre particles are near."""
    reach, σ = reach_of(radius, d, Noise(std))
    kind = torch.from_numpy(np.empty(0, dtype)).dtype
    scale = 1 / (SQRT2 * σ)
    found = Shell(smoothing(kind, radius), scale, reach * scale, DENSITY / σ)
    return found, radius + (beyond(kind) + WANDER) * σ
