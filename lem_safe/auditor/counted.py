"""What one pass over the samples counts: the rows inside each region (A.1), repeated rows, particles that
moved.
"""

from collections.abc import Mapping
from typing import NamedTuple

from barriers.sets import UnsafeSet
from barriers.sets.flat import flat_in
from lem_safe.auditor.census import Census
from lem_safe.auditor.growth import Past, Seen
from lem_safe.auditor.matching import Match
from lem_safe.auditor.movement import Movement, movement
from lem_safe.auditor.question import Question
from lem_safe.auditor.region_tally import Kept
from lem_safe.auditor.repeats import Few, Repeats
from lem_safe.auditor.samples import Samples, Unit
from lem_safe.auditor.tallies import Pass, Tallies
from lem_safe.auditor.tracks import Tracks
from lem_safe.auditor.unequal import Comparing, Unequal
from lem_safe.errors import BadInput, Fault


class Counted(NamedTuple):
    """Samples, the matching of their columns, and their counts. between: what was checked of paths between
    two recorded points; None without paths. unequal: columns that are not what they are derived as. few:
    distinct rows, all of them or a sample, with small numbers for categories.
    """

    samples: Samples
    match: Match
    sets: Mapping[str, UnsafeSet]
    census: Census
    repeats: Repeats
    few: Few
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


def tallied(
    samples: Samples, match: Match, question: Question, *, numbered: bool = True, show: bool = False
) -> Tallies:
    """The counts of one pass over the samples, in the memory of one block. numbered: whether rows have
    numbers. show: whether rows for a page are chosen on the way.
    """
    return _pass(samples, match, question, numbered=numbered, show=show).count(match.blocks(samples))


def count(samples: Samples, match: Match, question: Question, past: Past | None) -> tuple[Counted, Seen]:
    """One pass over the samples, in the memory of one block; rows audited before are compared in the same
    pass.
    """
    seen = Seen(past or Past({}), samples.source)
    blocks = match.blocks(samples)
    found = _pass(samples, match, question).count(blocks if past is None else seen.passing(blocks))
    return counted(found, samples, match, question), seen


def counted(found: Tallies, samples: Samples, match: Match, question: Question) -> Counted:
    """What was counted, of all the samples; BadInput where no row is left to count."""
    if not found.n:
        what = f"each of its {found.dropped:,} rows misses a value that is needed"
        raise BadInput(Fault(what if found.dropped else "holds no samples: it has no rows", samples.source))
    found.texts.teach(match.reading)
    sets = question.sets(match)
    unequal = Comparing(match, question.scenario.derived).result(found.unequal, found.n, found.number)
    return Counted(
        samples,
        match,
        sets,
        found.census.result(sets, found.number)._replace(dropped=found.dropped),
        found.repeats.result(),
        match.reading.coarse(found.repeats.few()),
        movement(samples.moved, question.trace),
        between_of(match, question),
        unequal,
    )


def between_of(match: Match, question: Question) -> str | None:
    """What is checked of paths between two recorded points; None where the rows are no paths."""
    return (question.scenario.audit.between or "segments") if match.unit == "path" else None


def kept_of(samples: Samples, match: Match, question: Question, *, numbered: bool = True) -> Kept:
    """What is kept of the rows."""
    return Kept(question.near, match.unit in ("chain", "path"), numbered, samples.rows.held_in)


def _pass(
    samples: Samples, match: Match, question: Question, *, numbered: bool = True, show: bool = False
) -> Pass:
    sets = question.sets(match)
    along = between_of(match, question) == "segments"
    if along:
        _must_be_followed(sets, samples.source)
    kept = kept_of(samples, match, question, numbered=numbered)
    tracks = Tracks() if along else None
    return Pass(sets, match, question.scenario.derived, kept, tracks=tracks, show=show)


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
    match = question.match_clouds(beside)
    found = Pass(own.sets, match, None, Kept(files=beside.rows.held_in)).count(match.blocks(beside))
    return counted(found, beside, match, question)._replace(sets=own.sets)
