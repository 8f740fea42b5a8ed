"""Uniform numbers of several clouds that are drawn for a cloud when one of its particles needs one.

A step filter decides most moves without chance; to draw for every cloud at every step would cost more than
the filter itself. A cloud's numbers come from its own stream, so they are the same whoever else draws.
"""

from collections.abc import Callable

from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor


class LaterUniforms:
    """r clouds of n numbers in [0, 1); draw: those of the clouds with these indices."""

    def __init__(self, draw: Callable[[Int[Tensor, "q"]], Float[Tensor, "q n"]]):
        self.draw = draw

    def of(self, chosen: Bool[Tensor, "r n"]) -> Float[Tensor, "k"]:
        """Those of the chosen particles, cloud by cloud."""
        clouds = chosen.any(1).nonzero()[:, 0]
        return self.draw(clouds)[chosen[clouds]]


Uniforms = Float[Tensor, "*r n"] | LaterUniforms
"""What a filter with `draws_later` is given."""


def drawn(uniforms: Uniforms, chosen: Bool[Tensor, "*r n"]) -> Float[Tensor, "k"]:
    """The numbers of the chosen particles, cloud by cloud."""
    return uniforms.of(chosen) if isinstance(uniforms, LaterUniforms) else uniforms[chosen]
