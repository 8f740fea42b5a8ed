"""What is to be thinned: opened samples, the sets and tolerances of a scenario, and the seed."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from barriers.sets import UnsafeSet
from lem_safe.auditor.matching import Match
from lem_safe.auditor.question import Question
from lem_safe.auditor.rows import BLOCK
from lem_safe.auditor.samples import Samples
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key
from lem_safe.progress import Progress
from lem_safe.registry import MAKERS
from lem_safe.scenario import Scenario
from lem_safe.thinning.choice import Groups
from lem_safe.thinning.membership import Membership


class Task(NamedTuple):
    """One thinning. betas: one per set, the smallest where constraints name a set twice."""

    samples: Samples
    scenario: Scenario
    match: Match
    sets: Mapping[str, UnsafeSet]
    betas: tuple[float, ...]
    seed: int
    membership: Membership
    progress: Progress

    @property
    def key(self) -> Key:
        """The random stream of the choice."""
        return Key(self.seed).fold("thin")

    def blocks(self, title: str, total: int | None = None) -> Iterator[Groups]:
        """The group of every row, from the first one, with progress; total: the rows, where known."""
        total = self.samples.rows.total if total is None else total
        self.progress.start(title, total or 1)
        rows = 0
        for group in self.membership.blocks(BLOCK):
            yield group
            rows += len(group)
            self.progress.update(rows if total else 0, f"{rows:,} rows")
        self.progress.finish(f"{rows:,} rows")


def task_of(samples: Samples, scenario: Scenario, seed: int | None, progress: Progress) -> Task:
    """The task; BadInput where the samples do not fit the scenario, or are paths or whole clouds, which would
    have holes.
    """
    question = Question(scenario, makers=MAKERS)
    match = question.match(samples)
    if match.unit == "path" or samples.each is not None:
        what = "paths" if match.unit == "path" else "clouds [clouds, rows, columns]"
        way = "remove their marks to thin rows, or save one row per path"
        if match.unit != "path":
            way = "save x as [rows, columns], with `replica` numbering the clouds"
        raise BadInput(
            Fault(f"holds {what}, which would have holes without some rows; {way}", samples.source)
        )
    sets = question.sets(match)
    betas = tuple(min(c.beta for c in scenario.constraints if c.set == name) for name in sets)
    chosen = scenario.seed if seed is None else seed
    if isinstance(chosen, bool) or not isinstance(chosen, int) or not 0 <= chosen < 2**63:
        raise BadInput(Fault(f"must be a whole number, at least 0; got {chosen!r}", key="seed"))
    return Task(samples, scenario, match, sets, betas, chosen, Membership(samples, match, sets), progress)
