"""The network published with Energy Matching for CIFAR-10, under the names of its weights
[@balcerak2025energy].

V = 1000 · linear(mean over tokens of a vision transformer on the U-net's image), the U-net at time ½, trained
with temperature ε = .01. Rows are pixels in [−1, 1], channel first, 3·32·32 = 3072 columns. V is bounded, so
e^{−V/ε} has no integral; a wall is added where neither pixels nor noise occur, and nothing changes inside it
(E.1, E.4):

    U = V/ε + ½ Σ_i (|x_i| − 6)₊²

ΔU is an estimate (E.21): 3072 exact second derivatives per image would take minutes.
"""

from dataclasses import dataclass

from jaxtyping import Float

from barriers.arrays import Tensor, nn, torch
from lem_safe.energies.base import Energy
from lem_safe.energies.growth import Growth
from lem_safe.energies.images.unet import UNet, attend
from lem_safe.laplacian import Hutchinson

TEMPERATURE = 0.01
SCALE = 1000.0
WALL = 6.0
"""Six standard deviations of the noise that samples start from, in units of half the range of a pixel."""
PROBES = 8
ROWS = {"cpu": 8, "cuda": 128}
"""Images processed at once: about 60 MB each including the backward pass."""


@dataclass(frozen=True)
class Layout:
    """Sizes of the network; the defaults are the published ones."""

    image: tuple[int, int, int] = (3, 32, 32)
    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    blocks: int = 2
    attention: tuple[int, ...] = (2,)
    """The attention levels, by the reduction of the image there: 2 is 16 × 16."""
    head: int = 64
    patch: int = 4
    tokens: int = 384
    heads: int = 4
    depth: int = 8

    @property
    def columns(self) -> int:
        c, h, w = self.image
        return c * h * w


class TokenAttention(nn.Module):
    """Attention among tokens, with parameters named like torch's own."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.heads = heads

    def forward(self, x: Float[Tensor, "n p e"]) -> Float[Tensor, "n p e"]:
        n, p, e = x.shape
        qkv = torch.nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = (part.reshape(n, p, self.heads, -1).transpose(1, 2) for part in qkv.chunk(3, -1))
        return self.out_proj(attend(q, k, v).transpose(1, 2).reshape(n, p, e))


class EncoderLayer(nn.Module):
    """norm(x + attention), norm(x + MLP): post-normalisation."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.self_attn = TokenAttention(width, heads)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "n p e"]) -> Float[Tensor, "n p e"]:
        x = self.norm1(x + self.self_attn(x))
        return self.norm2(x + self.linear2(torch.nn.functional.gelu(self.linear1(x))))


class Encoder(nn.Module):
    """A sequence of layers, without a final norm."""

    def __init__(self, width: int, heads: int, depth: int):
        super().__init__()
        self.layers = nn.Sequential(*(EncoderLayer(width, heads) for _ in range(depth)))

    def forward(self, x: Float[Tensor, "n p e"]) -> Float[Tensor, "n p e"]:
        return self.layers(x)


class Patches(nn.Module):
    """Non-overlapping patches as tokens, in reading order, each with its learned position."""

    def __init__(self, layout: Layout):
        super().__init__()
        c, h, w = layout.image
        self.pos_embed = nn.Parameter(
            torch.zeros(1, (h // layout.patch) * (w // layout.patch), layout.tokens)
        )
        self.patch_embed = nn.Conv2d(c, layout.tokens, layout.patch, layout.patch)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n p e"]:
        return self.patch_embed(x).flatten(2).transpose(1, 2) + self.pos_embed


class Potential(UNet):
    """V of images [n, c, h, w], in its own units; a subclass because the published names give the U-net no
    prefix.
    """

    def __init__(self, layout: Layout):
        super().__init__(
            layout.image[0],
            layout.width,
            layout.multipliers,
            layout.blocks,
            layout.attention,
            layout.head,
            time=0.5,
        )
        self.patch_embed = Patches(layout)
        self.transformer_encoder = Encoder(layout.tokens, layout.heads, layout.depth)
        self.final_linear = nn.Linear(layout.tokens, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n"]:
        tokens = self.transformer_encoder(self.patch_embed(super().forward(x)))
        return SCALE * self.final_linear(tokens.mean(1))[:, 0]


class EnergyMatching(Energy):
    """U of flat images; `potential` is frozen, and every number is computed in the dtype of its weights."""

    def __init__(self, potential: Potential, layout: Layout, probes: int = PROBES):
        super().__init__()
        self._hutchinson = Hutchinson(probes)
        self.estimate = str(self._hutchinson)
        self.potential, self.layout, self.dimension = (
            potential.requires_grad_(False).eval(),
            layout,
            layout.columns,
        )

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return torch.cat([self._within(part) for part in self._parts(x)]) + self.confining(x)

    def confining(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """The wall alone, which is the growth of U far out, where V is bounded."""
        return 0.5 * _beyond(x).square().sum(1)

    def growth(self, x: Float[Tensor, "n d"]) -> Growth:
        return Growth.of_one(self.confining(x))

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        values, gradients = [], []
        for part in self._parts(x.detach()):
            with torch.enable_grad():
                y = part.clone().requires_grad_()
                value = self._within(y)
                gradients.append(torch.autograd.grad(value.sum(), y)[0])
            values.append(value.detach())
        beyond = _beyond(x.detach())
        return torch.cat(values) + 0.5 * beyond.square().sum(1), torch.cat(
            gradients
        ) + beyond * x.detach().sign()

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        seeded = torch.Generator().manual_seed(0)
        inside = torch.cat(
            [self._hutchinson.laplacian(self._within, part, directions, seeded) for part in self._parts(x)]
        )
        width = x.new_ones(self.dimension) if directions is None else directions.to(x).square().sum(1)
        return inside + (_beyond(x) > 0).to(x.dtype) @ width

    def _within(self, x: Tensor) -> Tensor:
        """V/ε for rows that fit into memory."""
        images = x.to(self.potential.final_linear.weight.dtype).reshape(-1, *self.layout.image)
        return self.potential(images).to(x.dtype) / TEMPERATURE

    def _parts(self, x: Tensor) -> tuple[Tensor, ...]:
        return x.split(ROWS.get(x.device.type, 8))


def _beyond(x: Tensor) -> Tensor:
    """The distance outside the wall, per coordinate."""
    return (x.abs() - WALL).clamp(min=0)
