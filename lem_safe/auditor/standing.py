"""The standing of one constraint in an audit: after this evaluation and all earlier ones.

Anytime-valid evidence may be kept at its best: P(E_n ≥ 1/α for some n) ≤ α, so the largest E so far decides,
the smallest upper bound so far holds, and a decided verdict is final (A.4). Clopper–Pearson's p-values may
not be kept like that.

All of this assumes independent draws from one distribution. Where one evaluation bounds ρ(𝒰) from above and
another from below that, the assumption is refuted (or an event of probability α occurred): bounds are then
those of the evaluation of all units alone, nothing is certified, and what is over its tolerance remains so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lem_safe.bounds.evidence import Evidence

Verdict = Literal["certified", "violated", "inconclusive"]


@dataclass(frozen=True)
class Standing:
    """p-values and bounds of one constraint, its verdict, and after how many units it was decided."""

    p_certify: float
    p_violate: float
    upper: float
    lower: float
    verdict: Verdict = "inconclusive"
    decided_at: int | None = None
    contradicted: bool = False

    @classmethod
    def of(cls, evidence: Evidence, beta: float, confidence: float) -> "Standing":
        """The standing after a single evaluation."""
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
        """This evaluation combined with all earlier ones."""
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
        """The standing with this verdict, unless one was already decided."""
        if self.verdict != "inconclusive":
            return self
        return replace(self, verdict=verdict, decided_at=units if verdict != "inconclusive" else None)
