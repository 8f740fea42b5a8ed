"""A trunk of residual blocks: each adds to a stream instead of replacing it, so that gradients do not vanish
with depth.

u_0 = Ax + c,   u_l = u_{l−1} + R_l a(h_l),  h_l = W_l u_{l−1} + b_l,   f = wᵀu_L.

Back: δ_L = w for the stream, δ_{l−1} = δ_l + W_lᵀ(R_lᵀδ_l ∘ a′(h_l)), ∇f = Aᵀδ_0. Its sites are the a(h_l),
with adjoints R_lᵀδ_l.
"""

from jaxtyping import Float

from barriers.arrays import Tensor, nn, torch
from barriers.products import products
from lem_safe.energies.activations import ACTIVATIONS
from lem_safe.energies.trunk import Traced, Trunk, Workspace, held, pulled, uniform


class ResidualTrunk(Trunk):
    """`depth` blocks over a stream of `hidden` numbers; the blocks' sum is initialised at the scale of a
    single block.
    """

    def __init__(self, inputs: int, hidden: int, depth: int, activation: str, generator: torch.Generator):
        super().__init__()
        self.entry = uniform((hidden, inputs), inputs, generator)
        self.offset = uniform((hidden,), inputs, generator)
        self.matrices = nn.ParameterList(uniform((hidden, hidden), hidden, generator) for _ in range(depth))
        self.biases = nn.ParameterList(uniform((hidden,), hidden, generator) for _ in range(depth))
        self.returns = nn.ParameterList(
            uniform((hidden, hidden), hidden * depth, generator) for _ in range(depth)
        )
        self.readout = uniform((hidden,), hidden, generator)
        self.activation, self.inputs, self.widest = ACTIVATIONS[activation], inputs, hidden

    def forward(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        u, multiply = self._enter(x), products(x, *self.parameters())
        for W, b, R in self._blocks(x):
            u = multiply.plus(u, self.activation.value(multiply.affine(b, u, W)), R.T)
        return u @ self.readout.to(x.dtype)

    def sweep(self, x: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n k"]]:
        u, blocks, slopes = self._enter(x), self._blocks(x), []
        multiply = products(x, self.entry)
        for W, b, R in blocks:
            a, slope = self.activation.consumed(multiply.affine(b, u, W))
            slopes.append(slope)
            u = multiply.plus(u, a, R.T)
        w = self.readout.to(x.dtype)
        δ = w.expand_as(u)
        for (W, _, R), slope in zip(reversed(blocks), reversed(slopes), strict=True):
            δ = multiply.plus(δ, multiply.times(δ, R).mul_(slope), W)
        return u @ w, pulled(δ, self.entry.to(x.dtype))

    def gradient(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        u, blocks, slopes = self._enter(x), self._blocks(x), []
        for W, b, R in blocks:
            a, slope = self.activation.value_and_slope(torch.addmm(b, u, W.T))
            slopes.append(slope)
            u = torch.addmm(u, a, R.T)
        δ = self.readout.to(x.dtype).expand_as(u)
        for (W, _, R), slope in zip(reversed(blocks), reversed(slopes), strict=True):
            δ = torch.addmm(δ, (δ @ R) * slope, W)
        return δ @ self.entry.to(x.dtype)

    def trace(
        self, x: Float[Tensor, "n k"], J: Float[Tensor, "#n r k"], room: Workspace | None = None
    ) -> Traced:
        u, blocks = self._enter(x), self._blocks(x)
        J = J @ self.entry.to(x.dtype).T
        kept: list[tuple[Tensor, Tensor]] = []
        multiply = products(x, *self.parameters())
        for W, b, R in blocks:
            a, slope, bend = self.activation.jet(multiply.affine(b, u, W))
            along = J @ W.T
            kept.append((slope, bend * along.square().sum(1)))
            u, J = multiply.plus(u, a, R.T), J + (slope[:, None] * along) @ R.T
        δ, total = self.readout.to(x.dtype).expand_as(u), x.new_zeros(())
        for (W, _, R), (slope, bent) in zip(reversed(blocks), reversed(kept), strict=True):
            back = multiply.times(δ, R)
            total = total + (back * bent).sum(1)
            δ = multiply.plus(δ, back * slope, W)
        return Traced(δ @ self.entry.to(x.dtype), total)

    def _enter(self, x: Tensor) -> Tensor:
        return torch.addmm(self.offset.to(x.dtype), x, self.entry.to(x.dtype).T)

    def _blocks(self, x: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        every = zip(held(self.matrices), held(self.biases), held(self.returns), strict=True)
        return [(W.to(x.dtype), b.to(x.dtype), R.to(x.dtype)) for W, b, R in every]
