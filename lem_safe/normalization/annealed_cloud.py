"""Particles on the way from one energy to another, U_s = (1 − s)U₀ + sU, and the two moves that keep e^{−U_s}
exactly.

Langevin   y − h∇U_s + √(2h)ξ, accepted by Metropolis; h may differ from particle to particle by a factor
           drawn beforehand, uniform in
           its logarithm over [e^{−spread}, e^{spread}], so that one cloud moves in its narrow parts and in
           its wide ones
scale      every coordinate but one times e^η, η ~ N(0, 1), accepted with the Jacobian e^{(d−1)η} (all of one
           coordinate where d = 1)
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lem_safe.energies.base import Energy
from lem_safe.keys import Key


class Path(NamedTuple):
    """Both ends over y: U₀, whose draws are where particles start, and U."""

    base: Energy
    target: Energy

    def at(self, y: Tensor) -> "Cloud":
        """Particles y with both energies and their gradients."""
        U0, g0 = self.base.value_and_gradient(y)
        U, g = self.target.value_and_gradient(y)
        return Cloud(y, U - U0, U0, g0, g)


class Cloud(NamedTuple):
    """Particles y [n, d], D = U − U₀ and U₀ there [n], ∇U₀ and ∇U [n, d]."""

    y: Tensor
    D: Tensor
    U0: Tensor
    g0: Tensor
    g: Tensor

    def rows(self, index: Tensor) -> "Cloud":
        """Some of the particles, in the order of `index`."""
        return Cloud(*(part[index] for part in self))

    def tilted(self, s: float) -> tuple[Tensor, Tensor]:
        """U_s and ∇U_s."""
        return self.U0 + s * self.D, (1 - s) * self.g0 + s * self.g

    def where(self, taken: Tensor, there: "Cloud") -> "Cloud":
        """The particles of `there` where they are taken, these where they are not."""
        pairs = zip(self, there, strict=True)
        return Cloud(*(torch.where(taken if a.ndim == 1 else taken[:, None], b, a) for a, b in pairs))


def langevin(
    path: Path, cloud: Cloud, s: float, h: float, key: Key, spread: float = 0.0
) -> tuple[Cloud, float]:
    """One Metropolis-adjusted Langevin step for U_s, of size h times each particle's own factor, and the mean
    acceptance.
    """
    u, g = cloud.tilted(s)
    H = (
        h * (spread * (2 * key.fold("size").uniform(u) - 1)).exp()[:, None]
        if spread
        else torch.full_like(u[:, None], h)
    )
    ξ = key.fold("noise").normal(cloud.y)
    there = path.at(cloud.y - H * g + (2 * H).sqrt() * ξ)
    v, back = there.tilted(s)
    returned = ((cloud.y - there.y + H * back).square() / (4 * H)).sum(1)
    return _accepted(cloud, there, u - v + 0.5 * ξ.square().sum(1) - returned, key)


def scale(path: Path, cloud: Cloud, s: float, key: Key) -> Cloud:
    """One step that widens or narrows all coordinates but one, drawn for each particle."""
    n, d = cloud.y.shape
    η, moved = key.fold("factor").normal(cloud.D), torch.ones_like(cloud.y)
    if d > 1:
        held = (key.fold("held").uniform(cloud.D) * d).long().clamp(max=d - 1)
        moved[torch.arange(n, device=held.device), held] = 0
    there = path.at(cloud.y * (η[:, None] * moved).exp())
    log_odds = cloud.tilted(s)[0] - there.tilted(s)[0] + max(1, d - 1) * η
    return _accepted(cloud, there, log_odds, key)[0]


def _accepted(cloud: Cloud, there: Cloud, log_odds: Tensor, key: Key) -> tuple[Cloud, float]:
    log_odds = torch.where(log_odds.isfinite(), log_odds, -torch.inf)
    taken = key.fold("accept").uniform(log_odds).log() < log_odds
    return cloud.where(taken, there), float(log_odds.clamp(max=0).exp().mean())


def step_size(d: int) -> float:
    """h to begin with in d dimensions, where U is of size 1."""
    return 1.0 / max(1.0, d) ** (1 / 3)


def adapted(h: float, accepted: float, wanted: float) -> float:
    """h, larger where more was accepted than wanted."""
    return h * math.exp(0.5 * (accepted - wanted))
