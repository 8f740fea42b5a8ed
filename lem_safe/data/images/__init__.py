"""Images as data: those that ship with libraries, published sets from their own files, noise."""

from lem_safe.data.images.base import ImageSource
from lem_safe.data.images.mnist import Mnist, UpscaledDigits
from lem_safe.data.images.noise import NoisePictures
from lem_safe.data.images.patches import Patches
from lem_safe.data.images.published import Cifar10, Dtd, Svhn

IMAGES: dict[str, type[ImageSource]] = {
    "mnist": Mnist,
    "digits": UpscaledDigits,
    "patches": Patches,
    "noise": NoisePictures,
    "cifar10": Cifar10,
    "svhn": Svhn,
    "dtd": Dtd,
}
"""Every source of images a scenario's `data:` can name by `kind`."""

__all__ = [
    "IMAGES",
    "Cifar10",
    "Dtd",
    "ImageSource",
    "Mnist",
    "NoisePictures",
    "Patches",
    "Svhn",
    "UpscaledDigits",
]
