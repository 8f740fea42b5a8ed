"""The measures of columns and of pairs, over the splits."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.judging.associations import associations, correlations
from lem_safe.judging.closest import copies
from lem_safe.judging.judgement import ColumnJudgement, Measure, Pairs, known
from lem_safe.judging.marginals import distances, missing, outside, outside_by_chance, spread_ratios, whole
from lem_safe.judging.splits import Beside, Side, Split, beside
from lem_safe.judging.table import Table, pooled

LEVELS = 50
"""Levels of a category in associations; the rarest are one."""
LARGEST = 10.0
"""The largest factor of two standard deviations that is told from a larger one: a part of rows in which a
rare value does not occur has none.
"""
DRAWS = 400
"""Draws of the shares outside that chance makes."""
FEW = "fewer than two real rows: there is no floor"

Pair = Float[np.ndarray, "2 s d"]
"""Of the samples and of the other real rows, [2, splits, columns or pairs]."""


class Looked(NamedTuple):
    """What the splits give, for every column: distances, differences of the shares of missing cells,
    |log| of the ratio of standard deviations; for every pair the absolute differences of the
    associations and of Pearson's correlations; shares of copies; the mean matrices, real and of the samples.
    """

    distances: Pair
    missing: Pair
    spreads: Pair
    associations: Pair
    correlations: Pair
    copies: Float[np.ndarray, "2 s"]
    matrices: Float[np.ndarray, "2 d d"]


def look(splits: Sequence[Split], told: Callable[[], None]) -> Looked:
    """Measures every split, at least one; `told` is called after each."""
    found: list[list[Float[np.ndarray, "2 k"]]] = [[] for _ in range(5)]
    shares, matrices = [], []
    upper = np.triu_indices(len(splits[0].real.columns), 1)
    for split in splits:
        real, *others = split.real, split.samples, split.other
        found[0].append(np.stack([distances(real, x) for x in others]))
        found[1].append(np.stack([np.abs(missing(real) - missing(x)) for x in others]))
        found[2].append(np.stack([_logs(spread_ratios(real, x)) for x in others]))
        ours, *theirs = (associations(x) for x in pooled((real, split.samples, split.other), LEVELS))
        found[3].append(np.stack([np.abs(ours - x)[upper] for x in theirs]))
        own = correlations(real)
        found[4].append(np.stack([np.abs(own - correlations(x))[upper] for x in others]))
        shares.append([copies(x, real) / len(x) for x in others])
        matrices.append(np.stack([ours, theirs[0]]))
        told()
    far, gaps, spreads, pairs, moments = (np.stack(one, 1) for one in found)
    copied = np.array(shares).T
    return Looked(far, gaps, spreads, pairs, moments, copied, np.mean(matrices, axis=0))


def _logs(ratios: Float[np.ndarray, "d"]) -> Float[np.ndarray, "d"]:
    """|log| of ratios, at most that of LARGEST; 0 where there is none."""
    logs = np.log(np.clip(np.nan_to_num(ratios, nan=1.0), 1 / LARGEST, LARGEST))
    return np.asarray(np.abs(logs))


def measures(real: Table, samples: Table, looked: Looked | None, h: int) -> list[Measure]:
    """Every measure of columns and pairs, in the order of the page."""
    if looked is None:
        return [Measure("columns_mean", "columns: mean distance", None, note=FEW)]
    names = [column.name for column in real.columns]
    pairs = [(names[i], names[j]) for i, j in zip(*np.triu_indices(len(names), 1), strict=True)]
    both = [(a, b) for a, b in pairs if {a, b} <= {c.name for c in real.columns if c.ordered}]
    singles = [(name,) for name in names]
    found = [
        _mean("columns_mean", "columns: mean distance", looked.distances, h),
        _largest("columns_worst", "columns: largest distance", looked.distances, singles, h),
    ]
    if looked.missing.any() or missing(real).any():
        title = "missing cells: largest difference of shares"
        found.append(_largest("missing_worst", title, looked.missing, singles, h))
    if real.ordered.any():
        title = "standard deviation: largest factor"
        spread = _largest("spread", title, looked.spreads, singles, h, np.exp)
        found.append(spread)
    found.append(beyond_range(real, samples))
    if pairs:
        found.append(_mean("pairs_mean", "associations: mean difference", looked.associations, h))
        title = "associations: largest difference"
        found.append(_largest("pairs_worst", title, looked.associations, pairs, h))
    if both:
        title = "Pearson correlations: largest difference"
        found.append(_largest("correlations_worst", title, looked.correlations, pairs, h))
    title = "samples that are copies of a real row"
    found.append(Measure("copies", title, beside(looked.copies, h)))
    return found


def beyond_range(real: Table, samples: Table) -> Measure:
    """The largest share of cells outside the real range, or of categories that no real row has, of all rows;
    beside what chance makes of it (`marginals.outside_by_chance`).
    """
    found = outside(real, samples)
    chance = outside_by_chance(real, samples, DRAWS, np.random.default_rng(0)).max(1)
    where = (real.columns[int(found.argmax())].name,) if found.any() else ()
    floor = Beside(float(found.max()), 0.0, float(chance.mean()), float(chance.std(ddof=1)), len(real), DRAWS)
    title = "cells outside the real range: largest share"
    note = "of all rows; its floor is computed, not of halves"
    return Measure("outside", title, floor, where, note)


def _mean(name: str, title: str, pair: Pair, h: int, side: Side = "above") -> Measure:
    return Measure(name, title, beside(pair.mean(2), h, side))


def _largest(
    name: str,
    title: str,
    pair: Pair,
    of: Sequence[tuple[str, ...]],
    h: int,
    shown: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Measure:
    """The mean over the splits of the largest; `where` is what is largest on average."""
    means = pair[0].mean(0)
    where = of[int(means.argmax())] if means.any() else ()
    return Measure(name, title, beside(shown(pair.max(2)), h), where)


def columns(real: Table, samples: Table, looked: Looked | None, h: int) -> tuple[ColumnJudgement, ...]:
    """Every column: distances over the splits, everything else of all rows."""
    out, spreads = outside(real, samples), spread_ratios(real, samples)
    gaps = missing(real), missing(samples)
    wholes = whole(real), whole(samples)
    return tuple(
        ColumnJudgement(
            column.name,
            column.said,
            "KS" if column.ordered else "TV",
            None if looked is None else beside(looked.distances[:, :, i], h),
            float(out[i]),
            known(float(spreads[i])),
            (float(gaps[0][i]), float(gaps[1][i])),
            (known(float(wholes[0][i])), known(float(wholes[1][i]))),
        )
        for i, column in enumerate(real.columns)
    )


def pairs_of(real: Table, samples: Table, looked: Looked | None) -> Pairs:
    """The associations; of all rows where there are no splits."""
    names = tuple(column.name for column in real.columns)
    if looked is None:
        return Pairs(names, associations(real), associations(samples))
    return Pairs(names, looked.matrices[0], looked.matrices[1])
