"""Bounds simulated where the truth is known: how often they cover it, and how often a verdict is wrong.

Methods called `planted` are known to fail.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter
from scipy.stats import binom, multivariate_normal, norm

from lem_safe.auditor.mixing import Batches
from lem_safe.auditor.standing import Standing
from lem_safe.auditor.verdict import verdicts
from lem_safe.bounds.anytime import log_evidence_above, log_evidence_below
from lem_safe.bounds.betting import log_capital
from lem_safe.bounds.clopper_pearson import interval, lower_bound, upper_bound
from lem_safe.bounds.evidence import Fixed

CONFIDENCE = 0.95
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
EVIDENCE = -math.log1p(-CONFIDENCE)

Row = dict[str, object]


def row(what: str, method: str, p: float, found: float, promised: float, **more: object) -> Row:
    """One number; `promised` is the least that coverage, or the most that an error, may be."""
    planted = method.startswith("planted")
    return {
        "what": what,
        "method": method.removeprefix("planted: "),
        "planted": planted,
        "p": p,
        "found": found,
        "promised": promised,
        **more,
    }


def binomial(runs: int, rng: np.random.Generator) -> list[Row]:
    """Bounds for a sample size fixed beforehand: simulated, and exactly, by the binomial distribution."""
    z = norm.ppf(CONFIDENCE)
    methods: dict[str, Callable[[int, int, float], bool]] = {
        "Clopper-Pearson, upper": lambda k, n, p: p <= upper_bound(k, n, CONFIDENCE),
        "Clopper-Pearson, lower": lambda k, n, p: p >= lower_bound(k, n, CONFIDENCE),
        "Clopper-Pearson, two-sided": lambda k, n, p: (
            interval(k, n, CONFIDENCE)[0] <= p <= interval(k, n, CONFIDENCE)[1]
        ),
        "planted: normal approximation, upper": lambda k, n, p: (
            p <= k / n + z * math.sqrt(k / n * (1 - k / n) / n)
        ),
    }
    found = []
    for name, covers in methods.items():
        for p in RATES:
            for n in (300, 5000):
                law = binom.pmf(np.arange(n + 1), n, p)
                held = np.array([law[k] < 1e-12 or covers(k, n, p) for k in range(n + 1)])
                simulated = float(held[rng.binomial(n, p, runs)].mean())
                found.append(
                    row(
                        "coverage",
                        name,
                        p,
                        simulated,
                        CONFIDENCE,
                        exactly=float(1 - law[~held].sum()),
                        n=n,
                        runs=runs,
                    )
                )
    return found


def families(runs: int, rng: np.random.Generator) -> list[Row]:
    """Five regions at once, three of them exactly at their tolerance: how often no verdict is wrong."""
    n = 2000
    found = []
    for β in RATES:
        true = np.array([β, β, β, 0.2 * β, min(3 * β, 0.9)])
        counts = rng.binomial(n, true, (runs, 5))
        standing = {k: Standing.of(Fixed(k, n), β, CONFIDENCE) for k in set(counts.flatten().tolist())}
        for correction in ("bonferroni", "holm", "none"):
            right = 0
            for drawn in counts.tolist():
                said = (
                    [v for k in drawn for v in verdicts([standing[k]], CONFIDENCE, "bonferroni")]
                    if correction == "none"
                    else verdicts([standing[k] for k in drawn], CONFIDENCE, correction)
                )
                # at exactly β neither ρ < β nor ρ > β is true; saying `certified` (ρ ≤ β) is then right, so
                # only the strict errors count
                wrong_up = any(v == "violated" for v in said[:4])
                wrong_down = said[4] == "certified"
                right += not (wrong_up or wrong_down)
            name = (
                "planted: no correction"
                if correction == "none"
                else f"{correction.capitalize()}, five regions"
            )
            found.append(row("coverage", name, β, right / runs, CONFIDENCE, n=n, runs=runs))
    return found


def certifying(decides: Callable[[int, int], bool], most: int) -> np.ndarray:
    """For each n from 1 to `most`, the largest count that certifies; −1 where none does."""
    counts, k = np.full(most, -1), -1
    for n in range(1, most + 1):
        while k + 1 < n and decides(k + 1, n):
            k += 1
        counts[n - 1] = k
    return counts


def violating(decides: Callable[[int, int], bool], most: int) -> np.ndarray:
    """For each n from 1 to `most`, the smallest count that shows a violation; n + 1 where none does."""
    counts, k = np.empty(most, dtype=np.int64), 0
    for n in range(1, most + 1):
        while k <= n and not decides(k, n):
            k += 1
        counts[n - 1] = k
    return counts


def looks(runs: int, most: int, rng: np.random.Generator) -> list[Row]:
    """How often a verdict is wrong at some look, one after every sample, when exactly β is inside: the
    hardest case.
    """
    found = []
    for β in RATES:
        low = {
            "anytime e-process, certified": certifying(
                lambda k, n, b=β: log_evidence_below(k, n, b) >= EVIDENCE, most
            ),
            "planted: Clopper-Pearson again and again": certifying(
                lambda k, n, b=β: upper_bound(k, n, CONFIDENCE) <= b, most
            ),
        }
        high = {
            "anytime e-process, violated": violating(
                lambda k, n, b=β: log_evidence_above(k, n, b) >= EVIDENCE, most
            )
        }
        wrong = dict.fromkeys([*low, *high], 0)
        for start in range(0, runs, 500):
            inside = np.cumsum(rng.random((min(500, runs - start), most)) < β, axis=1, dtype=np.int32)
            for name, limit in low.items():
                wrong[name] += int((inside <= limit).any(1).sum())
            for name, limit in high.items():
                wrong[name] += int((inside >= limit).any(1).sum())
        found += [
            row("wrong at some look", name, β, count / runs, 1 - CONFIDENCE, n=most, runs=runs)
            for name, count in wrong.items()
        ]
    return found


def clouds(runs: int, rng: np.random.Generator) -> list[Row]:
    """The betting bound on R clouds of 100 particles: all doing the same, none doing the same, and in
    between; and on chains' means.
    """
    found = []
    for p in RATES:
        laws = {
            "independent particles": lambda r, p=p: rng.binomial(100, p, (runs, r)) / 100,
            "particles that all do the same": lambda r, p=p: (rng.random((runs, r)) < p).astype(float),
            "fractions that scatter": lambda r, p=p: rng.beta(0.5, 0.5 * (1 - p) / p, (runs, r)),
            "means of AR(1) chains": lambda r, p=p: chain_means(0.9, p, runs, r, rng),
        }
        for name, draw in laws.items():
            x = draw(40)
            upper = np.mean([log_capital(of, p) < EVIDENCE for of in x])
            lower = np.mean([log_capital(1 - of, 1 - p) < EVIDENCE for of in x])
            found.append(
                row("coverage", f"betting, upper, {name}", p, float(upper), CONFIDENCE, n=40, runs=runs)
            )
            found.append(
                row("coverage", f"betting, lower, {name}", p, float(lower), CONFIDENCE, n=40, runs=runs)
            )
        whole = rng.binomial(40, p, runs)
        bound = {k: upper_bound(100 * k, 4000, CONFIDENCE) for k in set(whole.tolist())}
        pooled = float(np.mean([p <= bound[k] for k in whole.tolist()]))
        found.append(
            row(
                "coverage",
                "planted: particles that all do the same, counted singly",
                p,
                pooled,
                CONFIDENCE,
                n=4000,
                runs=runs,
            )
        )
    return found


def chain_means(
    ρ: float, p: float, runs: int, chains: int, rng: np.random.Generator, length: int = 50
) -> np.ndarray:
    """The fraction of time that stationary AR(1) chains spend beyond the quantile of p, [runs, chains]."""
    out = np.empty((runs, chains))
    for start in range(0, runs, 500):
        size = (min(500, runs - start), chains, length)
        out[start : start + 500] = (autoregressive(ρ, size, rng) >= norm.isf(p)).mean(-1)
    return out


def autoregressive(ρ: float, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """AR(1) along the last axis, stationary, standard normal margins."""
    noise = rng.normal(size=size) * math.sqrt(1 - ρ * ρ)
    noise[..., 0] /= math.sqrt(1 - ρ * ρ)
    return lfilter([1.0], [1.0, -ρ], noise, axis=-1)


def memory(runs: int, rng: np.random.Generator) -> list[Row]:
    """AR(1) rows whose effective number is known: coverage when they are counted singly, and of the
    diagnostic interval at batch means' n_eff.
    """
    found, n, p = [], 8000, 0.1
    a = norm.isf(p)
    for ρ in (0.0, 0.5, 0.9, 0.98):
        τ = 1.0
        for lag in range(1, 400):
            both = (
                multivariate_normal.cdf([-a, -a], cov=[[1, ρ**lag], [ρ**lag, 1]]) if ρ**lag > 1e-4 else p * p
            )
            τ += 2 * (both - p * p) / (p * (1 - p))
        single, corrected, effective, widths = 0, 0, [], []
        for start in range(0, runs, 200):
            for inside in autoregressive(ρ, (min(200, runs - start), n), rng) >= a:
                k = int(inside.sum())
                batches = Batches()
                batches.add(inside)
                n_eff = batches.effective() or float(n)
                plain, wide = interval(k, n, CONFIDENCE), interval(k / n * n_eff, n_eff, CONFIDENCE)
                single += plain[0] <= p <= plain[1]
                corrected += wide[0] <= p <= wide[1]
                effective.append(n_eff)
                widths.append((wide[1] - wide[0]) / (plain[1] - plain[0]))
        facts = {
            "rho": ρ,
            "n": n,
            "runs": runs,
            "true_ess": n / τ,
            "mean_ess": float(np.mean(effective)),
            "wider": float(np.mean(widths)),
        }
        if ρ:
            found.append(
                row(
                    "coverage",
                    f"planted: AR(1), ρ = {ρ:g}, rows counted singly",
                    p,
                    single / runs,
                    CONFIDENCE,
                    **facts,
                )
            )
        found.append(
            row(
                "diagnostic",
                f"AR(1), ρ = {ρ:g}, diagnostic interval",
                p,
                corrected / runs,
                CONFIDENCE,
                **facts,
            )
        )
    return found
