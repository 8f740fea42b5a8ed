"""Images as rows: c × h × w pixels, byte b as 2b/255 − 1, flattened channel first. A source has a shape, for
use by networks.
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from barriers.arrays import torch
from lem_safe.data.source import Dataset, DataSource, digest
from lem_safe.errors import BadInput

Shape = tuple[int, int, int]
"""Channels, height, width."""

Bytes = UInt8[np.ndarray, "n c h w"]
EXTRA = "pip install 'lem-safe[data]'"


class ImageSource(DataSource):
    """A DataSource whose rows are images of one shape."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Channels, height, width."""

    @abstractmethod
    def pixels(self, seed: int) -> Float[np.ndarray, "n c h w"]:
        """The images, in [−1, 1]; random choices use `seed`."""

    @property
    def columns(self) -> tuple[str, ...]:
        channels, height, width = self.shape
        return tuple(f"p{c}_{i}_{j}" for c in range(channels) for i in range(height) for j in range(width))

    def load(self, seed: int) -> Dataset:
        pictures = np.ascontiguousarray(self.pixels(seed), dtype=np.float64)
        return Dataset(torch.from_numpy(pictures.reshape(pictures.shape[0], -1)), self.columns)

    def fingerprint(self) -> str:
        pictures = np.ascontiguousarray(self.pixels(0))
        return digest(repr(self), str(pictures.shape), pictures.tobytes())


def scaled(bytes_: Bytes) -> Float[np.ndarray, "n c h w"]:
    """Bytes 0…255 as numbers −1…1."""
    return bytes_.astype(np.float32) * np.float32(2 / 255) - np.float32(1)


def in_channels(pictures: NDArray[np.uint8], channels: int) -> Bytes:
    """[n, h, w] or [n, h, w, 3] bytes as [n, channels, h, w]: grey is repeated, colour is averaged with
    luminance weights.
    """
    grey = pictures.ndim == 3
    if channels == 1:
        flat = (
            pictures
            if grey
            else np.rint(pictures[..., :3] @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        )
        return flat[:, None]
    return (
        np.repeat(pictures[:, None], 3, 1)
        if grey
        else np.ascontiguousarray(pictures[..., :3].transpose(0, 3, 1, 2))
    )


def resized(pictures: Sequence[NDArray[np.uint8]], height: int, width: int) -> list[NDArray[np.uint8]]:
    """Each image at another size, by Pillow's bicubic filter."""
    try:
        from PIL import Image
    except ImportError:
        raise BadInput(f"pictures need Pillow: {EXTRA}") from None
    return [
        np.asarray(Image.fromarray(p).resize((width, height), Image.Resampling.BICUBIC)) for p in pictures
    ]


def chosen_classes(
    labels: NDArray[np.integer], classes: Sequence[int] | None, owner: str
) -> NDArray[np.bool_]:
    """Which rows have one of these labels; ValueError for a label without rows."""
    if classes is None:
        return np.ones(len(labels), bool)
    known = np.unique(labels)
    strange = sorted(set(classes) - set(known.tolist()))
    if strange or not classes:
        raise ValueError(f"{owner}: classes must be among {known.tolist()}; got {list(classes)}")
    return np.isin(labels, classes)
