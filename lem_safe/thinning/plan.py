"""How many rows of each pattern of membership stay (P.8): the KL projection of the rows, in whole rows.

    t_π = N_π e^{−μ·π} / max_π e^{−μ·π}        μ of the projection (G.4); without a set it is in, a row always
    stays c_π ≤ N_π,   Σ_π π_k c_π ≤ ⌊β_k Σ_π c_π⌋ for every set k        exactly, and no further row can be
    added

Rounding starts from ⌈t⌉, removes rows of the sets that are over their budget, and fills what room is left.
Which of several patterns loses its odd row is drawn at random, so that each row stays with a probability near
t_π/N_π also where there are many patterns with few rows. Where there are few patterns, rows of one are then
exchanged for rows of another as long as that lowers the KL divergence. For disjoint sets the result is the
largest one that the budgets allow, whatever is drawn.
Letters: p patterns, m sets.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from barriers.arrays import torch
from barriers.budget import budget
from barriers.patterns import Masses, multipliers

FEW = 64
"""Patterns up to which pairs of rows are tried, too: added together, or exchanged."""


class Tilted(NamedTuple):
    """The projection on patterns: multipliers in nats, and the share of each pattern's rows that it keeps."""

    multipliers: Float[np.ndarray, "m"]
    keep: Float[np.ndarray, "p"]


class Plan(NamedTuple):
    """How many rows of each pattern stay, and the projection that this rounds."""

    kept: Int64[np.ndarray, "p"]
    tilted: Tilted


def tilted(
    patterns: Bool[np.ndarray, "p m"], counts: Int64[np.ndarray, "p"], limits: Sequence[float]
) -> Tilted:
    """The projection of rows of these patterns onto every limit; ValueError where there is none."""
    masses = torch.from_numpy(counts / counts.sum())
    μ = multipliers(Masses(torch.from_numpy(patterns), masses), limits).numpy()
    share = chances(patterns, μ)
    return Tilted(μ, share / share.max())


def chances(patterns: Bool[np.ndarray, "p m"], μ: Float[np.ndarray, "m"]) -> Float[np.ndarray, "p"]:
    """e^{−μ·π} of each pattern; 0 where a set's multiplier is infinite."""
    return np.exp(-np.where(patterns, μ, 0.0).sum(1))


def planned(
    patterns: Bool[np.ndarray, "p m"],
    counts: Int64[np.ndarray, "p"],
    betas: Sequence[float],
    uniforms: Float[np.ndarray, "p"],
) -> Plan:
    """The rows of each pattern that stay, of `counts`; uniforms: one number in [0, 1) per pattern, which
    decides where rounding is a choice.

    Raises ValueError where nothing can stay: every row is in a set of beta 0, or the tolerances exclude each
    other.
    """
    found = tilted(patterns, counts, betas)
    target = counts * found.keep
    rounding = _Rounding(patterns, betas, target + uniforms)
    kept = rounding.within(np.minimum(np.ceil(target).astype(np.int64), counts), np.zeros_like(counts))
    kept = rounding.filled(kept, counts)
    if not kept.any():
        raise ValueError(
            f"no choice of these {counts.sum():,} rows meets the tolerances in whole rows, as none is "
            "outside every set"
        )
    return Plan(kept, found)


class _Rounding:
    """Counts of patterns under the budgets of overlapping sets; rows of patterns that are far above `aim` go
    first.
    """

    def __init__(
        self, patterns: Bool[np.ndarray, "p m"], betas: Sequence[float], aim: Float[np.ndarray, "p"]
    ):
        self.patterns, self.betas, self.aim = patterns, betas, aim
        self.member = patterns.astype(np.int64)

    def room(self, kept: Int64[np.ndarray, "p"], more: int = 0) -> Int64[np.ndarray, "m"]:
        """How many rows of each set its budget has room for, with so many rows more in all; negative where
        the set is over it.
        """
        total = int(kept.sum()) + more
        return np.array([budget(β, total) for β in self.betas], dtype=np.int64) - kept @ self.member

    def within(self, kept: Int64[np.ndarray, "p"], least: Int64[np.ndarray, "p"]) -> Int64[np.ndarray, "p"]:
        """With as many rows less as the budgets ask for, never below `least`, which must be within budget or
        0.
        """
        kept = kept.copy()
        while (room := self.room(kept)).min(initial=0) < 0:
            worst = int(room.argmin())
            spare = np.flatnonzero(self.patterns[:, worst] & (kept > least))
            excess = (self.aim - kept)[spare]
            kept[spare[np.argsort(excess, kind="stable")[: -room[worst]]]] -= 1
        return kept

    def filled(self, kept: Int64[np.ndarray, "p"], counts: Int64[np.ndarray, "p"]) -> Int64[np.ndarray, "p"]:
        """With rows added until none can be: many at once, then one, then two of different patterns; and
        exchanged.
        """
        while True:
            more = self.within(kept + (kept < counts), kept)
            for other in (self._one_more, self._exchanged):
                if (more == kept).all():
                    more = other(kept, counts)
            if (more == kept).all():
                return kept
            kept = more

    def _one_more(
        self, kept: Int64[np.ndarray, "p"], counts: Int64[np.ndarray, "p"]
    ) -> Int64[np.ndarray, "p"]:
        """With one row more, or two, where there is room; the same where there is none."""
        free = np.flatnonzero(kept < counts)
        free = free[np.argsort((kept - self.aim)[free], kind="stable")]
        more, member = kept.copy(), self.member[free]
        one = np.flatnonzero((member <= self.room(kept, 1)).all(1))
        if len(one):
            more[free[one[0]]] += 1
        elif len(free) <= FEW:
            fits = (member[:, None] + member <= self.room(kept, 2)).all(-1)
            two = np.argwhere(np.triu(fits, 1))
            more[free[two[0]] if len(two) else []] += 1
        return more

    def _exchanged(
        self, kept: Int64[np.ndarray, "p"], counts: Int64[np.ndarray, "p"]
    ) -> Int64[np.ndarray, "p"]:
        """With a row of one pattern in the place of a row of another, where that lowers Σ c log(c/N) most."""
        if len(kept) > FEW:
            return kept
        up = np.where(kept < counts, _cost(kept + 1, counts) - _cost(kept, counts), np.inf)
        down = np.where(
            (kept > 0) & self.patterns.any(1), _cost(kept - 1, counts) - _cost(kept, counts), np.inf
        )
        change = up[:, None] + down
        fits = np.asarray((self.member[:, None] - self.member <= self.room(kept)).all(-1))
        best = np.unravel_index(np.where(fits, change, np.inf).argmin(), change.shape)
        if not (fits[best] and change[best] < -1e-9):
            return kept
        more = kept.copy()
        more[best[0]] += 1
        more[best[1]] -= 1
        return more


def _cost(kept: Int64[np.ndarray, "p"], counts: Int64[np.ndarray, "p"]) -> Float[np.ndarray, "p"]:
    """c log(c/N): the part of the KL divergence that a pattern has, apart from the total."""
    c = np.maximum(kept, 0).astype(np.float64)
    return c * np.log(np.where(c > 0, c, 1.0) / counts)
