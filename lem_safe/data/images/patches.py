"""Patches of images that ship with scikit-image: textures (brick, grass, gravel) and photographs."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge
from jaxtyping import Float
from numpy.typing import NDArray
from typing_extensions import Doc

from lem_safe.data.images.base import EXTRA, ImageSource, Shape, in_channels, resized, scaled
from lem_safe.errors import BadInput

PICTURES: dict[str, tuple[str, ...]] = {
    "textures": ("brick", "grass", "gravel"),
    "photographs": ("astronaut", "camera", "chelsea", "coffee", "rocket"),
}
"""The images that each kind cuts its patches from, all from scikit-image's own package."""


class Patches(ImageSource):
    """Square patches cut at random places from pictures that ship with scikit-image; each picture is reduced
    first, so that a patch shows more of it.
    """

    example: ClassVar[dict[str, object]] = {"kind": "patches", "of": "textures", "size": 8, "samples": 20}

    def __init__(
        self,
        of: Annotated[Literal["textures", "photographs"], Doc("The pictures that patches are cut from.")],
        size: Annotated[int, Ge(2), Doc("Height and width of a patch in pixels.")] = 32,
        channels: Annotated[Literal[1, 3], Doc("1 for grey, 3 for colour.")] = 3,
        samples: Annotated[int, Ge(1), Doc("How many patches.")] = 2000,
        shrink: Annotated[
            int,
            Ge(1),
            Doc("The factor by which a picture is reduced in each direction."),
        ] = 2,
    ):
        if of not in PICTURES:
            raise ValueError(f"Patches: of must be one of {', '.join(PICTURES)}; got {of!r}")
        self.of, self.size, self.channels, self.samples, self.shrink = of, size, channels, samples, shrink

    def __repr__(self) -> str:
        return (
            f"Patches(of={self.of!r}, size={self.size}, channels={self.channels}, "
            f"samples={self.samples}, shrink={self.shrink})"
        )

    @property
    def shape(self) -> Shape:
        return (self.channels, self.size, self.size)

    def pixels(self, seed: int) -> Float[np.ndarray, "n c h w"]:
        draw = np.random.default_rng([31337, seed])
        whole = [in_channels(p[None], self.channels)[0] for p in _shrunk(PICTURES[self.of], self.shrink)]
        small = min(min(p.shape[1:]) for p in whole)
        if small < self.size:
            raise ValueError(
                f"Patches: size must be at most {small} where shrink is {self.shrink}; got {self.size}"
            )
        cuts = []
        for _ in range(self.samples):
            picture = whole[draw.integers(len(whole))]
            i, j = (int(draw.integers(side - self.size + 1)) for side in picture.shape[1:])
            cuts.append(picture[:, i : i + self.size, j : j + self.size])
        return scaled(np.stack(cuts))


@cache
def _shrunk(names: Sequence[str], shrink: int) -> tuple[NDArray[np.uint8], ...]:
    try:
        from skimage import data
    except ImportError:
        raise BadInput(f"these pictures ship with scikit-image: {EXTRA}") from None
    found = [np.asarray(getattr(data, name)()) for name in names]
    return tuple(resized([p], p.shape[0] // shrink, p.shape[1] // shrink)[0] for p in found)
