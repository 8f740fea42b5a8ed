"""The audit: budgets, bounds, evidence, edges (A), and the price of a tolerance (P.2)."""

import math

import numpy as np
import torch
from problems import beyond
from scipy.stats import binom, entropy

from barriers import budget as budgets
from barriers import projection
from barriers.sets import Capsule, HalfSpace
from lem_safe.auditor import verdict
from lem_safe.auditor.census import census
from lem_safe.auditor.mixing import Batches, FileBatches
from lem_safe.auditor.samples import Block
from lem_safe.auditor.standing import Standing
from lem_safe.bounds import anytime, betting
from lem_safe.bounds import clopper_pearson as bounds
from lem_safe.bounds.evidence import Fixed, Sequential
from lem_safe.keys import Key
from lem_safe.normalization import subset_simulation as subset
from lem_safe.report import histograms, ranges
from truths.clouds import F64


def budget_is_the_decimal_rounded_down() -> None:
    """⌊βn⌋ of the decimal that was written (A.1), the same for the filter and the judge."""
    for β, n, expected in ((0.07, 100, 7), (0.29, 100, 29), (0.57, 100, 57), (0.1, 9, 0), (1e-3, 2999, 2)):
        assert budgets.budget(β, n) == expected


def clopper_pearson() -> None:
    """P(K ≤ k; p⁺) = α and P(K ≥ k; p⁻) = α (A.2)."""
    for k, n in ((1, 50), (3, 200), (250, 5000)):
        assert abs(binom.cdf(k, n, bounds.upper_bound(k, n, 0.95)) - 0.05) < 1e-9
        assert abs(binom.sf(k - 1, n, bounds.lower_bound(k, n, 0.95)) - 0.05) < 1e-9
    assert abs(bounds.upper_bound(0, 5000, 0.95) - 5.990e-4) < 5e-8


def evidence() -> None:
    """Under p = β the evidence has mean 1, so it exceeds 1/α with probability at most α (A.4)."""
    for β, n in ((0.05, 40), (0.3, 12)):
        mean = sum(binom.pmf(k, n, β) * math.exp(anytime.log_evidence_below(k, n, β)) for k in range(n + 1))
        assert abs(mean - 1) < 1e-9


def verdicts_hold_together() -> None:
    """0 of 170 at β = .02 has chance .98¹⁷⁰ = .032: certified alone, not as one of two (A.4), and never where
    particles are coupled (A.2).
    """

    def said(counts: list[int], coupled: bool = False) -> list[str]:
        standings = [Standing.of(Fixed(k, 170), 0.02, 0.95) for k in counts]
        return list(
            verdict.verdicts(standings, 0.95, "bonferroni", [k > 3 for k in counts] if coupled else None)
        )

    assert said([0]) == ["certified"]
    assert said([1]) == said([0], coupled=True) == ["inconclusive"]
    assert said([0, 0]) == ["inconclusive"] * 2
    assert said([4], coupled=True) == said([9]) == ["violated"]
    assert said([3], coupled=True) == ["inconclusive"]


def bets_are_fair() -> None:
    """Clouds that are wholly inside with chance m leave the capital's mean at 1 (A.5): all 2⁶ outcomes."""
    for m in (0.1, 0.4):
        outcomes = (np.array([i >> r & 1 for r in range(6)], dtype=float) for i in range(64))
        mean = sum(
            m ** x.sum() * (1 - m) ** (6 - x.sum()) * math.exp(betting.log_capital(x, m)) for x in outcomes
        )
        assert abs(mean - 1) < 1e-9


def looks_are_remembered() -> None:
    """Of many looks the best evidence counts, and a verdict stays (A.4)."""
    first = Standing.of(Sequential(0, 449), 0.01, 0.95).decided("certified", 449)
    later = Standing.of(Sequential(5, 600), 0.01, 0.95).after(first).decided("violated", 600)
    assert (later.verdict, later.decided_at, later.upper) == ("certified", 449, first.upper)
    assert later.p_certify == first.p_certify <= 0.05 and not later.contradicted
    alone = Standing.of(Sequential(60, 600), 0.01, 0.95)
    other = alone.after(first).decided("violated", 600)  # no law is under .01 and over .07
    assert (other.contradicted, other.verdict, other.p_certify, other.upper, other.lower) == (
        True,
        "violated",
        1.0,
        alone.upper,
        alone.lower,
    )


def repeated_rows_are_seen() -> None:
    """Every row four times: the batches' variance is four times that of independent rows (A.6), to 4 standard
    errors of 78 batches' variance.
    """
    batches = Batches()
    batches.add((np.random.default_rng(0).random(20_000) < 0.2).repeat(4))
    assert abs(80_000 / (batches.effective() or math.inf) / 4 - 1) < 4 * (2 / 77) ** 0.5


def rows_in_files_are_seen() -> None:
    """The same rows in files of any sizes, counted last file first (A.6): batches of unequal sizes weigh as
    many rows as they hold.
    """
    rows = (np.random.default_rng(0).random(20_000) < 0.2).repeat(4)
    for ends in ([40_000], [3, 9000, 9001, 60_000], list(range(500, 80_000, 500))):
        batches = FileBatches(len(ends) + 1)
        for file, part in reversed(list(enumerate(np.split(rows, ends)))):
            batches.add(file, part)
        assert abs(80_000 / (batches.effective() or math.inf) / 4 - 1) < 4 * (2 / 63) ** 0.5


def rare_events() -> None:
    """P(x₀ ≥ 3.09) = 1e-3 by subset simulation, ten times, to 4 standard errors, each run's being .3 as it
    says itself (R.1).
    """
    move = subset.metropolis(lambda x: (x.square().sum(-1) / 2, x), 0.5)
    found = []
    for seed in range(10):
        start = Key(seed).normal(torch.empty(500, 1, dtype=F64))
        found.append(
            subset.subset_simulation(
                Key(seed).fold("run"), start, lambda x: 3.0902323 - x[:, 0], move, moves=3, most=6
            )
        )
    mean = sum(f.probability for f in found) / 10
    assert all(0.15 < f.relative_error < 0.5 for f in found)
    assert abs(mean / 1e-3 - 1) < 4 * 0.3 / math.sqrt(10)


def tails_with_ties() -> None:
    """P(⌊x₀/1.5⌋ ≥ 2) and P((x₀ − 2)₊ ≥ 1), both 1.35e-3: levels that are integers, or flat over most of the
    space (S.1).
    """
    move = subset.metropolis(lambda x: (x.square().sum(-1) / 2, x), 0.5)
    for level in (lambda x: 2 - (x[:, 0] / 1.5).floor(), lambda x: 1 - (x[:, 0] - 2).clamp(min=0)):
        found = []
        for seed in range(10):
            start = Key(seed).normal(torch.empty(500, 1, dtype=F64))
            found.append(subset.subset_simulation(Key(seed).fold("run"), start, level, move, moves=3, most=6))
        error = sum(f.relative_error**2 for f in found) ** 0.5 / 10
        assert all(f.reached for f in found)
        assert abs(sum(f.probability for f in found) / 10 / 1.3499e-3 - 1) < 4 * error < 0.6


def census_on_the_edge() -> None:
    """A sample on the boundary is inside, one ulp outside is not (A.1)."""
    x = torch.tensor([[1.0], [math.nextafter(1.0, 0.0)], [2.0]], dtype=F64)
    assert census([Block(x)], {"beyond": beyond(1.0)}).regions["beyond"].violations == 2


def price() -> None:
    """kl(β‖p), by scipy (P.2)."""
    for β, p in ((0.01, 0.04), (0.1, 0.5), (0.0, 0.2)):
        assert abs(projection.facts(p, β).kl - entropy([β, 1 - β], [p, 1 - p])) < 1e-12


def clearances_that_are_told() -> None:
    """No clearance contradicts membership: it is 0 within the spacing of a row's numbers, and not told where
    float64 lost or overflowed it.
    """
    x = torch.tensor([[0.3, 0.7], [1.0, 1.0], [1.7e308, 1.7e308]], dtype=F64)
    far = census([Block(x)], {"over": HalfSpace([1.0, 1.0], 1.0)}).regions["over"]
    deepest = far.clearance
    assert (
        (far.violations, far.kind) == (2, "exact")
        and deepest is not None
        and abs(deepest + math.sqrt(0.5)) < 1e-15
    )
    assert far.clearances is not None and far.clearances.unknown == 1  # (1 − 3.4e308)/√2 is no float
    assert [(s.row, s.inside, s.clearance) for s in far.worst] == [
        (2, True, None),
        (1, True, deepest),
        (0, False, 0.0),
    ]
    wire = {"wire": Capsule([-5e17, 1e17], [5e17, -1e17], 1.0)}
    for row, inside in (
        ([3.0, 0.5], 0),
        ([3.0, 0.2], 1),
    ):  # 1.08 and .78 from an axis on which numbers are 64 apart
        long = census([Block(torch.tensor([row], dtype=F64))], wire).regions["wire"]
        assert (long.violations, long.clearance) == (inside, None)


def bins_are_bounded() -> None:
    """A region far from all samples costs no more bins than they do, and one row far from all others leaves
    them a picture.
    """
    y = np.linspace(1e6, 1e6 + 1, 400)
    edges = histograms.edges_of({"samples": y}, at_zero=True)
    assert len(edges) <= 60 and edges[0] == np.quantile(y, 0.001) and edges[-1] == np.quantile(y, 0.999)
    assert len(histograms.edges_of({"samples": y - 1e6 + 0.5}, at_zero=True)) <= 100
    low, high = ranges.interval([np.append(np.linspace(-1, 1, 400), 1e300)])
    assert -1 <= low < -0.9 and 1 < high <= 0.95 + 50 * 2
    for flat in (
        np.full(9, 1e17),
        np.full(9, 5e-324),
        np.array([1e17, 1e17 + 16]),
        np.array([-1.7e308, 1.7e308]),
    ):
        low, high = ranges.interval([flat])
        edges = np.linspace(low, high, 49)
        assert (np.diff(edges) > 0).all() and np.isfinite(high - low)
