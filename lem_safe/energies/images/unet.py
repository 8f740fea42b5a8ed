"""The guided-diffusion U-net at a fixed time, with the parameter names that its published weights have
[@dhariwal2021diffusion].

On the way down, every result is stored; on the way up, each block takes the latest stored one as additional
input. A residual block adds the time's embedding between its two convolutions; attention is over pixels, in
heads of `head` channels. No dropout: these weights are only used for sampling.
"""

import math
from collections.abc import Sequence

from jaxtyping import Float

from barriers.arrays import Tensor, nn, torch
from barriers.arrays import functional as F

GROUPS = 32


class Block(nn.Module):
    """x ↦ skip(x) + conv(silu(norm(conv(silu(norm x)) + Wt))), t the embedding of the time."""

    def __init__(self, inputs: int, outputs: int, embedding: int):
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, outputs), nn.SiLU(), nn.Identity(), nn.Conv2d(outputs, outputs, 3, padding=1)
        )  # the identity is in place of dropout, which the published names count
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "n c h w"], t: Float[Tensor, "1 e"]) -> Float[Tensor, "n k h w"]:
        return self.skip_connection(x) + self.out_layers(
            self.in_layers(x) + self.emb_layers(t)[..., None, None]
        )


class PixelAttention(nn.Module):
    """x + W softmax(qkᵀ/√head) v over the pixels of each row, with q, k and v of each head side by side."""

    def __init__(self, channels: int, head: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)
        self.heads = channels // head

    def forward(self, x: Float[Tensor, "n c h w"], t: Float[Tensor, "1 e"]) -> Float[Tensor, "n c h w"]:
        n, c, h, w = x.shape
        flat = x.reshape(n, c, h * w)
        q, k, v = self.qkv(self.norm(flat)).reshape(n, self.heads, -1, h * w).transpose(2, 3).chunk(3, -1)
        mixed = attend(q, k, v).transpose(2, 3).reshape(n, c, h * w)
        return (flat + self.proj_out(mixed)).reshape(x.shape)


class Down(nn.Module):
    """A convolution with stride 2."""

    def __init__(self, channels: int):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Float[Tensor, "n c h w"], t: Float[Tensor, "1 e"]) -> Float[Tensor, "n c p q"]:
        return self.op(x)


class Up(nn.Module):
    """Every pixel repeated 2 × 2, then a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "n c h w"], t: Float[Tensor, "1 e"]) -> Float[Tensor, "n c p q"]:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Stage(nn.ModuleList):
    """Parts in sequence, each given the time; the first convolution does not use it."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        for part in self:
            x = part(x) if isinstance(part, nn.Conv2d) else part(x, t)
        return x


class UNet(nn.Module):
    """Maps images of `channels` to images of the same shape, at the time `time`."""

    def __init__(
        self,
        channels: int,
        width: int,
        multipliers: Sequence[int],
        blocks: int,
        attention: Sequence[int],
        head: int,
        time: float,
    ):
        super().__init__()
        embedding = 4 * width
        self.width, self.time = width, time
        self.time_embed = nn.Sequential(
            nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        now, scale, kept = width * multipliers[0], 1, [width * multipliers[0]]
        self.input_blocks = nn.ModuleList([Stage([nn.Conv2d(channels, now, 3, padding=1)])])
        for level, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                parts: list[nn.Module] = [Block(now, now := width * multiplier, embedding)]
                self.input_blocks.append(Stage(parts + [PixelAttention(now, head)] * (scale in attention)))
                kept.append(now)
            if level < len(multipliers) - 1:
                self.input_blocks.append(Stage([Down(now)]))
                kept.append(now)
                scale *= 2
        self.middle_block = Stage(
            [Block(now, now, embedding), PixelAttention(now, head), Block(now, now, embedding)]
        )
        self.output_blocks = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(multipliers))):
            for i in range(blocks + 1):
                parts = [Block(now + kept.pop(), now := width * multiplier, embedding)]
                parts += [PixelAttention(now, head)] * (scale in attention)
                if level and i == blocks:
                    parts.append(Up(now))
                    scale //= 2
                self.output_blocks.append(Stage(parts))
        self.out = nn.Sequential(nn.GroupNorm(GROUPS, now), nn.SiLU(), nn.Conv2d(now, channels, 3, padding=1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        t = self.time_embed(embedded(self.time, self.width, x))
        kept = []
        for stage in self.input_blocks:
            x = stage(x, t)
            kept.append(x)
        x = self.middle_block(x, t)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, kept.pop()], 1), t)
        return self.out(x)


def attend(
    q: Float[Tensor, "*b p c"], k: Float[Tensor, "*b p c"], v: Float[Tensor, "*b p c"]
) -> Float[Tensor, "*b p c"]:
    """softmax(qkᵀ/√c) v, written out: torch's fused kernels have no second derivative."""
    return torch.softmax(q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5, -1) @ v


def embedded(time: float, width: int, like: Tensor) -> Float[Tensor, "1 width"]:
    """(cos ω_i t, sin ω_i t) with ω_i = 10000^{−i/(width/2)}."""
    half = width // 2
    ω = torch.exp(-math.log(10_000) / half * torch.arange(half, dtype=torch.float32, device=like.device))
    angles = time * ω[None]  # in float32 as in the weights' training, then cast
    return torch.cat([angles.cos(), angles.sin()], 1).to(like)
