"""Noise images: independent pixels, uniform over [−1, 1], or Gaussian and clipped to it."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt
from jaxtyping import Float
from typing_extensions import Doc

from lem_safe.data.images.base import ImageSource, Shape


class NoisePictures(ImageSource):
    """Independent pixels, all from one distribution."""

    example: ClassVar[dict[str, object]] = {"kind": "noise", "size": 4, "samples": 20}

    def __init__(
        self,
        law: Annotated[
            Literal["uniform", "gaussian"],
            Doc("The distribution of a pixel: uniform over [-1, 1], or Gaussian, clipped to [-1, 1]."),
        ] = "uniform",
        size: Annotated[int, Ge(1), Doc("Height and width in pixels.")] = 32,
        channels: Annotated[Literal[1, 3], Doc("1 for grey, 3 for colour.")] = 3,
        std: Annotated[
            float, Gt(0), Doc("The standard deviation of the Gaussian before it is clipped.")
        ] = 0.5,
        samples: Annotated[int, Ge(1), Doc("How many pictures.")] = 2000,
    ):
        if law not in ("uniform", "gaussian"):
            raise ValueError(f"NoisePictures: law must be uniform or gaussian; got {law!r}")
        self.law, self.size, self.channels, self.std, self.samples = law, size, channels, std, samples

    def __repr__(self) -> str:
        return (
            f"NoisePictures(law={self.law!r}, size={self.size}, channels={self.channels}, "
            f"std={self.std}, samples={self.samples})"
        )

    @property
    def shape(self) -> Shape:
        return (self.channels, self.size, self.size)

    def pixels(self, seed: int) -> Float[np.ndarray, "n c h w"]:
        draw = np.random.default_rng([271828, seed])
        shape = (self.samples, *self.shape)
        noise = (
            draw.uniform(-1, 1, shape)
            if self.law == "uniform"
            else np.clip(self.std * draw.standard_normal(shape), -1, 1)
        )
        return noise.astype(np.float32)
