"""Where one constraint stands in an audit: after this look, and after all looks before it.

Evidence that is valid at every n at once may be kept at its best: P(E_n ≥ 1/α for some n) ≤ α, so the largest
E so far decides, the smallest upper bound so far holds, and a verdict once fallen stays (A.4).
Clopper–Pearson's p-values may not be kept like that.

All of that is for independent draws of one distribution. Where one look bounds ρ(𝒰) from above and another
from below that, this is refuted (or one of 1/α such audits has failed): bounds are then those of the look at
all units alone, nothing is certified, and what is over stays over.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lem_safe.bounds.evidence import Evidence

Verdict = Literal["certified", "violated", "inconclusive"]


@dataclass(frozen=True)
class Standing:
    """p-values and bounds of one constraint, its verdict, and after how many units that fell."""

    p_certify: float
    p_violate: float
    upper: float
    lower: float
    verdict: Verdict = "inconclusive"
    decided_at: int | None = None
    contradicted: bool = False

    @classmethod
    def of(cls, evidence: Evidence, beta: float, confidence: float) -> "Standing":
        """One look alone."""
        return cls(
            evidence.p_certify(beta),
            evidence.p_violate(beta),
            evidence.upper(confidence),
            evidence.lower(confidence),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Standing":
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def after(self, before: "Standing | None") -> "Standing":
        """This look with all that came before it."""
        if before is None:
            return self
        upper, lower = min(self.upper, before.upper), max(self.lower, before.lower)
        if before.contradicted or lower > upper:
            return replace(
                self, p_certify=1.0, p_violate=min(self.p_violate, before.p_violate), contradicted=True
            )
        return Standing(
            min(self.p_certify, before.p_certify),
            min(self.p_violate, before.p_violate),
            upper,
            lower,
            before.verdict,
            before.decided_at,
        )

    def decided(self, verdict: Verdict, units: int | None) -> "Standing":
        """With this verdict, unless one has fallen already."""
        if self.verdict != "inconclusive":
            return self
        return replace(self, verdict=verdict, decided_at=units if verdict != "inconclusive" else None)
