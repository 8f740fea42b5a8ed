"""The measures of the nearest rows and of copies, beside their floors."""

from collections.abc import Callable

import numpy as np

from lem_safe.judging.closest import copies, metric_of, nearest, repeats, shares_nearer
from lem_safe.judging.effort import Effort
from lem_safe.judging.judgement import Measure
from lem_safe.judging.splits import Beside, beside, splits
from lem_safe.judging.table import Table

NO_HOLDOUT = (
    "Not measured: the share of samples that are nearer to training rows than to held-out rows, which needs "
    "rows that the generator has not seen (--holdout FILE)"
)


def distances(
    real: Table, samples: Table, effort: Effort, seed: int, told: Callable[[], None]
) -> list[Measure]:
    """The median distance of a sample to its nearest real row, beside that of a real row to its nearest one
    of other real rows.
    """
    metric = metric_of(real)
    found: tuple[list[float], list[float]] = [], []
    h = 0
    for part in splits(real, samples, effort.splits, effort.references, np.random.default_rng([seed, 3])):
        h = len(part.real)
        some = np.arange(min(h, effort.queries))
        for side, x in zip(found, (part.samples, part.other), strict=True):
            side.append(float(np.median(nearest(x.rows(some), part.real, metric))))
        told()
    title = "nearest real row: median distance"
    return [Measure("nearest", title, beside(found, h, "both"))] if h else []


def nearer(
    real: Table, samples: Table, holdout: Table | None, effort: Effort, seed: int
) -> tuple[list[Measure], list[str]]:
    """The share of samples that are nearer to a training row than to a held-out one, of equally many; .5 is
    what no memory looks like. Its floor are random partings of the two.
    """
    if holdout is None:
        return [], [NO_HOLDOUT]
    rng = np.random.default_rng([seed, 4])
    h = min(len(real), len(holdout), effort.references)
    some, held = (t.rows(rng.permutation(len(t))[:h]) for t in (real, holdout))
    asked = samples.rows(rng.permutation(len(samples))[: effort.queries])
    share, chance = shares_nearer(asked, some, held, metric_of(real), rng)
    sd = max(float(chance.std(ddof=1)), 0.5 / np.sqrt(len(asked)))
    found = Beside(share, 0.0, float(chance.mean()), sd, h, 1)
    note = f"of {len(asked):,} samples; .5 without memorisation"
    title = "samples nearer to a training row than to a held-out row"
    return [Measure("nearer", title, found, note=note)], []


def counted(real: Table, samples: Table, holdout: Table | None) -> dict[str, int | None]:
    """Rows that are equal to others in every cell, of all rows."""
    return {
        "of_real": copies(samples, real),
        "of_holdout": None if holdout is None else copies(samples, holdout),
        "of_real_in_holdout": None if holdout is None else copies(holdout, real),
        "repeats_in_samples": repeats(samples),
        "repeats_in_real": repeats(real),
    }
