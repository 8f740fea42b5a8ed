"""Energies whose e^{−U} is a sum of Gaussian terms, with the integral in closed form (O.6).

    e^{−U} = Σ_k e^{−q_k},   q_k = ½xᵀA_kx − b_kᵀx + c_k,   log ∫e^{−q} = (d/2) log 2π − ½ log det A + ½bᵀA⁻¹b
                             − c   where A ≻ 0

Shifts, tilts, changes of coordinates, sums and whole powers of such energies are of the same form, so the
integral is known for any nesting.
"""

import math
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.curvature import floor_of_mixture, least_eigenvalue

MOST, NUMBERS = 4096, 2**25
"""The largest number of terms of a product of sums, and of numbers in their matrices."""
ROUNDED = 1e-12
"""The relative distance up to which a power counts as a whole number."""


def whole(t: float) -> int | None:
    """The whole number ≥ 1 that t equals up to rounding; None where there is none."""
    return round(t) if t > 0.5 and abs(t - round(t)) <= ROUNDED * t else None


class GaussianSum(NamedTuple):
    """The terms' A, b and c, float64, on the CPU."""

    A: Float[Tensor, "k d d"]
    b: Float[Tensor, "k d"]
    c: Float[Tensor, "k"]

    @staticmethod
    def around(
        whiteners: Float[Tensor, "k d d"], means: Float[Tensor, "k d"], c: Float[Tensor, "k"]
    ) -> "GaussianSum":
        """The terms ½‖W(x − m)‖² + c."""
        W, m = whiteners.double().cpu(), means.double().cpu()
        A = W.transpose(1, 2) @ W
        b = (A @ m[..., None])[..., 0]
        return GaussianSum(A, b, c.double().cpu() + 0.5 * (b * m).sum(1))

    def shifted(self, s: Tensor) -> "GaussianSum":
        """The terms with x − s for x."""
        As = self.A @ s
        return GaussianSum(self.A, self.b + As, self.c + self.b @ s + 0.5 * As @ s)

    def linear(self, W: Tensor) -> "GaussianSum":
        """The terms with Wx for x."""
        return GaussianSum(W.T @ self.A @ W, self.b @ W, self.c)

    def raised(self, by: float) -> "GaussianSum":
        """The terms of U + by."""
        return self._replace(c=self.c + by)

    def times(self, other: "GaussianSum") -> "GaussianSum | None":
        """The product of both sums; None where it has too many terms."""
        count = len(self.c) * len(other.c)
        if count > 1 and (count > MOST or count * self.A[0].numel() > NUMBERS):
            return None
        A, b = self.A[:, None] + other.A, self.b[:, None] + other.b
        return GaussianSum(A.flatten(0, 1), b.flatten(0, 1), (self.c[:, None] + other.c).flatten())

    def power(self, t: float) -> "GaussianSum | None":
        """e^{−tU}: for one term any t, for several a whole number ≥ 1; None otherwise."""
        if len(self.c) == 1:
            return GaussianSum(t * self.A, t * self.b, t * self.c)
        times = whole(t)
        if times is None:
            return None
        found: GaussianSum | None = self
        for _ in range(times - 1):
            found = found and found.times(self)
        return found

    def log_integral(self) -> float | None:
        """log ∫e^{−U}; None where a term is not integrable."""
        masses = self._log_masses()
        return None if masses is None else float(masses.logsumexp(0))

    def curvature_floor(self) -> float | None:
        """κ with ∇²U ⪰ κI: for one term, and for several with one A ≻ 0; None otherwise."""
        if len(self.c) == 1:
            return least_eigenvalue(self.A[0])
        L, info = torch.linalg.cholesky_ex(self.A[0])
        close = 1e-12 * float(self.A[0].abs().max())
        if int(info) != 0 or not torch.allclose(self.A, self.A[:1].expand_as(self.A), rtol=1e-9, atol=close):
            return None
        means = torch.cholesky_solve(self.b.T, L).T
        return floor_of_mixture(means, L.T)

    def draws(self, generator: torch.Generator, n: int) -> Float[Tensor, "n d"] | None:
        """n independent draws from e^{−U}/Z, float64; None where a term is not integrable."""
        masses = self._log_masses()
        if masses is None:
            return None
        k = torch.multinomial(masses.softmax(0), n, replacement=True, generator=generator)
        ξ = torch.randn(n, self.b.shape[1], generator=generator, dtype=torch.float64)
        x = torch.empty_like(ξ)
        for j in k.unique().tolist():  # one matrix at a time
            L, rows = torch.linalg.cholesky(self.A[j]), k == j
            mean = torch.cholesky_solve(self.b[j][:, None], L)
            x[rows] = (mean + torch.linalg.solve_triangular(L.T, ξ[rows].T, upper=True)).T
        return x

    def _log_masses(self) -> Tensor | None:
        """log ∫e^{−q} of every term."""
        L, info = torch.linalg.cholesky_ex(self.A)
        if bool((info != 0).any()) or not bool(L.isfinite().all()):
            return None
        y = torch.linalg.solve_triangular(L, self.b[..., None], upper=False)[..., 0]
        log_det = 2 * L.diagonal(dim1=1, dim2=2).log().sum(1)
        return (
            0.5 * self.b.shape[1] * math.log(2 * math.pi) - 0.5 * log_det + 0.5 * y.square().sum(1) - self.c
        )
