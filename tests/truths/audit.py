"""The audit: budgets, bounds, evidence, edges (A), and the price of a tolerance (P.2)."""

import math

import torch
from problems import beyond
from scipy.stats import binom, entropy

from barriers import budget as budgets
from lem_safe.auditor import anytime, bounds, verdict
from lem_safe.auditor.census import census
from lem_safe.report import cost
from truths.clouds import F64


def budget_is_the_decimal_rounded_down() -> None:
    """⌊βn⌋ of the decimal that was written (A.1), the same for the filter and the judge."""
    for β, n, expected in ((0.07, 100, 7), (0.29, 100, 29), (0.57, 100, 57), (0.1, 9, 0), (1e-3, 2999, 2)):
        assert budgets.budget(β, n) == expected
        assert bounds.budget(β, n) == expected


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
    """0 of 170 at β = .02 has chance .98¹⁷⁰ = .032: certified alone, not as one of two (A.4), and never where particles are coupled (A.2)."""

    def said(counts: list[int], coupled: bool = False) -> list[str]:
        return list(verdict.verdicts(counts, 170, [0.02] * len(counts), 0.95, "bonferroni", coupled))

    assert said([0]) == ["certified"]
    assert said([1]) == said([0], coupled=True) == ["inconclusive"]
    assert said([0, 0]) == ["inconclusive"] * 2
    assert said([4], coupled=True) == said([9]) == ["violated"]
    assert said([3], coupled=True) == ["inconclusive"]


def census_on_the_edge() -> None:
    """A sample on the boundary is inside, one ulp outside is not (A.1)."""
    x = torch.tensor([[1.0], [math.nextafter(1.0, 0.0)], [2.0]], dtype=F64)
    assert census([x], {"beyond": beyond(1.0)}).regions["beyond"].violations == 2


def price() -> None:
    """kl(β‖p), by scipy (P.2)."""
    for β, p in ((0.01, 0.04), (0.1, 0.5), (0.0, 0.2)):
        assert abs(cost.least_kl(β, p) - entropy([β, 1 - β], [p, 1 - p])) < 1e-12
