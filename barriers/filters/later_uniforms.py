"""Uniform numbers that are drawn for a cloud when one of its particles needs one.

A step filter decides most moves without chance; to draw for every cloud at every step would cost more than
the filter itself. A cloud's numbers come from its own stream, so they are the same whoever else draws.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch


class LaterUniforms:
    """r clouds of n numbers in [0, 1), or one; draw: those of the clouds with these indices."""

    def __init__(self, draw: Callable[[Int[Tensor, "q"]], Float[Tensor, "q n"]]):
        self.draw = draw

    @classmethod
    def of_one(cls, draw: Callable[[], Float[Tensor, "n"]]) -> "LaterUniforms":
        """Those of a single cloud."""
        return _OfOne(draw)

    def all(self) -> Float[Tensor, "n"]:
        """Those of a single cloud."""
        return self.draw(torch.zeros(1, dtype=torch.int64))[0]

    def of(self, chosen: Bool[Tensor, "*r n"]) -> Float[Tensor, "k"]:
        """Those of the chosen particles, cloud by cloud."""
        if chosen.dim() == 1:
            return self.all()[chosen]
        clouds = chosen.any(1).nonzero()[:, 0]
        return self.draw(clouds)[chosen[clouds]]


class _OfOne(LaterUniforms):
    """The numbers of a single cloud, without a look at which cloud."""

    def __init__(self, draw: Callable[[], Float[Tensor, "n"]]):
        super().__init__(lambda _: draw()[None])
        self._draw_all = draw

    def all(self) -> Float[Tensor, "n"]:
        return self._draw_all()


Uniforms = Float[Tensor, "*r n"] | LaterUniforms
"""What a filter with `draws_later` is given."""


def drawn(uniforms: Uniforms, chosen: Bool[Tensor, "*r n"]) -> Float[Tensor, "k"]:
    """The numbers of the chosen particles, cloud by cloud."""
    return uniforms.of(chosen) if isinstance(uniforms, LaterUniforms) else uniforms[chosen]


def numbers_at(uniforms: Uniforms, places: Int[np.ndarray, "k"]) -> Float[np.ndarray, "k"]:
    """The numbers of the particles at these places of a single cloud in this memory, in float64."""
    u = uniforms.all() if isinstance(uniforms, LaterUniforms) else uniforms
    few = u.float() if u.dtype.itemsize < 4 else u
    found: np.ndarray = few.numpy(force=True)[places].astype(np.float64)
    return found
