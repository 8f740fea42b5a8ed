"""Uniform numbers that are drawn for a cloud when one of its particles needs one.

A step filter decides most moves without chance; to draw for every cloud at every step would cost more than
the filter itself. A cloud's numbers come from its own stream, so they are the same whoever else draws.
"""

from collections.abc import Callable

from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch


class LaterUniforms:
    """r clouds of n numbers in [0, 1), or one; draw: those of the clouds with these indices."""

    def __init__(self, draw: Callable[[Int[Tensor, "q"]], Float[Tensor, "q n"]]):
        self.draw = draw

    @classmethod
    def of_one(cls, draw: Callable[[], Float[Tensor, "n"]]) -> "LaterUniforms":
        """Those of a single cloud."""
        return cls(lambda _: draw()[None])

    def of(self, chosen: Bool[Tensor, "*r n"]) -> Float[Tensor, "k"]:
        """Those of the chosen particles, cloud by cloud."""
        if chosen.dim() == 1:
            return self.draw(torch.zeros(1, dtype=torch.int64))[0][chosen]
        clouds = chosen.any(1).nonzero()[:, 0]
        return self.draw(clouds)[chosen[clouds]]


Uniforms = Float[Tensor, "*r n"] | LaterUniforms
"""What a filter with `draws_later` is given."""


def drawn(uniforms: Uniforms, chosen: Bool[Tensor, "*r n"]) -> Float[Tensor, "k"]:
    """The numbers of the chosen particles, cloud by cloud."""
    return uniforms.of(chosen) if isinstance(uniforms, LaterUniforms) else uniforms[chosen]
