"""A network over rows: each number with BUMPS bumps along its axis, each code as zeros and a one (E.23).

    e(z, c) = (z_j, b_1(z_j), …, b_K(z_j) for every j;  1{c_i = s} for every i, s),
    b_k(z) = e^{−((z − t_k)/w)²}

What is wrong with a mixture are edges, gaps and steps along single columns, which a perceptron of the numbers
alone takes thousands of steps to find; bumps show them to its first layer. With J the directions and δ the
slope of the network at e,

    ∇f = δ_z + Σ_k δ_k b_k′,    tr(JᵀHJ) = tr((eʹJ)ᵀH_e(eʹJ)) + Σ_j ‖J_j‖² Σ_k δ_k b_k″.
"""

from collections.abc import Sequence

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.row_fitting import one_hot
from lem_safe.energies.trunk import Traced, Trunk, Workspace

BUMPS, FARTHEST, WIDTH = 15, 2.5, 0.3
"""Bumps along each number, from −FARTHEST to FARTHEST, and how wide they are."""


def inputs(numbers: int, sizes: Sequence[int]) -> int:
    """How many features a row has."""
    return numbers * (1 + BUMPS) + sum(sizes)


class RowTrunk(Trunk):
    """`inner` over the features of d numbers and codes of `sizes`."""

    def __init__(self, inner: Trunk, numbers: int, sizes: Sequence[int]):
        super().__init__()
        self.inner, self.numbers, self.sizes = inner, numbers, tuple(sizes)
        self.inputs = numbers + len(self.sizes)
        self.widest, self.blocks = max(inner.widest, inputs(numbers, sizes)), inner.blocks
        self.swept, self.fewest = inner.swept, inner.fewest
        self.centers = torch.linspace(-FARTHEST, FARTHEST, BUMPS).tolist()

    def forward(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        return self.inner(self._features(x)[0])

    def sweep(self, x: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n k"]]:
        features, slope, _ = self._features(x)
        f, δ = self.inner.sweep(features)
        return f, self._back(δ, slope)

    def gradient(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        features, slope, _ = self._features(x)
        return self._back(self.inner.gradient(features), slope)

    def trace(
        self, x: Float[Tensor, "n k"], J: Float[Tensor, "#n r k"], room: Workspace | None = None
    ) -> Traced:
        d = self.numbers
        features, slope, bend = self._features(x)
        numbers = J[..., :d].expand(len(x), -1, -1)
        bumps = (numbers[..., None] * slope[:, None]).flatten(2)
        codes = numbers.new_zeros(*numbers.shape[:2], sum(self.sizes))
        found = self.inner.trace(features, torch.cat([numbers, bumps, codes], 2), room)
        along = (self._bumps(found.gradient) * bend).sum(-1)
        curved = (numbers.square().sum(1) * along).sum(1)
        return Traced(self._back(found.gradient, slope), found.trace + curved)

    def _features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The features [n, E], and b′ and b″ of every number and bump [n, d, BUMPS]."""
        z = x[:, : self.numbers]
        u = (z[..., None] - torch.tensor(self.centers, dtype=z.dtype, device=z.device)) / WIDTH
        b = (-u.square()).exp()
        hot = one_hot(x[:, self.numbers :].detach(), self.sizes)
        return (
            torch.cat([z, b.flatten(1), hot], 1),
            -2 / WIDTH * u * b,
            (4 * u.square() - 2) / WIDTH**2 * b,
        )

    def _bumps(self, δ: Tensor) -> Tensor:
        d = self.numbers
        return δ[:, d : d * (1 + BUMPS)].unflatten(1, (d, BUMPS))

    def _back(self, δ: Tensor, slope: Tensor) -> Tensor:
        z = δ[:, : self.numbers] + (self._bumps(δ) * slope).sum(-1)
        return torch.cat([z, δ.new_zeros(len(δ), len(self.sizes))], 1)
