"""A trunk bounded by ±c: g(x) = c tanh(f(x)/c), so that a correction is limited where there were no data.

With t = tanh(f/c):  ∇g = (1 − t²)∇f,   tr(JᵀH_g J) = (1 − t²) tr(JᵀH_f J) − (2/c) t(1 − t²)‖J∇f‖².
"""

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.trunk import Traced, Trunk, Workspace


class BoundedTrunk(Trunk):
    """`inner`, smoothly bounded by ±most; near 0 it is `inner` itself."""

    def __init__(self, inner: Trunk, most: float):
        super().__init__()
        self.inner, self.most = inner, most
        self.inputs, self.widest, self.blocks = inner.inputs, inner.widest, inner.blocks
        self.swept, self.fewest = inner.swept, inner.fewest

    def forward(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        return self.most * (self.inner(x) / self.most).tanh()

    def sweep(self, x: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n k"]]:
        f, δ = self.inner.sweep(x)
        t = (f / self.most).tanh()
        return self.most * t, (1 - t * t)[:, None] * δ

    def gradient(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        t = (self.inner(x) / self.most).tanh()
        return (1 - t * t)[:, None] * self.inner.gradient(x)

    def trace(
        self, x: Float[Tensor, "n k"], J: Float[Tensor, "#n r k"], room: Workspace | None = None
    ) -> Traced:
        t = (self.inner(x) / self.most).tanh()
        δ, bent = self.inner.trace(x, J, room)
        slope, along = 1 - t * t, torch.einsum("nrk,nk->nr", J.expand(len(x), -1, -1), δ)
        return Traced(slope[:, None] * δ, slope * (bent - 2 / self.most * t * along.square().sum(1)))
