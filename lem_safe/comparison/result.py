"""The result of `lem-safe compare`: one row per filter, one line per constraint, and the conclusions."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lem_safe.comparison.findings import by_chance, findings
from lem_safe.distances.kl_price import Account, Needed
from lem_safe.escaping import each_on_one_line, on_one_line
from lem_safe.formatting import aligned, level, percent
from lem_safe.provenance import versions
from lem_safe.report.prices import certainly, least, nats


@dataclass(frozen=True)
class Held:
    """One filter's numbers for one region, like those of the entry."""

    set: str
    beta: float
    largest: float | None
    final: float
    upper_bound: float | None
    over: bool


@dataclass(frozen=True)
class Price:
    """The price of one filter, in nats: a lower bound of its KL from the unfiltered distribution (P.7), and
    its distance from the least one (P.6).

    membership: the part that follows from memberships alone. gap: None where the final cloud is over a
    tolerance, or the least KL is unknown.
    """

    paid: float
    error: float
    membership: float
    gap: float | None
    gap_error: float | None

    @classmethod
    def of(cls, found: Account) -> "Price | None":
        """The price; None where there are too few samples."""
        if found.paid is None:
            return None
        gap, error = (found.gap, found.gap_error) if found.within else (None, None)
        return cls(found.paid.nats, found.paid.error, found.paid.membership, gap, error)


@dataclass(frozen=True)
class Entry:
    """One filter over all seeds. refused: why it could not run; then the numbers are None.

    regions: the numbers of each constraint, in the scenario's order; the entry itself shows those of the one
    nearest to, or furthest over, its tolerance. over: whether any cloud exceeded its budget at some checked
    step (for thinning: in the end). units, unit: what the bound counts. chance: mean and standard deviation
    of the distance for as many draws of the projection itself. cost: seconds per step relative to no filter.
    kept: draws left, of the samples.
    weight: a penalty's, where it was guessed. price: of the final clouds of all seeds together.
    """

    filter: str
    promise: str
    because: str
    refused: str | None = None
    constraint: str | None = None
    beta: float | None = None
    largest: float | None = None
    final: float | None = None
    upper_bound: float | None = None
    unit: str | None = None
    units: int | None = None
    distance: float | None = None
    chance: tuple[float, float] | None = None
    cost: float | None = None
    kept: int | None = None
    over: bool | None = None
    weight: float | None = None
    regions: tuple["Held", ...] = ()
    price: Price | None = None


@dataclass(frozen=True)
class Comparison:
    """The table. floor: mean and standard deviation of the distance of a whole cloud by chance alone.

    needed: the least KL of holding every tolerance. samples: of a cloud, of which every seed has `clouds`.
    aim: the aim of every filter, by constraint, where that is not β.
    """

    scenario: str
    seeds: int
    samples: int
    steps: int
    projection: str
    floor: tuple[float, float]
    entries: tuple[Entry, ...]
    fractions: Mapping[str, Float[np.ndarray, "t"]]
    confidence: float = 0.95
    clouds: int = 1
    after_step: int = 0
    aim: Mapping[str, float] | None = None
    measure: str = "W2"
    needed: Needed | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "scenario": self.scenario,
            "seeds": self.seeds,
            "samples": self.samples,
            "steps": self.steps,
            "projection": self.projection,
            "floor": {"mean": self.floor[0], "std": self.floor[1]},
            "measure": self.measure,
            "clouds": self.clouds,
            "after_step": self.after_step,
            "aim": self.aim and dict(self.aim),
            "needed": self.needed and self.needed._asdict(),
            "confidence": self.confidence,
            "entries": [asdict(entry) for entry in self.entries],
            **versions(),
        }

    def __str__(self) -> str:
        heads = (
            "filter",
            "tolerated",
            "largest",
            "final",
            "bound",
            "W2" if self.measure == "W2" else "distance",
            "KL",
            "cost",
            "promise",
        )
        rows = [heads, *(row for entry in self.entries for row in _cells(entry))]
        table = "\n".join(aligned(rows))
        said = "\n".join(findings(each_on_one_line(self.to_dict())))
        size = f"{self.seeds} seed{'s' * (self.seeds != 1)}" + f" of {self.clouds} clouds" * (self.clouds > 1)
        aimed = ", ".join(f"{percent(a)} in {on_one_line(name)}" for name, a in (self.aim or {}).items())
        chance = by_chance(self.to_dict())
        return (
            f"{on_one_line(self.scenario)}: {size}, {self.samples:,} samples, {self.steps:,} steps\n\n"
            f"{table}\n\n{said}\n\n"
            + f"Steps from {self.after_step:,} on are judged. " * (self.after_step > 1)
            + f"Every filter aims at {aimed}, as the scenario's own does. " * bool(aimed)
            + f"{self.measure[:1].upper()}{self.measure[1:]}: to the exact KL projection "
            f"({on_one_line(self.projection)}); {chance} is chance alone. "
            f"Bound: {level(self.confidence)} confidence, of samples where particles are independent, else "
            "of two clouds or more. "
            "Cost: a step, relative to none." + self._priced()
        )

    def _priced(self) -> str:
        if self.needed is None:
            return ""
        return (
            " KL: nats from the unfiltered distribution, at least; holding the "
            f"tolerance{'s' * (len(self._sets()) > 1)} needs "
            f"{least(self.needed)} ({certainly(self.needed, self.confidence)})."
        )

    def _sets(self) -> set[str]:
        return {held.set for e in self.entries for held in e.regions}


def _cells(e: Entry) -> list[tuple[str, ...]]:
    """One line per constraint; values that do not depend on the constraint are in the first."""
    if e.refused is not None:
        return [(e.filter, "refused", "", "", "", "", "", "", on_one_line(e.refused.splitlines()[0][:90]))]
    distance = "" if e.distance is None else f"{e.distance:.2g}"
    kl = "" if e.price is None else nats(e.price.paid, e.price.error).removesuffix(" nats")
    own = [
        (e.filter, distance, kl, f"{e.cost:.2f}x", e.promise),
        *[("", "", "", "", "")] * (len(e.regions) - 1),
    ]
    return [(name, *_line(e, held), *rest) for (name, *rest), held in zip(own, e.regions, strict=True)]


def _line(e: Entry, held: Held) -> tuple[str, ...]:
    kept = "" if e.filter != "thinning" else f" ({e.kept:,} kept)"
    bound = (
        "none claimed"
        if held.upper_bound is None
        else percent(held.upper_bound) + f" of {e.units} clouds" * (e.unit == "clouds")
    )
    over = " over" if held.over else ""
    ended = held.largest is None
    return (
        f"{percent(held.beta)} {on_one_line(held.set)}",
        percent(held.largest) + over * (not ended),
        percent(held.final) + kept + over * ended,
        bound,
    )
