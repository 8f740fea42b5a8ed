"""What thinning has done and what is known of the rows that stay, as data and in words."""

from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from lem_safe.formatting import percent

Method = Literal["counted", "independent"]

GUARANTEE = (
    "Guaranteed by construction: whatever rows are given, those that stay hold at most ⌊beta · n⌋ of n "
    "inside each region. So one of them drawn at random is inside it with a probability of at most beta. "
    "This needs no confidence level and no assumption on the samples."
)
NOT_CLAIMED = (
    "Not claimed: that the rows are independent draws. They were chosen by their count, so a confidence "
    "bound that is computed from them alone means nothing{marked}. Within each pattern of membership, all "
    "choices of rows were equally likely. For rows with a bound, use --independent."
)
NOT_CLAIMED_OF_UNITS = (
    "Each {unit} was thinned by itself, so {unit}s that are independent of one another remain so; the rows "
    "within one are not."
)
INDEPENDENT = (
    "Each row was kept or not on its own, with a probability that {learned:,} other rows determined, which "
    "are not among those that stay. If the samples are independent draws, so are the rows that stay, and "
    "the bounds that lem-safe audit computes for them hold."
)
UNCHANGED = "Every tolerance is met already, so every row stays as it is."


class RegionCounts(NamedTuple):
    """How many rows are inside one region, before and after; budget: how many may be, of the rows that stay.
    multiplier: in nats, inf where none may stay; None where each unit has its own.
    """

    set: str
    beta: float
    before: int
    after: int
    budget: int
    multiplier: float | None


@dataclass(frozen=True)
class Thinned:
    """A finished thinning. rows: read, without the `dropped` ones that miss a value. kept: that stay.
    outside: the rows outside every region, and how many of them stay. learned_from: how many rows determined
    the probabilities, and are left out (independent). kl: of the membership of the rows that stay from that
    of all rows, in nats, and the least that meets the tolerances; None where units are thinned one by one.
    units: how many there are. selection: the rows that stay, of samples in memory, as the type that was
    given.
    """

    scenario: str
    fingerprint: str
    source: str
    out: str | None
    seed: int
    method: Method
    rows: int
    kept: int
    dropped: int
    outside: int
    outside_kept: int
    learned_from: int
    regions: tuple[RegionCounts, ...]
    kl: float | None
    kl_needed: float | None
    unit: str
    units: int
    marked: bool
    selection: Any = None

    @property
    def passed(self) -> bool:
        """Whether every region holds at most its budget: always, where rows are chosen by their count."""
        return all(region.after <= region.budget for region in self.regions)

    @property
    def removed(self) -> int:
        """The rows that do not stay, without those that miss a value."""
        return self.rows - self.kept

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the rows; an infinite multiplier is the string `inf`."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "selection"}
        own["regions"] = [
            {
                **region._asdict(),
                "multiplier": "inf" if region.multiplier == float("inf") else region.multiplier,
            }
            for region in self.regions
        ]
        return {"schema_version": 1, **own, "passed": self.passed, "known": self.known()}

    def known(self) -> list[str]:
        """What is known of the rows that stay, and from what; one sentence or two each."""
        if not self.removed:
            return [UNCHANGED]
        if self.method == "independent":
            return [INDEPENDENT.format(learned=self.learned_from)]
        marked = "; the file is marked so, and an audit of it claims none" if self.marked else ""
        if self.unit == "sample":
            claimed = NOT_CLAIMED.format(marked=marked)
        else:
            claimed = NOT_CLAIMED_OF_UNITS.format(unit=self.unit)
        return [GUARANTEE, *self._nearest(), claimed]

    def __str__(self) -> str:
        where = f"{self.out}: " if self.out else ""
        lines = [
            f"{where}{self.kept:,} of {self.rows:,} rows stay, {self.removed:,} are removed (seed "
            f"{self.seed})"
        ]
        if self.dropped:
            lines.append(f"  {self.dropped:,} more missed a value and were left out")
        if self.learned_from:
            lines.append(f"  {self.learned_from:,} of the removed rows determined the probabilities")
        lines.append(f"  outside every region: {self.outside_kept:,} of {self.outside:,} stay")
        lines += [f"  {_of_region(region, self.kept)}" for region in self.regions]
        return "\n".join([*lines, *self.known()])

    def __repr__(self) -> str:
        return f"<Thinned {self.scenario}: {self.kept:,} of {self.rows:,} rows stay>"

    def _nearest(self) -> list[str]:
        if self.kl is None or self.kl_needed is None:
            return []
        return [
            "Of all distributions that meet the tolerances, theirs is the nearest to that of the samples, "
            f"up to whole rows: its KL divergence is {self.kl:.4g} nats, and at least {self.kl_needed:.4g} "
            "are needed."
        ]


def _of_region(region: RegionCounts, kept: int) -> str:
    share = percent(region.after / kept) if kept else "0 %"
    return (
        f"{region.set}: {region.after:,} of {region.before:,} stay, {share} of the rows; at most "
        f"{region.budget:,} may, for beta {region.beta:g}"
    )
