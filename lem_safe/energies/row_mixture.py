"""A mixture of products over latent rows x = (z, c): normal in the numbers, categorical in each code (E.23).

    U(x) = −log Σ_k w_k N(z; m_k, Σ_k) Π_j T_kj(c_j)

Codes are whole numbers held as numbers: U is constant in them between jumps, its gradient there is 0, and
its Laplacian that of the numbers alone. e^{−U} is normalised over numbers and codes together.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

from jaxtyping import Float

from barriers.arrays import Tensor, functional, torch
from lem_safe.energies.base import POINTS, Tractable, squared_norm

AT_ONCE = 2**21
"""Whitened numbers that are in memory at a time."""


class RowMixture(Tractable):
    """Components of weights w [k], means [k, d] and factors L of covariances [k, d, d] of the d numbers, and
    log probabilities [S, k] of the codes of all columns, one after the other, of `sizes` S_j.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor
    tables: Tensor

    def __init__(
        self,
        weights: Float[Tensor, "k"],
        means: Float[Tensor, "k d"],
        factors: Float[Tensor, "k d d"],
        tables: Float[Tensor, "S k"],
        sizes: Sequence[int],
    ):
        super().__init__()
        self.numbers, self.sizes = means.shape[1], tuple(sizes)
        self.dimension = self.numbers + len(self.sizes)
        self.codes = len(self.sizes)
        self.starts = [0, *accumulate(self.sizes)]
        w = weights.double()
        held = {"weights": w / w.sum(), "means": means, "factors": factors, "tables": tables}
        for name, tensor in held.items():
            self.register_buffer(name, tensor.detach().double().contiguous())
        self._derive()

    def _derive(self) -> None:
        """What follows from the buffers that a file holds."""
        k, d = self.means.shape
        L, m = self.factors.double(), self.means.double()
        A = torch.linalg.inv(L) if d else L
        scale = L.diagonal(dim1=1, dim2=2).log().sum(-1) + 0.5 * d * math.log(2 * math.pi)
        own = {
            "whiteners": A.reshape(k * d, d),
            "centers": torch.einsum("kij,kj->ki", A, m).reshape(k * d, 1),
            "log_weights": (self.weights.double().log() - scale)[:, None],
        }
        for name, tensor in own.items():
            self.register_buffer(name, tensor.to(self.means), persistent=False)

    whiteners: Tensor
    centers: Tensor
    log_weights: Tensor

    def forward(self, x: Float[Tensor, "n D"]) -> Float[Tensor, "n"]:
        return torch.cat([-self._logits(part, self._whitened(part)).logsumexp(0) for part in self._parts(x)])

    def value_and_gradient(self, x: Float[Tensor, "n D"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n D"]]:
        with torch.no_grad():
            return self.differentiable(x.detach())

    def differentiable(self, x: Float[Tensor, "n D"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n D"]]:
        """U(x) and ∇U(x), both differentiable in x; 0 in the codes."""
        values, gradients = zip(*(self._both(part) for part in self._parts(x)), strict=True)
        return torch.cat(values), torch.cat(gradients)

    def laplacian(
        self, x: Float[Tensor, "n D"], directions: Float[Tensor, "D r"] | None = None
    ) -> Float[Tensor, "n"]:
        V = torch.eye(self.dimension) if directions is None else directions
        d = self.numbers
        A = self.whiteners.to(x.dtype).view(len(self.weights), d, d)
        AV = A @ V[:d].to(x)
        found = []
        for part in self._parts(x.detach()):
            y = self._whitened(part)
            p = self._logits(part, y).softmax(0)
            g = AV.mT @ y
            bend = squared_norm(AV.flatten(1), None)[:, None] - g.square().sum(1)
            found.append((p * bend).sum(0) + (p[:, None] * g).sum(0).square().sum(0))
        return torch.cat(found)

    def sample(self, generator: torch.Generator, n: int) -> Float[Tensor, "n D"]:
        return self.drawn(generator, n, torch.float64)

    def drawn(self, generator: torch.Generator, n: int, dtype: torch.dtype) -> Float[Tensor, "n D"]:
        """n independent draws of a type, on the CPU."""
        ξ = torch.randn(n, self.numbers, generator=generator, dtype=dtype)
        u = torch.rand(n, generator=generator, dtype=dtype)
        return self.draws(u, ξ, torch.rand(n, len(self.sizes), generator=generator, dtype=dtype))

    def draws(
        self, u: Float[Tensor, "n"], ξ: Float[Tensor, "n d"], v: Float[Tensor, "n c"]
    ) -> Float[Tensor, "n D"]:
        """Independent draws, made of uniform u, normal ξ and uniform v."""
        steps = self.weights.double().cumsum(0)
        component = torch.searchsorted(steps, u.double()).clamp(max=len(steps) - 1)
        at_once = max(256, AT_ONCE // max(1, self.numbers**2))
        pairs = zip(component.split(at_once), ξ.split(at_once), strict=True)
        z = torch.cat([self._numbers(own, noise) for own, noise in pairs])
        codes = [self.code(j, component, v[:, j]) for j in range(len(self.sizes))]
        return torch.cat([z, *(code[:, None].to(ξ) for code in codes)], 1)

    def given(self, codes: Mapping[int, int]) -> "RowMixture":
        """The same, conditioned on codes by the place of their column among those with codes."""
        weights, tables = self.weights.double().log(), self.tables.double().clone()
        for j, code in codes.items():
            rows = slice(self.starts[j], self.starts[j + 1])
            weights = weights + tables[self.starts[j] + code]
            tables[rows] = -torch.inf
            tables[self.starts[j] + code] = 0.0
        chosen = (weights - weights.logsumexp(0)).exp()
        kept = chosen > 0
        return RowMixture(chosen[kept], self.means[kept], self.factors[kept], tables[:, kept], self.sizes).to(
            self.means
        )

    def typical_points(self) -> Float[Tensor, "k D"]:
        return self.sample(torch.Generator().manual_seed(0), POINTS)

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def _parts(self, x: Tensor) -> tuple[Tensor, ...]:
        return x.split(max(256, AT_ONCE // max(1, self.whiteners.shape[0])))

    def _both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self._whitened(x)
        logits = self._logits(x, y)
        gradient = (logits.softmax(0)[:, None] * y).flatten(0, 1).T @ self.whiteners.to(x.dtype)
        return -logits.logsumexp(0), torch.cat([gradient, x.new_zeros(len(x), len(self.sizes))], 1)

    def _whitened(self, x: Tensor) -> Float[Tensor, "k d n"]:
        z = x[:, : self.numbers]
        y = torch.addmm(self.centers.to(x.dtype), self.whiteners.to(x.dtype), z.T, beta=-1)
        return y.view(len(self.weights), self.numbers, len(x))

    def _logits(self, x: Tensor, y: Tensor) -> Float[Tensor, "k n"]:
        logits = self.log_weights.to(y.dtype) - 0.5 * y.square().sum(1)
        if not self.sizes:
            return logits
        most = torch.tensor(self.sizes, device=x.device) - 1
        codes = x[:, self.numbers :].detach().round().long().clamp(min=0).minimum(most)
        places = codes + torch.tensor(self.starts[:-1], device=x.device)
        return logits + functional.embedding_bag(places, self.tables.to(y.dtype), mode="sum").T

    def _numbers(self, component: Tensor, ξ: Tensor) -> Tensor:
        """The numbers of draws from these components."""
        L = self.factors.to(ξ)[component]
        return self.means.to(ξ)[component] + (L @ ξ[:, :, None]).squeeze(-1)

    def code(self, j: int, component: Tensor, v: Tensor) -> Tensor:
        """Codes of a column, by uniform v, in rows of these components."""
        table = self.tables[self.starts[j] : self.starts[j + 1]].double().exp().cumsum(0)
        return (v.double()[:, None] >= table.T[component]).sum(1).clamp(max=self.sizes[j] - 1)
