"""The entry of a kind of filter: its hook, its promise, whether it couples particles, and the text of a
report on it.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from barriers.filters.base import Promise
from barriers.kinds import Entry, asked

Hook = Literal["none", "drift", "step", "both"]
"""Before the noise, after it, at the hooks of its members, or nowhere."""


@dataclass(frozen=True)
class FilterEntry(Entry):
    """A kind of filter.

    couples: whether the filter makes particles dependent on each other (A.2). claim: the promise as a report
    states it; derived from the promise where not given. members: the key under which a specification holds
    other filters, as for a chain: it couples where one of them does, and has the promise of the last one.
    by_distance: whether it follows the distance to a region, rather than ask for membership alone.
    """

    hook: Hook = asked('hook = "drift"  # or "step"', lambda v: v in get_args(Hook))
    promise: Promise = asked(
        'promise = Promise("none", "the theorem or the counterexample")', lambda v: isinstance(v, Promise)
    )
    couples: bool = asked("couples = True  # or False", lambda v: isinstance(v, bool))
    claim: str = ""
    members: str | None = None
    by_distance: bool = True

    def said(self, kind: str) -> str:
        """What the filter promises, as sentences."""
        if self.claim:
            return self.claim
        scope = "nothing" if self.promise.scope == "none" else f"{self.promise.scope}, its tolerance"
        return f"The filter {kind} promises {scope}: {self.promise.because}."
