"""Whether a filter keeps its promise, checked against membership: a filter's view of a region may be wrong,
the count is not.

*Every step, this cloud.* A filter that counts (G.2, D.4) never lets a count grow beyond its budget. One that
keeps a surrogate φ ≥ κ·1_𝒰 has κρ(𝒰) ≤ E φ (B.2), whatever E φ is; a count over budget that E φ does not
cover shows that φ belongs to another set. Either ends the run.

*In expectation.* A finite cloud fluctuates. A mean fraction over the second half of the run that exceeds β
by more than four standard errors of n independent particles, 4√(β(1 − β)/n), is reported as a shortfall
(F.1).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from barriers.budget import budget
from lem_safe.errors import NumericalFailure

Row = Float[np.ndarray, "m"]

ROUNDING = 1e-3
"""The relative rounding allowed where E φ covers a count: a sum in the cloud's own dtype, and coordinates
cast as they are saved.
"""
ERRORS = 4.0
"""Standard errors beyond which a mean fraction is not a fluctuation."""


@dataclass(frozen=True)
class EveryStep:
    """A promise about every step of a cloud: what the filter enforces (`betas`, `limits` = κβ; NaN without a
    surrogate), by region.
    """

    names: tuple[str, ...]
    betas: tuple[float, ...]
    limits: tuple[float, ...]

    def over(self, n: int, fraction: Float[np.ndarray, "r m"]) -> list[int]:
        """The clouds of n particles with more inside some set than its budget."""
        most = np.array([budget(β, n) for β in self.betas])
        over = fraction * n > most + 0.5  # they are whole numbers, but for their rounding
        return np.flatnonzero(over.any(1)).tolist() if over.any() else []

    def is_over(self, n: int, fraction: Row) -> bool:
        """Whether a cloud of n particles has more inside some set than its budget."""
        return any(
            round(has * n) > budget(β, n) for β, has in zip(self.betas, fraction.tolist(), strict=True)
        )

    def check(self, place: str, n: int, before: Row, after: Row, surrogate: Row) -> None:
        """Raises NumericalFailure for the first region whose promised count is exceeded.

        place: the run and the step, for the message. n: particles. before, after: the fractions inside before
        and after the step. surrogate: E φ after it.
        """
        for name, β, κβ, had, has, φ in zip(
            self.names, self.betas, self.limits, before, after, surrogate, strict=True
        ):
            most = budget(β, n)
            if round(has * n) <= most:
                continue
            inside = (
                f"{place}: the filter promises every step, but {name} holds {round(has * n):,} of "
                f"{n:,} particles, {most:,} allowed"
            )
            if math.isnan(κβ) or math.isnan(φ) or φ == has:  # the filter counts
                if round(has * n) > round(had * n):
                    raise NumericalFailure(
                        f"{inside}, {round((has - had) * n):,} more than before the step; the filter does "
                        "not count what `contains` counts, "
                        "which is a fault of the region or of the filter: run without a filter, or define "
                        "the region by another kind"
                    )
                continue
            covered = has * κβ / β if β > 0 else 0.0
            if φ * (1 + ROUNDING) < covered or (β == 0 and φ == 0):
                raise NumericalFailure(
                    f"{inside}, while the surrogate it keeps is {φ:.4g} (limit {κβ:.4g}) and {covered:.4g} "
                    "or more for so many inside; "
                    "the region's distance disagrees with its membership: use the filter gate, which "
                    "counts, or define the region by "
                    "another kind"
                )


@dataclass(frozen=True)
class Shortfall:
    """A region whose mean fraction over the last `steps` steps was too high, under a filter that promises in
    expectation.
    """

    set: str
    beta: float
    mean: float
    allowed: float
    steps: int

    def __str__(self) -> str:
        return (
            f"shortfall: {self.set} held {self.mean:.4f} on average over the last {self.steps:,} steps, "
            f"tolerated {self.beta:g} (with four "
            f"standard errors {self.allowed:.4f}): the filter did not keep in expectation what it "
            "promises; a smaller step_size or a lower aim "
            "helps, as do more steps where the start was over the tolerance; the filters step and gate "
            "promise every step"
        )


def shortfalls(
    names: Sequence[str], betas: Sequence[float], n: int, trace: Mapping[str, np.ndarray], after_step: int = 0
) -> list[Shortfall]:
    """The shortfalls of a filter that promises in expectation. n: particles per cloud. trace: of one cloud,
    or of several (`cloud_fraction`).
    """
    each = trace.get("cloud_fraction", trace["fraction"][None])
    steps = each.shape[1]
    late = each[:, max(steps // 2, min(after_step, steps - 1)) :]
    found = []
    for i, (name, β) in enumerate(zip(names, betas, strict=True)):
        mean, allowed = float(late[..., i].mean()), β + ERRORS * math.sqrt(β * (1 - β) / (n * len(each)))
        if mean > allowed:
            found.append(Shortfall(name, β, mean, allowed, late.shape[1]))
    return found
