"""Fourier features before a trunk: f(x) = g(x, cos Bx, sin Bx), B drawn once with B_ij ~ N(0, bandwidth²) and
stored with the weights.

A network learns fine detail late; with frequencies among its inputs it represents detail of size 1/bandwidth
from the start (Tancik et al. 2020).

∇f = g_x + Bᵀ(g_s ∘ cos Bx − g_c ∘ sin Bx),   tr(Vᵀ∇²f V) = tr(J_φᵀ∇²g J_φ) − Σ_j (g_c ∘ cos Bx + g_s ∘ sin
    Bx)_j ‖(BV)_j‖².
"""

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.trunk import Traced, Trunk, Workspace


class FourierTrunk(Trunk):
    """`inner`, a trunk over x with its cosines and sines; `frequencies` B, one row each, not trained."""

    frequencies: Tensor

    def __init__(self, inner: Trunk, frequencies: Float[Tensor, "j k"]):
        super().__init__()
        count, inputs = frequencies.shape
        if inner.inputs != inputs + 2 * count:
            raise ValueError(
                f"FourierTrunk: inner must take {inputs + 2 * count} inputs; it takes {inner.inputs}"
            )
        self.register_buffer("frequencies", frequencies)
        self.inner, self.inputs, self.widest = inner, inputs, max(inner.widest, inner.inputs)
        self.swept, self.fewest = inner.swept, inner.fewest

    def forward(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        return self.inner(self._features(x)[0])

    def sweep(self, x: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n k"]]:
        φ, cos, sin = self._features(x)
        value, g = self.inner.sweep(φ)
        return value, self._pulled(g, cos, sin)

    def gradient(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        φ, cos, sin = self._features(x)
        return self._pulled(self.inner.gradient(φ), cos, sin)

    def trace(
        self, x: Float[Tensor, "n k"], J: Float[Tensor, "#n r k"], room: Workspace | None = None
    ) -> Traced:
        φ, cos, sin = self._features(x)
        along = J @ self.frequencies.to(x.dtype).T
        Jφ = torch.cat([J.expand(x.shape[0], -1, -1), -sin[:, None] * along, cos[:, None] * along], -1)
        g, trace = self.inner.trace(φ, Jφ, room)
        _, gc, gs = self._parts(g)
        return Traced(
            self._pulled(g, cos, sin), trace - ((gc * cos + gs * sin) * along.square().sum(1)).sum(1)
        )

    def _features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        angles = x @ self.frequencies.to(x.dtype).T
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([x, cos, sin], -1), cos, sin

    def _parts(self, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        count = self.frequencies.shape[0]
        gx, gc, gs = g.split([self.inputs, count, count], -1)
        return gx, gc, gs

    def _pulled(self, g: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        gx, gc, gs = self._parts(g)
        return torch.addmm(gx, gs * cos - gc * sin, self.frequencies.to(g.dtype))
