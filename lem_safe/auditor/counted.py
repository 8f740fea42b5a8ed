"""What one pass over the samples counts: the rows inside each region (A.1), repeated rows, particles that
moved.
"""

from collections.abc import Mapping
from typing import NamedTuple

from barriers.sets import UnsafeSet
from barriers.sets.flat import flat_in
from lem_safe.auditor.census import Census, census
from lem_safe.auditor.growth import Past, Seen
from lem_safe.auditor.matching import Match
from lem_safe.auditor.movement import Movement, movement
from lem_safe.auditor.question import Question
from lem_safe.auditor.repeats import Counting, Repeats
from lem_safe.auditor.samples import Samples, Unit
from lem_safe.auditor.tracks import Tracks
from lem_safe.auditor.unequal import Comparing, Unequal
from lem_safe.errors import BadInput, Fault


class Counted(NamedTuple):
    """Samples, the matching of their columns, and their counts. between: what was checked of paths between
    two recorded points; None without paths. unequal: columns that are not what they are derived as.
    """

    samples: Samples
    match: Match
    sets: Mapping[str, UnsafeSet]
    census: Census
    repeats: Repeats
    moved: Movement | None
    between: str | None = None
    unequal: tuple[Unequal, ...] = ()

    @property
    def unit(self) -> Unit:
        """The unit that the rows' file names."""
        return self.match.unit

    @property
    def units(self) -> int:
        """The number of units."""
        found = next((r.by_unit for r in self.census.regions.values()), None)
        return self.census.n if self.unit == "sample" or found is None else found.units

    @property
    def n(self) -> int:
        """The number of things that can be inside: rows, or paths."""
        paths = [r.by_unit.units for r in self.census.regions.values() if r.by_unit is not None]
        return paths[0] if self.unit == "path" and paths else self.census.n

    def inside(self, name: str) -> int:
        """How many of those are inside one region: rows, or paths that ever are."""
        region = self.census.regions[name]
        by_path = region.by_unit if self.unit == "path" else None
        return region.violations if by_path is None else by_path.touched()

    def inside_any(self) -> int:
        """How many are inside any region."""
        by_path = self.census.any_by_unit if self.unit == "path" else None
        return self.census.inside_any if by_path is None else by_path.touched()


def count(samples: Samples, match: Match, question: Question, past: Past | None) -> tuple[Counted, Seen]:
    """One pass over the samples, in the memory of one block; rows audited before are compared in the same
    pass.
    """
    sets = question.sets(match)
    seen, counting = Seen(past or Past({}), samples.source), Counting()
    comparing = Comparing(match, question.scenario.derived)
    blocks = comparing.passing(counting.passing(match.blocks(samples)))
    between = (question.scenario.audit.between or "segments") if match.unit == "path" else None
    if between == "segments":
        _must_be_followed(sets, samples.source)
    found = census(
        blocks if past is None else seen.passing(blocks),
        sets,
        question.near,
        apart=match.unit in ("chain", "path"),
        tracks=Tracks() if between == "segments" else None,
    )
    moved = movement(samples.moved, question.trace)
    return Counted(samples, match, sets, found, counting.result(), moved, between, comparing.result()), seen


def _must_be_followed(sets: Mapping[str, UnsafeSet], source: str) -> None:
    """Refuses rules that have no value between two points of a path: those over text, dates, whole numbers
    and missing cells.
    """
    flat = next((name for name, region in sets.items() if flat_in(region)), None)
    if flat is not None:
        what = f"holds paths, and '{flat}' compares what has no value between two points"
        raise BadInput(Fault(f"{what}; write audit: {{between: points}}", source))


def count_clouds(beside: Samples, own: Counted, question: Question) -> Counted:
    """Separate independent clouds counted in the same regions: the bound is computed from these where the
    samples allow none.
    """
    match, counting = question.match_clouds(beside), Counting()
    found = census(counting.passing(match.blocks(beside)), own.sets)
    return Counted(beside, match, own.sets, found, counting.result(), movement(beside.moved, None))
