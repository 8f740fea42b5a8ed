"""Particles between two energies, U_s = (1 − s)U₀ + sU, and the two moves that leave e^{−U_s} exactly
invariant.

Langevin   y − h∇U_s + √(2h)ξ, accepted by Metropolis (E.8); h may be multiplied by a factor drawn for each
           particle, log-uniform over [e^{−spread}, e^{spread}], so that one cloud moves in its narrow and its
           wide parts
scale      every coordinate but one times e^η, η ~ N(0, 1), accepted with the Jacobian e^{(d−1)η} (all of one
           coordinate where d = 1)
"""

import math
from typing import NamedTuple

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy
from lem_safe.keys import Key
from lem_safe.metropolis import Site, langevin_move, taken, tested


class Path(NamedTuple):
    """Both ends over y: U₀, from which the initial particles are drawn, and U."""

    base: Energy
    target: Energy

    def at(self, y: Tensor) -> "Cloud":
        """The particles y with both energies and their gradients."""
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
        """The particles with these indices, in this order."""
        return Cloud(*(part[index] for part in self))

    def tilted(self, s: float) -> tuple[Tensor, Tensor]:
        """U_s and ∇U_s."""
        return self.U0 + s * self.D, (1 - s) * self.g0 + s * self.g


def langevin(
    path: Path, cloud: Cloud, s: float, h: float, key: Key, spread: float = 0.0
) -> tuple[Cloud, float]:
    """One Metropolis-adjusted Langevin step for U_s, of size h times each particle's own factor, and the mean
    acceptance.
    """

    def proposed(y: Tensor) -> tuple[Site, Cloud]:
        there = path.at(y)
        return _site(there, s), there

    one, ξ = torch.ones_like(cloud.D), key.fold("noise").normal(cloud.y)
    H = h * (spread * (2 * key.fold("size").uniform(one) - 1)).exp() if spread else h
    uniforms = key.fold("accept").uniform(one)
    verdict, there = langevin_move(_site(cloud, s), proposed, H, one, ξ, uniforms)
    return taken(verdict.accepted, there, cloud), float(verdict.chance.mean())


def scale(path: Path, cloud: Cloud, s: float, key: Key) -> Cloud:
    """One step that rescales all coordinates but one, drawn for each particle."""
    n, d = cloud.y.shape
    η, moved = key.fold("factor").normal(cloud.D), torch.ones_like(cloud.y)
    if d > 1:
        held = (key.fold("held").uniform(cloud.D) * d).long().clamp(max=d - 1)
        moved[torch.arange(n, device=held.device), held] = 0
    there = path.at(cloud.y * (η[:, None] * moved).exp())
    log_odds = cloud.tilted(s)[0] - there.tilted(s)[0] + max(1, d - 1) * η
    accepted = tested(log_odds, key.fold("accept").uniform(η)).accepted
    return taken(accepted, there, cloud)


def _site(cloud: Cloud, s: float) -> Site:
    U, gradient = cloud.tilted(s)
    return Site(cloud.y, U, -gradient)


def step_size(d: int) -> float:
    """The initial h in d dimensions, where U is of size 1."""
    return 1.0 / max(1.0, d) ** (1 / 3)


def adapted(h: float, accepted: float, wanted: float) -> float:
    """h, increased where more was accepted than wanted, else decreased."""
    return h * math.exp(0.5 * (accepted - wanted))
