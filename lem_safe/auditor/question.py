"""What is asked of some samples: a scenario's tolerances and the options of the audit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barriers.sets import SpecificationError, UnsafeSet, build_sets
from barriers.specification import Nested
from lem_safe.auditor.guarantee import Enforced
from lem_safe.auditor.matching import Match, match_columns
from lem_safe.auditor.samples import Samples
from lem_safe.bounds.several import Correction
from lem_safe.errors import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario


@dataclass(frozen=True)
class Question:
    """The options of one audit, explained in `auditor.audit`; `clouds` are opened. Raises BadInput where
    `near` is not a distance > 0.
    """

    scenario: "Scenario"
    trace: Mapping[str, Any] | None = None
    coupled: bool | None = None
    clouds: Samples | None = None
    strict: bool = False
    near: float | None = None
    correction: Correction | None = None
    makers: Nested | None = None
    enforced: Enforced | None = None
    """What the filter of the recorded run says it enforces at every step; None where it says nothing."""

    def __post_init__(self) -> None:
        if self.near is not None and not 0 < self.near < float("inf"):
            raise BadInput(Fault(f"must be a distance > 0, in the data's units; got {self.near}", key="near"))

    @property
    def shares_error_by(self) -> Correction:
        """How several constraints share the error."""
        return self.correction or self.scenario.audit.correction

    @property
    def require(self) -> str:
        """What passing requires: passed, bound or anytime."""
        asked = self.scenario.audit.require
        return "bound" if asked == "passed" and self.strict else asked

    @property
    def confidence(self) -> float:
        """The confidence of all constraints together."""
        return self.scenario.audit.confidence

    @property
    def confidence_each(self) -> float:
        """The confidence of each side of one constraint's bound, 1 − α/m (A.4)."""
        return 1 - (1 - self.confidence) / max(len(self.scenario.constraints), 1)

    def match(self, samples: Samples) -> Match:
        """Which column of the samples is which of the scenario's; BadInput where that is ambiguous, and where
        separate clouds are given for samples that have a bound of their own.
        """
        match = match_columns(samples, self.scenario.columns, self.scenario.unsafe, self.scenario.derived)
        self.must_allow_clouds(match, samples.source)
        return match

    def must_allow_clouds(self, match: Match, source: str) -> None:
        """Refuses separate clouds for samples that have a bound of their own."""
        if self.clouds is not None and match.unit != "sample":
            what = f"counts {match.unit}s, which bring a bound of their own; --clouds is for samples that"
            raise BadInput(Fault(f"{what} bring none: audit the clouds by themselves", source))

    def match_clouds(self, beside: Samples) -> Match:
        """The same for separate clouds; BadInput where their rows have no clouds."""
        match = match_columns(beside, self.scenario.columns, self.scenario.unsafe, self.scenario.derived)
        if match.unit != "cloud":
            raise BadInput(
                Fault("must say which row is of which cloud, in an array `replica`", beside.source)
            )
        return match

    def sets(self, match: Match) -> dict[str, UnsafeSet]:
        """The constrained regions over the matched columns; BadInput naming the key that cannot be built."""
        names = match.names
        try:
            regions = build_sets(self.scenario.unsafe, names, self.makers, match.reading.cells)
        except SpecificationError as error:
            message = f"{error} (the samples' columns: {', '.join(names)})"
            raise BadInput(Fault(message, key=".".join(["unsafe", *map(str, error.path)]))) from error
        sets = [c.set for c in self.scenario.constraints]
        missing = [
            Fault(f"no region is named '{name}'", key=f"constraints.{i}.set")
            for i, name in enumerate(sets)
            if name not in regions
        ]
        if missing:
            raise BadInput(missing)
        return {name: regions[name] for name in sets}

    def growing(self, match: Match) -> dict[str, str]:
        """What must stay the same while an audit grows."""
        return {
            "scenario": self.scenario.fingerprint(),
            "columns": ", ".join(match.names),
            "unit": match.unit,
            "correction": self.shares_error_by,
        }
