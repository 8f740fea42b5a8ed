"""A row of the gallery: one method on one entry, counted as every other method of that entry."""

from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Literal

Role = Literal["ours", "without", "today", "beside"]
Value = str | int | float | None


@dataclass(frozen=True)
class Row:
    """What one method did.

    entry: the entry's name. method: in a few words. role: `ours` is the bundled scenario as it stands,
    `without` its samples without the filter, `today` what most would use, the one that short tables show, and
    `beside` any other. by: the library that did it, with its version. samples: how many it gave. inside: how
    many of them are in the region. seconds: of processor time on one thread, all that the method needs.
    measures: numbers or words of this entry, by the heads of their columns. told: what a short table says of
    it. verdict, said, ratio, tolerated: of ours, the audit's, and the time of the filtered chain over that of
    the unfiltered one.
    """

    entry: str
    method: str
    role: Role
    by: str
    samples: int
    inside: int
    seconds: float
    measures: dict[str, Value] = field(default_factory=dict)
    told: str = ""
    verdict: str = ""
    said: str = ""
    ratio: float | None = None
    tolerated: float | None = None

    def written(self) -> dict[str, Any]:
        """The row as results.json holds it, without what it lacks."""
        whole = asdict(self) | {"seconds": round(self.seconds, 2), "name": f"{self.entry}: {self.method}"}
        return {"part": self.entry} | {
            key: value for key, value in whole.items() if value not in (None, "", {})
        }


def named(library: str) -> str:
    """A library with its version, as rows name it.

    >>> named("numpy").startswith("numpy ")
    True
    """
    return f"{library} {version(library).partition('+')[0]}"
