"""A density through the particles of one part of a cloud, from which the others draw new places:

    q(y) = (1 − w)/m Σ_j N(y; z_j, b²S) + w t₁(y; z̄, C),        (E.13)
    b = argmax Σ_j log Σ_{i≠j} N(z_j; z_i, b²S).                  (E.14)

S is the covariance of the differences between near neighbours among the z, so that it has the shape of a mode
and not the distances between modes; nearness is measured in the metric of C, their covariance. Both follow
every change of units. b is the bandwidth under which each z is likeliest given the others. The second term
has tails without moments: places that no z is near stay possible, and can be left again.
"""

import math
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.keys import Key

WIDE = 0.1
"""w, the weight of the term with heavy tails."""
NEIGHBOURS = 5
"""How many near neighbours of each z the shape S is estimated from."""
SMALLEST, LARGEST = -12, 8
"""The least and the largest j of the bandwidths 2^{j/2} that are tried; b = 1 is a neighbour's distance."""
BLOCK = 2**22
"""How many pairs of particles are evaluated together."""


class KernelMixture(NamedTuple):
    """The centres z in float64, the Cholesky factors of b²S and of C."""

    centres: Float[Tensor, "m d"]
    near: Float[Tensor, "d d"]
    wide: Float[Tensor, "d d"]

    @staticmethod
    def through(points: Float[Tensor, "m d"]) -> "KernelMixture | None":
        """The density through these points; None where they do not spread in every column, or are fewer
        than two.
        """
        z = points.detach().double()
        m = len(z)
        if m < 2:
            return None
        wide = _factor((z - z.mean(0)).T @ (z - z.mean(0)) / (m - 1), m)
        if wide is None:
            return None
        apart = _squared(wide, z, z).fill_diagonal_(math.inf)
        neighbours = apart.topk(min(NEIGHBOURS, m - 1), largest=False).indices
        differences = (z[neighbours] - z[:, None]).flatten(0, 1)
        near = _factor(differences.T @ differences / len(differences), m)
        return None if near is None else KernelMixture(z, _bandwidth(near, z) * near, wide)

    def log_density(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """log q(y), in float64."""
        rows = max(1, BLOCK // len(self.centres))
        return torch.cat([self._log_density(part) for part in y.double().split(rows)])

    def draw(self, key: Key, like: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """As many draws from q as `like` has rows, of its dtype."""
        x = like.double()
        ξ, χ = key.fold("noise").normal(x), key.fold("scale").normal(x[:, :1])
        which = (key.fold("centre").uniform(x[:, 0]) * len(self.centres)).long()
        close = self.centres[which] + ξ @ self.near.T
        far = self.centres.mean(0) + (ξ / χ) @ self.wide.T
        return torch.where((key.fold("wide").uniform(x[:, 0]) < WIDE)[:, None], far, close).to(like.dtype)

    def _log_density(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        (m, d), mean = self.centres.shape, self.centres.mean(0, keepdim=True)
        close = (-0.5 * _squared(self.near, y, self.centres)).logsumexp(1)
        close = close - math.log(m) - 0.5 * d * math.log(2 * math.pi) - _log_determinant(self.near)
        far = -0.5 * (1 + d) * _squared(self.wide, y, mean)[:, 0].log1p()
        far = (
            far + math.lgamma(0.5 * (1 + d)) - 0.5 * (1 + d) * math.log(math.pi) - _log_determinant(self.wide)
        )
        return torch.logaddexp(math.log1p(-WIDE) + close, math.log(WIDE) + far)


def _factor(S: Float[Tensor, "d d"], m: int) -> Float[Tensor, "d d"] | None:
    """The Cholesky factor of a covariance estimated from m points, shrunk towards its diagonal, which m ≤ d
    points need; None where a column has no spread.
    """
    γ = (len(S) + 1) / (m + len(S) + 1)
    L, info = torch.linalg.cholesky_ex((1 - γ) * S + γ * torch.diag(S.diagonal()))
    return L if int(info) == 0 and bool(L.isfinite().all()) else None


def _bandwidth(L: Float[Tensor, "d d"], z: Float[Tensor, "m d"]) -> float:
    """The b of (E.14), to half an octave, found from 1 by steps that make it likelier."""
    r, d = _squared(L, z, z).fill_diagonal_(math.inf), z.shape[1]

    def likelihood(j: int) -> float:
        return float((-0.5 * r / 2.0**j).logsumexp(1).mean()) - 0.5 * d * j * math.log(2)

    best, most = 0, likelihood(0)
    for step in (-1, 1):
        while SMALLEST <= best + step <= LARGEST and (found := likelihood(best + step)) > most:
            best, most = best + step, found
    return float(2 ** (0.5 * best))


def _squared(
    L: Float[Tensor, "d d"], y: Float[Tensor, "n d"], z: Float[Tensor, "m d"]
) -> Float[Tensor, "n m"]:
    """‖L⁻¹(y_i − z_j)‖²."""
    middle = z.mean(0)
    a, c = (torch.linalg.solve_triangular(L, (x - middle).T, upper=False).T for x in (y, z))
    return (a.square().sum(1)[:, None] + c.square().sum(1) - 2 * a @ c.T).clamp(min=0)


def _log_determinant(L: Float[Tensor, "d d"]) -> Float[Tensor, ""]:
    return L.diagonal().log().sum()
