"""Which constraints have pictures of their own, where there are too many for a page."""

from collections.abc import Mapping
from typing import Any

MOST = 6


def foremost(audit: Mapping[str, Any], most: int = MOST) -> list[int]:
    """The indices of at most `most` constraints, in their order: the ones whose counts are nearest to, or
    furthest over, their budgets.
    """
    constraints = audit["constraints"]

    def used(k: int) -> float:
        c = constraints[k]
        found = max(c["fraction"], c["max_fraction_over_steps"] or 0.0)
        return -found / max(c["beta"], 1e-12)

    return sorted(sorted(range(len(constraints)), key=used)[:most])


def which(audit: Mapping[str, Any], most: int = MOST) -> str:
    """What a caption says of them; empty where all are drawn."""
    count = len(audit["constraints"])
    return f" Of {count:,} constraints, the {most} nearest to their tolerance." if count > most else ""
