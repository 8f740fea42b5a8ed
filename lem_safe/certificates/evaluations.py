"""Evaluations of samples that arrive in batches: what each constraint's counts decide, anytime-valid (A.4).

After every batch the evidence of all units so far is evaluated; a constraint that is decided stays decided.
By Ville's inequality a constraint is wrongly certified with probability at most α/m, wherever the batches end
and whenever they stop (Bonferroni; Holm decides at least as much).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int64

from lem_safe.auditor.standing import Standing
from lem_safe.auditor.verdict import verdicts
from lem_safe.bounds.evidence import Betting, Evidence, Sequential
from lem_safe.bounds.several import Correction


@dataclass(frozen=True)
class Asked:
    """What is evaluated: one tolerance per constraint, the confidence of all together, and how the
    constraints share the error.
    """

    betas: tuple[float, ...]
    confidence: float
    correction: Correction = "bonferroni"

    @property
    def each(self) -> float:
        """The confidence of one constraint's bound, 1 − α/m."""
        return 1 - (1 - self.confidence) / max(len(self.betas), 1)


@dataclass
class Evaluations:
    """The standings of constraints while batches arrive.

    particles: the number of particles of one independent cloud, where clouds are the units; None where
    every sample is one. ends: after how many samples each evaluation was made.
    """

    asked: Asked
    particles: int | None = None
    ends: list[int] = field(default_factory=list)
    inside: list[Int64[np.ndarray, "u m"]] = field(default_factory=list)
    standings: tuple[Standing, ...] = ()

    def add(self, inside: Int64[np.ndarray, "b m"], samples: int) -> None:
        """One more batch of so many samples. inside: how many of each unit are in each region; of independent
        samples, of the batch in one row.
        """
        self.inside.append(np.atleast_2d(inside))
        self.ends.append((self.ends[-1] if self.ends else 0) + samples)
        before = self.standings or (None,) * len(self.asked.betas)
        now = [
            Standing.of(self._evidence(k), β, self.asked.each).after(was)
            for k, (β, was) in enumerate(zip(self.asked.betas, before, strict=True))
        ]
        chosen = verdicts(now, self.asked.confidence, self.asked.correction)
        self.standings = tuple(s.decided(v, self.units) for s, v in zip(now, chosen, strict=True))

    @property
    def units(self) -> int:
        """Independent units so far."""
        n = self.ends[-1] if self.ends else 0
        return n if self.particles is None else n // self.particles

    @property
    def decided(self) -> bool:
        """Whether nothing that comes could change the outcome: every constraint is certified, or one is
        violated.
        """
        each = [s.verdict for s in self.standings]
        return bool(each) and ("violated" in each or set(each) == {"certified"})

    @property
    def counts(self) -> tuple[int, ...]:
        """Samples in each region so far."""
        return tuple(int(k) for k in np.concatenate(self.inside).sum(0))

    def _evidence(self, k: int) -> Evidence:
        if self.particles is None:
            return Sequential(sum(int(batch[:, k].sum()) for batch in self.inside), self.ends[-1])
        return Betting(np.concatenate([batch[:, k] for batch in self.inside]) / self.particles)


def evaluated(
    asked: Asked, ends: Sequence[int], inside: Bool[np.ndarray, "n m"], particles: int | None
) -> Evaluations:
    """The same evaluations made again from the membership of all samples, in order of arrival."""
    found, before = Evaluations(asked, particles), 0
    for end in ends:
        part = inside[before:end]
        each = part.sum(0)[None] if particles is None else part.reshape(-1, particles, part.shape[1]).sum(1)
        found.add(each.astype(np.int64), end - before)
        before = end
    return found
