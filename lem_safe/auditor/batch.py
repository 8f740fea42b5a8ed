"""The counts of some rows, with what they are counts of: values that add, whatever rows each has seen.

Rows of batches have no numbers, as nothing says which batch comes first. So an audit of their sum leaves out
what depends on numbers: which row the worst ones are, quantiles of the rows inside, and the effective number
of samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lem_safe.auditor.counted import Counted, counted, tallied
from lem_safe.auditor.in_memory import IN_MEMORY
from lem_safe.auditor.matching import Match
from lem_safe.auditor.merging import must_be_whole, must_match
from lem_safe.auditor.packed import canonical, packed
from lem_safe.auditor.part import asked_of, bare
from lem_safe.auditor.question import Question
from lem_safe.auditor.rows import Rows
from lem_safe.auditor.samples import Samples
from lem_safe.auditor.tallies import Tallies
from lem_safe.errors import BadInput, Fault
from lem_safe.scenario.in_python import without_functions
from lem_safe.scenario.told_apart import identities

if TYPE_CHECKING:
    from lem_safe.scenario import Scenario

FIRST = "the others"


@dataclass(frozen=True, eq=False)
class Batch:
    """The counts of some rows. asked: the scenario's name and fingerprint, `near`, what is done with missing
    values. facts: what the source says of its rows.
    """

    scenario: "Scenario"
    asked: Mapping[str, Any]
    match: Match
    facts: Mapping[str, Any]
    tallies: Tallies

    @classmethod
    def of(cls, samples: Samples, question: Question) -> "Batch":
        """The counts of samples."""
        match = question.match(samples)
        found = tallied(samples, match, question, numbered=False)
        tuned = samples.chose(question.scenario.audit.tuned_with)
        facts = {"source": samples.source, "coupled": samples.coupled, "tuned": tuned}
        facts |= {"seed": samples.seed, "moved": samples.moved}
        asked = {**asked_of(question, samples), "objects": identities(question.scenario.unsafe)}
        return cls(question.scenario, asked, bare(match), facts, found)

    def plus(self, other: "Batch") -> "Batch":
        """The counts of the rows of both; BadInput where they are counts of something else, or where a unit
        is in both.
        """
        for name, what in (("fingerprint", "scenario"), ("near", "near"), ("missing", "missing")):
            if self.asked[name] != other.asked[name]:
                key = "scenario" if name == "fingerprint" else name
                message = f"has another {what} ({other.asked[key]}) than {FIRST} ({self.asked[key]}), so they"
                raise BadInput(Fault(f"{message} do not add", str(other.facts["source"])))
        source = str(other.facts["source"])
        _must_be_the_same(self.asked["objects"], other.asked["objects"], source)
        must_match(self.match, other.match, source, FIRST)
        must_be_whole(self.tallies.repeats.units, other.tallies.repeats.units, self.match.unit, source)
        return replace(self, facts=_facts(self.facts, other.facts), tallies=self.tallies.plus(other.tallies))

    def inside(self) -> dict[str, int]:
        """How many rows are inside each region, or how many paths ever are."""
        regions = self.tallies.census.regions
        paths = self.match.unit == "path"
        return {name: r.by_unit.touched() if paths else r.violations for name, r in regions.items()}

    @property
    def n(self) -> int:
        """The number of things that can be inside: rows, or paths."""
        return self.tallies.census.together.units if self.match.unit == "path" else self.tallies.n

    def counted(self, question: Question) -> Counted:
        """What was counted, for a report."""
        names, facts = self.match.names, dict(self.facts)
        rows = Rows(None, len(names), names, lambda chosen, size: iter(()))
        samples = Samples(rows, facts.pop("source"), gaps=self.asked["missing"], **facts)
        return counted(self.tallies, samples, self.match, question)

    def __getstate__(self) -> dict[str, Any]:
        """All of it; a function that cannot be sent stays where it is, as it has been counted with."""
        return {**vars(self), "scenario": without_functions(self.scenario)}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Batch):
            return NotImplemented
        return self._text() == other._text()

    def __hash__(self) -> int:
        return hash(self._text())

    def _text(self) -> str:
        told = (list(self.match.names), self.match.unit, self.match.how)
        return canonical(packed([dict(self.asked), told, dict(self.facts), self.tallies.state()]))


def _must_be_the_same(mine: Mapping[str, str], its: Mapping[str, str], source: str) -> None:
    """Refuses counts of regions that are other Python objects, or may be."""
    for name, told in mine.items():
        if its.get(name) != told:
            message = (
                f"was counted with another object as region '{name}' than {FIRST}, or with one that cannot "
                "be compared (functions are compared by their code and the values that it uses); make the "
                "region once, and give this one object to every count"
            )
            raise BadInput(Fault(message, source, key=f"unsafe.{name}"))


def _facts(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What both sources say, the more cautious where they differ."""
    moved = [facts["moved"] for facts in (one, other) if facts["moved"] is not None]
    return {
        "source": one["source"] if one["source"] == other["source"] else IN_MEMORY,
        "coupled": one["coupled"] or other["coupled"],
        "tuned": one["tuned"] or other["tuned"],
        "seed": one["seed"] if one["seed"] == other["seed"] else None,
        "moved": min(moved, default=None),
    }
