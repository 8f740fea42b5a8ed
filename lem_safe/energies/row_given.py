"""An energy of rows under values that are given of ordered columns (E.30).

In the place of a given column's latent number ζ stands w, and ζ(w) is within the stretch [a, b] that the
value has; J = dζ/dw. With P these columns, and R the others,

    U_w(w, z_R, c) = U(ζ(w), z_R, c) + Σ_P (½w² − ½ζ(w)²),

up to a constant, is the energy of U's distribution conditioned on ζ in [a, b]. Fresh draws take w normal
and, given ζ(w), the rest from the mixture: components of weights ∝ w_k N(ζ; m_k, Σ_k)_P, each a normal
distribution conditioned on ζ. They are tested by g − log p₀(ζ) − ½|ζ|², with p₀ the mixture's density
on P.
"""

import math
from collections.abc import Mapping

from jaxtyping import Float, Float64

from barriers.arrays import Tensor, torch
from lem_safe.data.typed.stretches import Stretch
from lem_safe.energies.base import POINTS, Energy
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_mixture import AT_ONCE, RowMixture


class Given(torch.nn.Module):
    """The mixture under latent numbers of some columns, by the stretches that these are in."""

    def __init__(self, mixture: RowMixture, stretches: Mapping[int, Stretch]):
        super().__init__()
        self.mixture, self.stretches = mixture, dict(stretches)
        self.numbers = mixture.numbers
        self.held = sorted(self.stretches)
        self.rest = [j for j in range(self.numbers) if j not in self.stretches]
        L = mixture.factors.double()
        S = L @ L.mT
        P, R = torch.tensor(self.held), torch.tensor(self.rest, dtype=torch.long)
        block = S[:, P][:, :, P]
        gain = torch.linalg.solve(block, S[:, P][:, :, R]).mT
        spread = S[:, R][:, :, R] - gain @ S[:, P][:, :, R]
        own = {
            "root": torch.linalg.cholesky(block),
            "gain": gain,
            "factor": torch.linalg.cholesky((spread + spread.mT) / 2),
            "centre": mixture.means.double()[:, P],
            "others": mixture.means.double()[:, R],
        }
        for name, tensor in own.items():
            self.register_buffer(name, tensor, persistent=False)

    root: Tensor
    gain: Tensor
    factor: Tensor
    centre: Tensor
    others: Tensor

    def placed(self, x: Float[Tensor, "n D"]) -> tuple[Float64[Tensor, "n p"], Float64[Tensor, "n p"]]:
        """ζ and dζ/dw of the given columns."""
        w = x[:, self.held].double()
        ζ = torch.stack([self.stretches[j].at(w[:, i]) for i, j in enumerate(self.held)], 1)
        J = [self.stretches[j].slope(w[:, i], ζ[:, i]) for i, j in enumerate(self.held)]
        return ζ, torch.stack(J, 1)

    def with_latent(self, x: Float[Tensor, "n D"], ζ: Float64[Tensor, "n p"]) -> Float[Tensor, "n D"]:
        """Points with ζ in the place of w."""
        columns = list(x.unbind(1))
        for i, j in enumerate(self.held):
            columns[j] = ζ[:, i].to(x.dtype)
        return torch.stack(columns, 1)

    def log_shares(self, ζ: Float64[Tensor, "n p"]) -> Float64[Tensor, "n k"]:
        """log w_k N(ζ; m_k, Σ_k)_P of every component, whose sum is p₀(ζ)."""
        y = torch.linalg.solve_triangular(self.root, (ζ[:, None] - self.centre)[..., None], upper=False)
        scale = self.root.diagonal(dim1=1, dim2=2).log().sum(1) + 0.5 * len(self.held) * math.log(2 * math.pi)
        return self.mixture.weights.double().log() - scale - 0.5 * y[..., 0].square().sum(-1)

    def log_ratio(self, x: Float[Tensor, "n D"]) -> Float64[Tensor, "n"]:
        """log p₀(ζ) + ½|ζ|², by which the density of fresh draws differs from the mixture's."""
        ζ, _ = self.placed(x)
        return self.log_shares(ζ).logsumexp(1) + 0.5 * ζ.square().sum(1)

    def draws(
        self, u: Float[Tensor, "n"], ξ: Float[Tensor, "n d"], v: Float[Tensor, "n c"]
    ) -> Float[Tensor, "n D"]:
        """Independent draws, made of uniform u, normal ξ, which holds w, and uniform v."""
        size = max(256, AT_ONCE // max(1, len(self.root) * len(self.held) ** 2, self.numbers**2))
        parts = zip(u.split(size), ξ.split(size), v.split(size), strict=True)
        return torch.cat([self._drawn(*part) for part in parts])

    def _drawn(self, u: Tensor, ξ: Tensor, v: Tensor) -> Tensor:
        ζ, _ = self.placed(ξ)
        steps = self.log_shares(ζ).softmax(1).cumsum(1)
        component = (u.double()[:, None] >= steps).sum(1).clamp(max=steps.shape[1] - 1)
        shift = self.gain[component] @ (ζ - self.centre[component])[..., None]
        noise = self.factor[component] @ ξ[:, self.rest].double()[..., None]
        z = ξ.clone()
        z[:, self.rest] = (self.others[component] + (shift + noise)[..., 0]).to(ξ.dtype)
        codes = [self.mixture.code(j, component, v[:, j]) for j in range(self.mixture.codes)]
        return torch.cat([z, *(code[:, None].to(ξ) for code in codes)], 1)


class GivenRows(Energy):
    """An energy of rows under values of ordered columns, by the stretches of their latent numbers."""

    def __init__(self, inner: RowEnergy | RowMixture, stretches: Mapping[int, Stretch]):
        super().__init__()
        mixture = inner.base if isinstance(inner, RowEnergy) else inner
        self.inner, self.base = inner, Given(mixture, stretches)
        self.dimension, self.codes = inner.dimension, inner.codes
        self.estimate = inner.estimate

    def forward(self, x: Float[Tensor, "n D"]) -> Float[Tensor, "n"]:
        ζ, _ = self.base.placed(x)
        return self.inner(self.base.with_latent(x, ζ)) + self._turned(x, ζ)

    def value_and_gradient(self, x: Float[Tensor, "n D"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n D"]]:
        ζ, J = self.base.placed(x.detach())
        value, gradient = self.inner.value_and_gradient(self.base.with_latent(x.detach(), ζ))
        own = gradient.clone()
        w = x.detach()[:, self.base.held].double()
        own[:, self.base.held] = ((gradient[:, self.base.held] - ζ) * J + w).to(x.dtype)
        return value + self._turned(x.detach(), ζ), own

    def laplacian(
        self, x: Float[Tensor, "n D"], directions: Float[Tensor, "D r"] | None = None
    ) -> Float[Tensor, "n"]:
        """With s = (1, J) and V in parts that go along R and along each given column, Σ s_a s_b tr(V_aᵀHV_b),
        and of each given column Σ_r V² times (U′ − ζ)(ζJ² − wJ) − J² + 1.
        """
        V = torch.eye(self.dimension) if directions is None else directions
        V, held = V.to(x), self.base.held
        ζ, J = self.base.placed(x.detach())
        z, w = self.base.with_latent(x.detach(), ζ), x.detach()[:, held].double()
        slope = self.inner.value_and_gradient(z)[1][:, held].double()
        parts = [V.clone()] + [torch.zeros_like(V) for _ in held]
        for i, j in enumerate(held):
            parts[0][j] = 0
            parts[1 + i][j] = V[j]
        scales = [torch.ones_like(J[:, 0]), *J.unbind(1)]
        own = [self.inner.laplacian(z, part).double() for part in parts]
        total = sum((s.square() * part for s, part in zip(scales, own, strict=True)), torch.zeros(len(x)))
        for a in range(len(parts)):
            for b in range(a):
                if bool((parts[a].abs().sum(0) * parts[b].abs().sum(0)).any()):
                    both = self.inner.laplacian(z, parts[a] + parts[b]).double()
                    total = total + scales[a] * scales[b] * (both - own[a] - own[b])
        bent = (slope - ζ) * (ζ * J.square() - w * J) - J.square() + 1
        return (total + bent @ V[held].double().square().sum(1)).to(x.dtype)

    def excess(self, x: Float[Tensor, "n D"]) -> Float[Tensor, "n"]:
        """log of the density of fresh draws over the energy's, up to a constant."""
        ζ, _ = self.base.placed(x)
        ratio = self.base.log_ratio(x).to(x.dtype)
        if isinstance(self.inner, RowEnergy):
            return self.inner.correction(self.base.with_latent(x, ζ)) - ratio
        return -ratio

    def typical_points(self) -> Float[Tensor, "k D"]:
        g = torch.Generator().manual_seed(0)
        ξ = torch.randn(POINTS, self.base.numbers, generator=g, dtype=torch.float64)
        u, v = torch.rand(POINTS, 1 + self.codes, generator=g, dtype=torch.float64).tensor_split([1], 1)
        return self.base.draws(u[:, 0], ξ, v)

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def _turned(self, x: Tensor, ζ: Tensor) -> Tensor:
        """Σ (½w² − ½ζ²)."""
        w = x[:, self.base.held].double()
        return 0.5 * (w.square() - ζ.square()).sum(1).to(x.dtype)
