"""`lem_safe.count`: counts of batches that add up, from which fractions and bounds come."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lem_safe.auditing import Asked, audited
from lem_safe.auditor.opening import Source
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.errors import BadInput, Fault
from lem_safe.formatting import percent


@dataclass(frozen=True)
class Counts:
    """How many of `samples` rows are inside each region, by name; counts of two batches add with `+`."""

    inside: Mapping[str, int]
    samples: int

    def __add__(self, other: "Counts") -> "Counts":
        if list(self.inside) != list(other.inside):
            raise BadInput(
                Fault(f"counts of {', '.join(other.inside)} do not add to counts of {', '.join(self.inside)}")
            )
        both = {name: k + other.inside[name] for name, k in self.inside.items()}
        return Counts(both, self.samples + other.samples)

    def __radd__(self, other: Any) -> "Counts":
        """So that sum(batches) works, which begins with 0."""
        return self if other == 0 else NotImplemented

    @property
    def fractions(self) -> dict[str, float]:
        """The fraction inside each region."""
        return {name: k / self.samples for name, k in self.inside.items()}

    def upper_bounds(self, confidence: float = 0.95) -> dict[str, float]:
        """Upper bounds of the probability of each region, which hold together with this confidence, where all
        rows are independent draws from one distribution (A.2, A.4).
        """
        if not 0 < confidence < 1:
            raise BadInput(Fault(f"must be between 0 and 1; got {confidence!r}", key="confidence"))
        each = 1 - (1 - confidence) / len(self.inside)
        return {name: upper_bound(k, self.samples, each) for name, k in self.inside.items()}

    def __str__(self) -> str:
        each = ", ".join(f"{k:,} in {name} ({percent(k / self.samples)})" for name, k in self.inside.items())
        return f"{self.samples:,} samples: {each}"


def count(batch: Source, regions: Asked, **options: Any) -> Counts:
    """The rows of a batch inside each constrained region of a scenario, or inside each of some regions by
    name.

    batch: what `lem_safe.audit` takes. regions: a scenario, its file or name, or regions by name. options:
    columns, header, separator, decimal. Raises BadInput.
    """
    beta = 0.0 if isinstance(regions, Mapping) else None
    report = audited(batch, regions, None, beta=beta, **options).report
    return Counts({c.set: c.violations for c in report.constraints}, report.samples)
