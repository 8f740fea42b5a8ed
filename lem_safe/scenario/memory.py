"""Whether a run fits in this machine's memory: its clouds, its trace, and the data kept of several clouds."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from barriers.regular_files import memory
from lem_safe.processes import place
from lem_safe.scenario.key_path import KeyPath

CLOUDS = 4
"""The number of n × d arrays that a step needs at least: the cloud, its proposal, the gradient, the noise."""


def too_large(
    sampler: Mapping[str, Any], d: int, m: int, dtype: str | None, clouds: int
) -> Iterator[tuple[KeyPath, str]]:
    """The key that requires more memory than available, and how much: for `clouds` clouds of d columns under
    m constraints. Several processes need it for their parts, and the first of them for the whole cloud.
    """
    have, width, at = memory(), 8 if dtype == "float64" else 4, place()
    n, t = sampler["samples"], sampler["steps"]
    copies = CLOUDS if at is None else 1 + CLOUDS * at.beside / at.size
    if (need := math.ceil(copies * n * d * width)) > have:
        yield (
            ("sampler", "samples"),
            f"{n:,} samples x {d} columns need {_gib(need)}; this machine has {_gib(have)}; take fewer",
        )
    if (need := 5 * t * m * 8) > have:
        yield (
            ("sampler", "steps"),
            f"the trace of {t:,} steps needs {_gib(need)}; this machine has {_gib(have)}; take fewer",
        )
    elif (
        clouds > 1 and (need := CLOUDS * clouds * (n * d * width + 8 * t * m)) > have
    ):  # kept, pooled, saved, unfiltered
        yield (
            ("audit", "replicas"),
            f"{clouds:,} clouds of {n:,} samples over {t:,} steps need {_gib(need)}; this machine has "
            f"{_gib(have)}; take fewer",
        )


def _gib(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"
