"""Published sets of images from their original files: CIFAR-10 (binary version), SVHN (cropped digits), DTD
(textures).

No file is downloaded and nothing pickled is read: CIFAR-10's python version is refused with a hint at the
binary one.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge
from jaxtyping import Float
from numpy.typing import NDArray
from typing_extensions import Doc

from lem_safe.data.images.base import EXTRA, ImageSource, Shape, chosen_classes, scaled
from lem_safe.data.images.mnist import Classes
from lem_safe.data.source import digest
from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_fit

AGAIN = "give the published file itself"
RECORD = 1 + 3 * 32 * 32
"""CIFAR-10: a label byte, then 3,072 pixels, channel first."""

Split = Annotated[Literal["train", "test"], Doc("Which pictures: those for training, or those held out.")]
Limit = Annotated[
    int | None, Ge(1), Doc("Keep at most N pictures of each class, the first ones; all by default.")
]


class Cifar10(ImageSource):
    """CIFAR-10, 3 × 32 × 32, from cifar-10-binary.tar.gz or the folder it unpacks to."""

    example: ClassVar[dict[str, object]] = {"kind": "cifar10", "path": "cifar-10-binary.tar.gz"}

    def __init__(
        self,
        path: Annotated[Path, Doc("cifar-10-binary.tar.gz, or one .bin file of it.")],
        split: Split = "train",
        classes: Classes = None,
        per_class: Limit = None,
    ):
        self.path, self.split, self.classes, self.per_class = Path(path), split, classes, per_class

    @property
    def shape(self) -> Shape:
        return (3, 32, 32)

    def __repr__(self) -> str:
        return f"Cifar10(split={self.split!r}, classes={self.classes!r}, per_class={self.per_class!r})"

    def pixels(self, seed: int) -> Float[np.ndarray, "n c h w"]:
        rows = np.concatenate([np.frombuffer(data, np.uint8).reshape(-1, RECORD) for data in self._batches()])
        rows = rows[chosen_classes(rows[:, 0], self.classes, "Cifar10")]
        if self.per_class is not None:
            rows = rows[
                np.sort(
                    np.concatenate(
                        [np.flatnonzero(rows[:, 0] == c)[: self.per_class] for c in np.unique(rows[:, 0])]
                    )
                )
            ]
        return scaled(rows[:, 1:].reshape(-1, 3, 32, 32))

    def fingerprint(self) -> str:
        return digest(repr(self), *self._batches())

    def _batches(self) -> list[bytes]:
        found = [
            data
            for name, data in sorted(self._files())
            if name.startswith("test" if self.split == "test" else "data_batch")
        ]
        if not found:
            raise BadInput(Fault(_cifar_advice(self.split), str(self.path)))
        for data in found:
            if not data or len(data) % RECORD:
                raise BadInput(
                    Fault(
                        f"is damaged: {len(data)} bytes are not a multiple of {RECORD}, the bytes of one "
                        "picture",
                        str(self.path),
                    )
                )
        return found

    def _files(self) -> Iterator[tuple[str, bytes]]:
        if self.path.suffix == ".bin":
            yield ("test_batch" if self.split == "test" else "data_batch"), _bytes(self.path)
        elif self.path.is_dir():
            for file in self.path.rglob("*.bin"):
                yield file.name, _bytes(file)
        else:
            must_fit(self.path, AGAIN)
            try:
                with tarfile.open(self.path) as archive:
                    for member in archive:
                        held = archive.extractfile(member) if member.name.endswith(".bin") else None
                        if held is not None:
                            yield Path(member.name).name, held.read()
            except (tarfile.TarError, EOFError, OSError) as error:
                raise BadInput(
                    Fault(f"cannot be read as an archive ({error}); fetch it again", str(self.path))
                ) from None


class Svhn(ImageSource):
    """The cropped digits of SVHN, 3 × 32 × 32, from test_32x32.mat or train_32x32.mat."""

    example: ClassVar[dict[str, object]] = {"kind": "svhn", "path": "test_32x32.mat"}

    def __init__(self, path: Annotated[Path, Doc("test_32x32.mat or train_32x32.mat.")]):
        self.path = Path(path)

    @property
    def shape(self) -> Shape:
        return (3, 32, 32)

    def pixels(self, seed: int) -> Float[np.ndarray, "n c h w"]:
        from scipy.io import loadmat

        must_fit(self.path, AGAIN)
        try:
            pictures = loadmat(self.path, variable_names=["X"])["X"]
        except (ValueError, KeyError, NotImplementedError, OSError, TypeError) as error:
            raise BadInput(
                Fault(f"holds no array X of SVHN's cropped digits ({error})", str(self.path))
            ) from None
        if pictures.ndim != 4 or pictures.shape[:3] != (32, 32, 3) or pictures.dtype != np.uint8:
            raise BadInput(
                Fault(
                    f"X must be bytes of shape (32, 32, 3, n); got {pictures.dtype} {pictures.shape}",
                    str(self.path),
                )
            )
        return scaled(np.ascontiguousarray(pictures.transpose(3, 2, 0, 1)))

    def fingerprint(self) -> str:
        return digest("svhn", _bytes(self.path))


class Dtd(ImageSource):
    """The Describable Textures Dataset as 3 × size × size: the short side resized, the centre cropped."""

    example: ClassVar[dict[str, object]] = {"kind": "dtd", "path": "dtd/labels/test1.txt"}

    def __init__(
        self,
        path: Annotated[
            Path,
            Doc("The list of pictures, labels/test1.txt; the pictures are read from ../images beside it."),
        ],
        size: Annotated[int, Ge(2), Doc("Height and width in pixels.")] = 32,
    ):
        self.path, self.size = Path(path), size

    @property
    def shape(self) -> Shape:
        return (3, self.size, self.size)

    def pixels(self, seed: int) -> Float[np.ndarray, "n c h w"]:
        return scaled(np.stack([_middle(file, self.size) for file in self._pictures()]))

    def fingerprint(self) -> str:
        return digest("dtd", str(self.size), *(_bytes(file) for file in self._pictures()))

    def _pictures(self) -> list[Path]:
        images = self.path.parent.parent / "images"
        must_fit(self.path, AGAIN)
        try:
            names = self.path.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(Fault(f"cannot be read as a list of pictures ({error})", str(self.path))) from None
        if not names:
            raise BadInput(Fault("lists no picture", str(self.path)))
        for name in names:
            if not (images / name).is_file():
                raise BadInput(Fault(f"lists '{name}', which is not in {images}", str(self.path)))
        return [images / name for name in names]


def _bytes(path: Path) -> bytes:
    must_fit(path, AGAIN)
    return path.read_bytes()


def _middle(file: Path, size: int) -> NDArray[np.uint8]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise BadInput(f"pictures need Pillow: {EXTRA}") from None
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise BadInput(Fault(f"is not a picture ({error})", str(file))) from None
    ratio = size / min(picture.size)
    width, height = (max(size, round(side * ratio)) for side in picture.size)
    left, top = (width - size) // 2, (height - size) // 2
    cut = picture.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + size, top + size))
    return np.ascontiguousarray(np.asarray(cut).transpose(2, 0, 1))


def _cifar_advice(split: str) -> str:
    wanted = "test_batch.bin" if split == "test" else "data_batch_1.bin … data_batch_5.bin"
    return f"holds no {wanted}; CIFAR-10's binary version is read, the python version is pickled and is not"
