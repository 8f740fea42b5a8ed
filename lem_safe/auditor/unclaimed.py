"""Why no bound is claimed, as a value that an audit stores in addition to the words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Why = Literal["tuned", "coupled", "frozen", "copies"]
"""The samples chose the scenario's numbers; are one filtered cloud; are copies; never left their start."""

SUFFIX = "bound not claimed"
"""The end of `assumes` where there are counts but no bound."""

FOUND: dict[Why, str] = {
    "tuned": "samples used in tuning",
    "coupled": "coupled cloud",
    "frozen": "frozen run",
    "copies": "copies",
}
"""Each reason in a few words."""


@dataclass(frozen=True)
class Unclaimed:
    """Why no bound is claimed. found: the reason in a few words, with its numbers."""

    why: Why
    found: str

    @property
    def assumes(self) -> str:
        """The text of audit.json in place of an assumption."""
        return f"{self.found}: {SUFFIX}"


def because(why: Why, numbers: str = "") -> Unclaimed:
    """The value with its words.

    >>> because("copies", "1 distinct row among 400").assumes
    'copies, 1 distinct row among 400: bound not claimed'
    """
    return Unclaimed(why, f"{FOUND[why]}, {numbers}" if numbers else FOUND[why])


def unclaimed_in(audit: Mapping[str, Any]) -> Unclaimed | None:
    """Why the content of an audit.json claims no bound; None where it claims one.

    A file older than the key `unclaimed` states it in `assumes` alone, in words that no longer change.

    >>> unclaimed_in({"assumes": "coupled cloud: bound not claimed"})
    Unclaimed(why='coupled', found='coupled cloud')
    >>> unclaimed_in({"assumes": "independent clouds", "unclaimed": None})
    """
    if "unclaimed" in audit:
        return None if audit["unclaimed"] is None else Unclaimed(**audit["unclaimed"])
    found, _, end = str(audit["assumes"]).rpartition(": ")
    if end != SUFFIX:
        return None
    return Unclaimed(_OLD.get(found, "copies"), found)


_OLD: dict[str, Why] = {
    "samples used in tuning": "tuned",
    "coupled cloud": "coupled",
    "frozen run": "frozen",
}
"""The texts of `assumes` before `unclaimed` was written; any other text was "copies, ..."."""
