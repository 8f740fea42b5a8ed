"""Energies whose e^{−U} is a sum of Gaussian terms, with the one integral that these have in closed form
(O.6).

    e^{−U} = Σ_k e^{−q_k},   q_k = ½xᵀA_kx − b_kᵀx + c_k,   log ∫e^{−q} = (d/2) log 2π − ½ log det A + ½bᵀA⁻¹b
                             − c   where A ≻ 0

Shifts, tilts, changes of coordinates, sums and whole powers of such energies are such energies, so the
integral survives any nesting.
"""

import math
from functools import singledispatch
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lem_safe.energies.adjusted import Shifted, Tempered, Tilted
from lem_safe.energies.base import Energy
from lem_safe.energies.composed import Combination
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.mapped import Mapped
from lem_safe.energies.quadratic import Quadratic
from lem_safe.energies.transported import Transported

MOST = 4096
"""Terms of a product of sums, at the most."""


class GaussianSum(NamedTuple):
    """The terms' A, b and c, float64."""

    A: Float[Tensor, "k d d"]
    b: Float[Tensor, "k d"]
    c: Float[Tensor, "k"]

    def shifted(self, s: Tensor) -> "GaussianSum":
        """x − s for x."""
        As = self.A @ s
        return GaussianSum(self.A, self.b + As, self.c + self.b @ s + 0.5 * As @ s)

    def linear(self, W: Tensor) -> "GaussianSum":
        """Wx for x."""
        return GaussianSum(W.T @ self.A @ W, self.b @ W, self.c)

    def times(self, other: "GaussianSum") -> "GaussianSum | None":
        """The product of both sums; None where it has too many terms."""
        if len(self.c) * len(other.c) > MOST:
            return None
        A, b = self.A[:, None] + other.A, self.b[:, None] + other.b
        return GaussianSum(A.flatten(0, 1), b.flatten(0, 1), (self.c[:, None] + other.c).flatten())

    def power(self, t: float) -> "GaussianSum | None":
        """e^{−tU}: of one term any, of several a whole number ≥ 1."""
        if len(self.c) == 1:
            return GaussianSum(t * self.A, t * self.b, t * self.c)
        if t < 1 or t != round(t):
            return None
        found: GaussianSum | None = self
        for _ in range(round(t) - 1):
            found = found and found.times(self)
        return found

    def log_integral(self) -> float | None:
        """log ∫e^{−U}; None where a term does not confine."""
        L, info = torch.linalg.cholesky_ex(self.A)
        if bool((info != 0).any()) or not bool(L.isfinite().all()):
            return None
        y = torch.linalg.solve_triangular(L, self.b[..., None], upper=False)[..., 0]
        log_det = 2 * L.diagonal(dim1=1, dim2=2).log().sum(1)
        each = (
            0.5 * self.b.shape[1] * math.log(2 * math.pi) - 0.5 * log_det + 0.5 * y.square().sum(1) - self.c
        )
        return float(each.logsumexp(0))


@singledispatch
def gaussian_sum(energy: Energy) -> GaussianSum | None:
    """The terms of e^{−U}, where its form tells; None otherwise."""
    return None


@gaussian_sum.register
def _gaussian(energy: Gaussian) -> GaussianSum | None:
    W = energy.whitener.double().cpu()
    return _around(W[None], energy.mean.double().cpu()[None], energy.log_normalizer.double().cpu()[None])


@gaussian_sum.register
def _mixture(energy: GaussianMixture) -> GaussianSum | None:
    W = energy.whiteners.double().cpu().view(-1, energy.dimension, energy.dimension)
    return _around(W, energy.means.double().cpu(), -energy.log_weights.double().cpu().flatten())


@gaussian_sum.register
def _quadratic(energy: Quadratic) -> GaussianSum | None:
    K, m = energy.stiffness.double().cpu(), energy.center.double().cpu()
    return GaussianSum(K[None], (K @ m)[None], (0.5 * m @ K @ m)[None])


@gaussian_sum.register
def _sum(energy: Combination) -> GaussianSum | None:
    found: GaussianSum | None = None
    for k, (w, term) in enumerate(zip(energy.weights, energy.members(), strict=True)):
        part = gaussian_sum(term)
        part = part and part.power(w)
        if part is None or (k and found is None):
            return None
        found = part if found is None else found.times(part)
    return found


@gaussian_sum.register
def _tempered(energy: Tempered) -> GaussianSum | None:
    found = gaussian_sum(energy.energy)
    return found and found.power(1 / energy.temperature)


@gaussian_sum.register
def _shifted(energy: Shifted) -> GaussianSum | None:
    found = gaussian_sum(energy.energy)
    return found and found.shifted(energy.shift.double().cpu())


@gaussian_sum.register
def _tilted(energy: Tilted) -> GaussianSum | None:
    found = gaussian_sum(energy.energy)
    return found and found._replace(b=found.b + energy.tilt.double().cpu())


@gaussian_sum.register
def _mapped(energy: Mapped) -> GaussianSum | None:
    found, z = gaussian_sum(energy.energy), energy.coordinates
    moved = found and found.linear(z.inverse_matrix.double().cpu()).shifted(z.offset.double().cpu())
    return moved and moved._replace(c=moved.c + energy.log_volume.double().cpu())


@gaussian_sum.register
def _transported(energy: Transported) -> GaussianSum | None:
    found, z = gaussian_sum(energy.inner), energy.coordinates
    return found and found.linear(z.inverse_matrix.double().cpu()).shifted(z.offset.double().cpu())


def _around(W: Tensor, m: Tensor, c: Tensor) -> GaussianSum:
    """½‖W(x − m)‖² + c of every term."""
    A = W.transpose(1, 2) @ W
    b = (A @ m[..., None])[..., 0]
    return GaussianSum(A, b, c + 0.5 * (b * m).sum(1))
