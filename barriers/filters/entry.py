"""What is asked of a filter by its kind: where it acts, what it promises, whether it couples particles, and
what a report says of that.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from barriers.filters.base import Promise
from barriers.kinds import Entry, asked

Hook = Literal["none", "drift", "step", "both"]
"""Before the noise, after it, wherever its members act, or nowhere."""


@dataclass(frozen=True)
class FilterEntry(Entry):
    """A kind of filter.

    couples: whether what happens to one particle depends on the others (A.2). claim: the promise as a reader
    of a report meets it; made from the promise where it is not given. members: the key under which a
    specification holds other filters, such as a chain's: it couples where one of them does, and promises what
    the last one promises.
    """

    hook: Hook = asked('hook = "drift"  # or "step"', lambda v: v in get_args(Hook))
    promise: Promise = asked(
        'promise = Promise("none", "the theorem or the counterexample")', lambda v: isinstance(v, Promise)
    )
    couples: bool = asked("couples = True  # or False", lambda v: isinstance(v, bool))
    claim: str = ""
    members: str | None = None

    def said(self, kind: str) -> str:
        """What the filter promises, as sentences."""
        if self.claim:
            return self.claim
        scope = "nothing" if self.promise.scope == "none" else f"{self.promise.scope}, its tolerance"
        return f"The filter {kind} promises {scope}: {self.promise.because}."
