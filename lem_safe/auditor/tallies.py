"""All that an audit counts of rows, as one value: counts of different rows add, in any order and grouping, to
those of one pass over all of them.

Nothing in it depends on the order of what is added: whole numbers are added, smallest numbers and rows are
compared by keys that are unique, and what is chosen at random is chosen by a hash of a row or of its number.
No sum of floating-point numbers is kept.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from barriers.arrays import torch
from barriers.sets import UnsafeSet
from lem_safe.auditor.census import CensusTally, whole_lanes
from lem_safe.auditor.matching import Match
from lem_safe.auditor.places import Places
from lem_safe.auditor.region_tally import Kept
from lem_safe.auditor.repeats import Counting, hashed
from lem_safe.auditor.samples import Block
from lem_safe.auditor.shown import Shown
from lem_safe.auditor.texts import Texts
from lem_safe.auditor.tracks import Tracks
from lem_safe.auditor.unequal import Comparing
from lem_safe.auditor.unequal import Tallies as UnequalTallies


class Tallies:
    """The counts so far, of several regions by name."""

    def __init__(self, names: Sequence[str], kept: Kept, unequal: UnequalTallies) -> None:
        self.kept = kept
        self.census = CensusTally(names, kept)
        self.repeats, self.places = Counting(), Places()
        self.shown = Shown()
        self.texts = Texts()
        self.unequal = unequal

    @property
    def n(self) -> int:
        """Rows counted."""
        return self.census.n

    @property
    def dropped(self) -> int:
        """Rows that missed a value and were left out."""
        return sum(self.places.dropped.values())

    @property
    def number(self) -> Callable[[int], int | None]:
        """How a row is counted, from 0, once all rows are."""
        return self.places.number if self.kept.numbered else lambda at: None

    def plus(self, other: "Tallies") -> "Tallies":
        """The counts of the rows of both; none is in both."""
        both = Tallies([], self.kept, {})
        both.census = self.census.plus(other.census)
        both.repeats, both.places = self.repeats.plus(other.repeats), self.places.plus(other.places)
        both.shown, both.texts = self.shown.plus(other.shown), self.texts.plus(other.texts)
        both.unequal = {name: own.plus(other.unequal[name]) for name, own in self.unequal.items()}
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        return {
            "census": self.census.state(),
            "repeats": self.repeats.state(),
            "places": self.places.state(),
            "shown": self.shown.state(),
            "texts": self.texts.state(),
            "unequal": [[name, own.state()] for name, own in self.unequal.items()],
        }

    @classmethod
    def of_state(
        cls, state: Mapping[str, Any], names: Sequence[str], kept: Kept, comparing: Comparing
    ) -> "Tallies":
        """The counts that were stored."""
        found = cls([], kept, comparing.restored(dict(state["unequal"])))
        found.census = CensusTally.of_state(state["census"], names, kept)
        found.repeats = Counting.of_state(state["repeats"])
        found.places = Places.of_state(state["places"])
        found.shown = Shown.of_state(state["shown"])
        found.texts = Texts.of_state(state["texts"])
        return found


class Pass:
    """One pass over rows: the regions that they are compared with, and the counts so far. show: whether rows
    for a page are chosen.
    """

    def __init__(
        self,
        sets: Mapping[str, UnsafeSet],
        match: Match,
        derived: Mapping[str, str] | None,
        kept: Kept,
        *,
        tracks: Tracks | None = None,
        show: bool = False,
    ) -> None:
        self.sets, self.match, self.tracks, self.show = sets, match, tracks, show
        self.comparing = Comparing(match, derived)
        self.tallies = Tallies(list(sets), kept, self.comparing.fresh())
        self._words = any(coder.kind == "text" for coder in match.reading.coders.values())

    def count(self, blocks: Iterable[Block]) -> Tallies:
        """The counts, once all blocks are counted."""
        with torch.no_grad():
            for block in blocks:
                self._add(block)
        return self.tallies

    def _add(self, block: Block) -> None:
        found, x = self.tallies, block.x.numpy()
        numbered = found.kept.numbered
        if not numbered:
            block = block._replace(at=0)
        hashes = hashed(x)
        found.places.add(block.at, len(x), block.dropped)
        if not len(x):
            return
        if numbered:
            found.places.sign(block.at, hashes)
        found.repeats.add(hashes, x, block.unit)
        if self.show and numbered:
            found.shown.add(x, block.at)
        padded = whole_lanes(block.x)
        self.comparing.add(padded, len(x), found.unequal, block.at)
        found.census.add(block, padded, self.sets, self.tracks)
        if self._words:
            found.texts.add(self.match.reading, self._worst())

    def _worst(self) -> list[Any]:
        rows = (tally.worst.rows for tally in self.tallies.census.regions.values())
        return [kept.x for kept in rows if kept is not None]
