"""Multipliers from membership alone: the dual of the KL projection sees a distribution only through the
masses of its patterns of membership, at most 2^m of them for m sets (G.4, G.6).

Clouds drawn under known multipliers μ^r weigh a pattern π by e^{−μ^r·π}. All clouds together give the
unfiltered masses that make their counts most likely,

    q(π) ∝ Σ_r c_r(π) / Σ_r n_r e^{−μ^r·π}/Z_r,    Z_r = Σ_π q(π) e^{−μ^r·π},

the self-consistent equations of weighted histograms, solved by iteration.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from barriers.arrays import Tensor, torch
from barriers.projection import tilt

SWEEPS = 10_000
PRECISION = 1e-12


class Cloud(NamedTuple):
    """Membership of the particles of a cloud in each set, and the finite multipliers that it was drawn under,
    in nats.
    """

    inside: Bool[Tensor, "n m"]
    multipliers: Float[Tensor, "m"]


class Masses(NamedTuple):
    """Patterns of membership and what the unfiltered distribution has of each; the masses sum to 1."""

    patterns: Bool[Tensor, "p m"]
    masses: Float[Tensor, "p"]

    def of_sets(self) -> Float[Tensor, "m"]:
        """The mass of every set."""
        return self.masses @ self.patterns.double()


def unfiltered_masses(clouds: Sequence[Cloud]) -> Masses:
    """The masses that the clouds together make most likely. Where no particle of any cloud is outside every
    set, half a particle of the last one counts as if it were, so that the multipliers stay finite.
    """
    m = clouds[0].inside.shape[1]
    rows = torch.cat([cloud.inside.cpu() for cloud in clouds] + [torch.zeros(1, m, dtype=torch.bool)])
    patterns, which = distinct(rows)
    sizes = [len(cloud.inside) for cloud in clouds]
    counts = torch.stack(
        [torch.bincount(part, minlength=len(patterns)).double() for part in which[:-1].split(sizes)]
    )
    nowhere = int(which[-1])
    if counts[:, nowhere].sum() == 0:
        counts[-1, nowhere] = 0.5
    weights = torch.stack([-(patterns.double() @ cloud.multipliers.double().cpu()) for cloud in clouds])
    present = counts.sum(0) > 0
    patterns, counts, weights = patterns[present], counts[:, present], weights[:, present]
    return Masses(patterns, _solved(counts, weights))


def distinct(rows: Bool[Tensor, "n m"]) -> tuple[Bool[Tensor, "p m"], Int64[Tensor, "n"]]:
    """The patterns of membership that occur, and which of them each row has."""
    bits = np.packbits(rows.numpy(), axis=1)
    width = bits.shape[1]
    padded = np.zeros((len(bits), -(-max(width, 1) // 8) * 8), np.uint8)
    padded[:, :width] = bits
    words = padded.view(">u8")
    words = words[:, 0] if words.shape[1] == 1 else words
    _, first, which = np.unique(words, axis=0, return_index=True, return_inverse=True)
    return rows[torch.from_numpy(first)], torch.from_numpy(which.reshape(-1))


def _solved(counts: Float[Tensor, "r p"], weights: Float[Tensor, "r p"]) -> Float[Tensor, "p"]:
    """The masses, by iteration in logarithms."""
    total, sizes = counts.sum(0).log(), counts.sum(1).log()
    log_z = torch.zeros(len(counts), dtype=torch.float64)
    for _ in range(SWEEPS):
        log_q = total - torch.logsumexp(sizes[:, None] + weights - log_z[:, None], 0)
        log_q = log_q - torch.logsumexp(log_q, 0)
        after = torch.logsumexp(log_q + weights, 1)
        done = bool((after - log_z).abs().max() <= PRECISION)
        log_z = after
        if done:
            break
    return log_q.exp()


def multipliers(found: Masses, limits: Sequence[float]) -> Float[Tensor, "m"]:
    """μ of the KL projection onto every {ρ(𝒰_k) ≤ limit_k}, in nats; infinite where a limit is 0.

    Raises ValueError where the patterns exclude the limits, such as two sets that cover everything.
    """
    c = torch.tensor(limits, dtype=torch.float64)
    possible = ~found.patterns[:, c == 0].any(1)
    if not bool(possible.any()):
        raise ValueError("no particle was outside the sets whose limit is 0")
    μ = torch.full_like(c, torch.inf)
    if bool((c > 0).any()):
        q, inside, limit = found.masses[possible], found.patterns[possible][:, c > 0].double(), c[c > 0]
        q = q / q.sum()
        μ[c > 0] = tilt(inside, limit, q, apart(q @ inside, limit)).multipliers
    return μ


def apart(p: Float[Tensor, "m"], limits: Float[Tensor, "m"]) -> Float[Tensor, "m"]:
    """The multiplier of each set as if it were the only one (P.2), for masses p."""
    odds = torch.logit(p.clamp(1e-300, 1 - 1e-16)) - torch.logit(limits.clamp(max=1 - 1e-16))
    return odds.clamp(min=0)
