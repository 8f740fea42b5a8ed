"""A convolutional energy of images: U(z) = f(z) + ½κ‖z‖², f of convolutions, smooth activations and average
pooling (E.4).

One stage per number of channels: a convolution 3 × 3, then `depth − 1` residual ones, then a mean over 2 × 2
pixels while the image has at least 4 rows and columns; the stages are followed by a dense layer and a
readout. Every layer has a rule, so ∇U needs no graph and ΔU is exact.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, MinLen
from typing_extensions import Doc

from barriers.arrays import nn, torch
from barriers.specification import SpecificationError
from lem_safe.energies.images.layered import LayeredTrunk
from lem_safe.energies.mlp import Activation, Confinement, Network
from lem_safe.energies.network import Confined, Trainable
from lem_safe.energies.numbers import positive
from lem_safe.laplacian import Residual, Total

LAYERS: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "softplus": nn.Softplus, "tanh": nn.Tanh}
SMALLEST = 4
"""An image with fewer rows or columns than this is not pooled further."""

Count = Annotated[int, Ge(1)]
Size = Annotated[tuple[Count, Count, Count], Doc("Channels, height and width: a row is c·h·w columns long.")]
Channels = Annotated[
    tuple[Count, ...], MinLen(1), Doc("The channels of each stage; every stage halves height and width.")
]


@dataclass(frozen=True)
class Convolutional(Network):
    """A convolutional network for images stored as flat rows, with an explicit confining term, U = net(z) +
    ½κ‖z‖² (E.4).
    """

    kind: ClassVar[str] = "convolutional"
    whitens: ClassVar[bool] = False
    example: ClassVar[dict[str, object]] = {"kind": "convolutional", "image": [1, 8, 8], "channels": [8, 16]}

    image: Size
    channels: Channels = (16, 32, 64)
    depth: Annotated[int, Ge(1), Doc("Convolutions in each stage; those after the first are residual.")] = 1
    hidden: Annotated[int, Ge(1), Doc("Units of the dense layer at the end.")] = 64
    activation: Activation = "silu"
    confinement: Confinement = 0.1

    def __post_init__(self) -> None:
        for name in ("image", "channels"):  # a file has lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        positive("Convolutional", "confinement", self.confinement)
        if len(self.image) != 3 or min(self.image) < 1:
            raise ValueError(
                "Convolutional: image must be three numbers >= 1, channels, height, width; got "
                f"{list(self.image)}"
            )
        if not self.channels or min(*self.channels, self.depth, self.hidden) < 1:
            raise ValueError(
                f"Convolutional: channels, depth and hidden must be >= 1; got {list(self.channels)}, "
                f"{self.depth}, {self.hidden}"
            )
        if self.activation not in LAYERS:
            raise ValueError(
                f"Convolutional: activation must be one of {', '.join(LAYERS)}; got {self.activation!r}"
            )

    @property
    def columns(self) -> int:
        """The required number of columns of a row of data: c·h·w."""
        c, h, w = self.image
        return c * h * w

    def must_fit(self, dimension: int) -> None:
        if dimension != self.columns:
            size = " x ".join(str(number) for number in self.image)
            raise SpecificationError(
                f"must be channels, height and width of the data's {dimension} columns; {size} makes "
                f"{self.columns}",
                ("network", "image"),
            )

    def build(self, dimension: int, generator: torch.Generator) -> Trainable:
        self.must_fit(dimension)
        layers, widest = self._layers()
        energy = Confined(LayeredTrunk(layers, dimension, widest), self.confinement)
        _initialise(layers, generator)
        return energy

    def _layers(self) -> tuple[nn.Sequential, int]:
        smooth = LAYERS[self.activation]
        c, h, w = self.image
        layers: list[nn.Module] = [nn.Unflatten(1, (c, h, w))]
        widest = c * h * w
        for wide in self.channels:
            layers += [nn.Conv2d(c, wide, 3, padding=1), smooth()]
            layers += [
                Residual(nn.Sequential(nn.Conv2d(wide, wide, 3, padding=1), smooth()))
                for _ in range(self.depth - 1)
            ]
            c, widest = wide, max(widest, wide * h * w)
            if min(h, w) >= SMALLEST:
                layers.append(nn.AvgPool2d(2))
                h, w = h // 2, w // 2
        layers += [
            nn.Flatten(),
            nn.Linear(c * h * w, self.hidden),
            smooth(),
            nn.Linear(self.hidden, 1),
            Total(),
        ]
        return nn.Sequential(*layers), widest


@torch.no_grad()
def _initialise(layers: nn.Module, generator: torch.Generator) -> None:
    """Uniform in ±1/√fan_in, as in torch, from an explicit generator."""
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bound = (layer.weight[0].numel()) ** -0.5
            for parameter in layer.parameters(recurse=False):
                parameter.copy_((2 * torch.rand(parameter.shape, generator=generator) - 1) * bound)
