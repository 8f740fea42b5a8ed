"""What an audit shows beside its counts: clearances, where the mass inside sits, near misses, and whether
rows look independent.
"""

import numpy as np
import pytest
from audited import cloud, only, scenario
from scipy.stats import multivariate_normal, norm

from lem_safe.auditor import audit
from lem_safe.auditor.clearances import PROBABILITIES, Sketch
from lem_safe.auditor.inside import KEPT, Reservoir, scrambled
from lem_safe.auditor.mixing import Batches


def sketched(values, parts):
    sketch = Sketch()
    for part in np.array_split(values, parts):
        sketch.add(part, np.nanmin(part), np.nanmax(part))
    return sketch.result()


@pytest.mark.parametrize("law", ["normal", "heavy", "tiny", "edge"])
def test_quantiles_of_the_sketch_are_within_their_relative_error(law):
    rng = np.random.default_rng(0)
    x = {
        "normal": rng.normal(0.5, 1, 30_001),
        "heavy": rng.standard_cauchy(30_001),
        "tiny": 1e-9 * rng.normal(-1, 2, 30_001),
        "edge": np.where(rng.random(30_001) < 0.5, 0.0, rng.normal(0, 1, 30_001)),
    }[law]
    found = sketched(x, 7)
    exact = np.quantile(x, PROBABILITIES, method="inverted_cdf")
    assert np.allclose(found.quantiles, exact, rtol=2**-8, atol=1e-37)
    assert found.quantiles[0] == x.min() and found.quantiles[-1] == x.max()
    assert sum(found.counts) == len(x) and len(found.counts) <= 42 and 0.0 in found.edges
    inside = sum(k for end, k in zip(found.edges[1:], found.counts, strict=True) if end <= 0)
    assert inside == (x < 0).sum() or law == "edge"  # no bar mixes the two sides
    assert sketched(x, 1) == found


def test_samples_without_a_clearance_are_told_apart():
    x = np.array([1.0, np.nan, -2.0, np.nan])
    assert sketched(x, 1).unknown == 2 and sum(sketched(x, 1).counts) == 2
    sketch = Sketch()
    sketch.add(np.array([np.nan]), np.inf, -np.inf)
    assert sketch.result() is None and sketch.unknown == 1


def test_an_audit_tells_clearances_and_where_the_mass_sits():
    x = np.random.default_rng(3).normal([1.2, 0.0], 1.0, (90_000, 2))
    c = only(audit(x, scenario([("pillar", 0.5)])))
    s = np.hypot(x[:, 0] - 2, x[:, 1]) - 0.8
    assert np.allclose(c.clearances.quantiles, np.quantile(s, PROBABILITIES), rtol=6e-3, atol=1e-3)
    held = x[s <= 0]
    assert c.inside.sampled == KEPT
    error = (
        4 * np.sqrt(0.25 / KEPT) / np.array([norm.pdf(0) / held.std(0)[i] for i in range(2)])
    )  # of a median
    assert (np.abs(np.array(c.inside.quantiles)[:, 2] - np.median(held, 0)) < error).all()
    few = only(audit(x[:200], scenario([("pillar", 0.5)])))
    exact = np.quantile(x[:200][s[:200] <= 0], few.inside.probabilities, axis=0, method="inverted_cdf").T
    assert few.inside.sampled == (s[:200] <= 0).sum() and np.array_equal(few.inside.quantiles, exact)
    assert only(audit(cloud(0, 50), scenario([("pillar", 0.5)]))).inside is None


def test_the_reservoir_is_uniform_and_does_not_see_blocks():
    x = np.arange(20_000.0)[:, None]
    kept = []
    for parts in (1, 13):
        reservoir, start = Reservoir(), 0
        for part in np.array_split(x, parts):
            reservoir.add(part, part[:, 0] % 4 == 0, start)
            start += len(part)
        kept.append(np.sort(reservoir.values[:, 0]))
    assert (kept[0] == kept[1]).all() and len(kept[0]) == KEPT and (kept[0] % 4 == 0).all()
    assert abs(kept[0].mean() - 10_000) < 4 * 20_000 / np.sqrt(12 * KEPT)
    assert len(np.unique(scrambled(np.arange(100_000)))) == 100_000


def chain(rho, n, rng, runs=1):
    """AR(1) with standard normal margins, [runs, n]."""
    from scipy.signal import lfilter

    noise = rng.normal(size=(runs, n)) * np.sqrt(1 - rho**2)
    noise[:, 0] /= np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], noise, axis=1)


def indicator_time(rho, threshold, lags):
    """τ of 1{x ≥ a} for AR(1): 1 + 2 Σ corr, each from a bivariate normal orthant."""
    p, τ = norm.sf(threshold), 1.0
    for lag in range(1, lags):
        r = rho**lag
        both = multivariate_normal.cdf([-threshold, -threshold], cov=[[1, r], [r, 1]])
        τ += 2 * (both - p * p) / (p * (1 - p))
    return τ


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_batches_find_the_memory_of_a_known_chain(rho):
    a, n, runs = 1.0, 40_000, 40
    τ = indicator_time(rho, a, 120)
    found = []
    for x in chain(rho, n, np.random.default_rng(1), runs):
        batches = Batches()
        for part in np.array_split(x >= a, 5):
            batches.add(part)
        found.append(n / batches.effective())
    # a variance from 78 batches has relative error (2/77)^½; τ below 1 is cut off, which lifts the mean at ρ
    # = 0
    error = (2 / 77) ** 0.5
    assert abs(np.mean(found) / τ - 1) < 4 * error / runs**0.5 + (0.07 if rho == 0 else 0.02)


def test_correlated_rows_widen_the_diagnostic_and_leave_the_bound():
    rng = np.random.default_rng(2)
    edge = {"right": {"kind": "half_space", "normal": [1.0], "offset": 1.0}}
    asked = scenario([("right", 0.5)], unsafe=edge, columns=("x0",))
    x = chain(0.95, 20_000, rng)[0]
    slow, mixed = (audit(v[:, None], asked) for v in (x, rng.permutation(x)))
    assert only(slow).interval == only(mixed).interval and only(slow).verdict == only(mixed).verdict
    widths = [np.diff(only(r).diagnostic_interval)[0] for r in (slow, mixed)]
    assert (
        widths[0] > 3 * np.diff(only(slow).interval)[0] and widths[1] < 1.5 * np.diff(only(mixed).interval)[0]
    )
    assert "Diagnostic: in file order" in slow.to_text() and "Diagnostic" not in mixed.to_text()


def test_batches_do_not_see_blocks():
    x = np.repeat(np.random.default_rng(0).random(2501) < 0.2, 4)[
        :10_001
    ]  # each draw four times: τ is about 4
    for n in (64, 511, 512, 5000, 10_001):
        naive = Batches()
        naive.add(x[:n])
        cut = Batches()
        for part in np.array_split(x[:n], 11):
            cut.add(part)
        assert (cut.size, cut.sums.tolist(), cut.effective()) == (
            naive.size,
            naive.sums.tolist(),
            naive.effective(),
        )
        k = len(cut.sums)
        assert cut.sums.tolist() == x[: k * cut.size].reshape(k, -1).sum(1).tolist() and n // cut.size == k
    fractions = x[: k * naive.size].reshape(k, -1).mean(1)
    τ = naive.size * fractions.var(ddof=1) / (fractions.mean() * (1 - fractions.mean()))
    assert (
        naive.effective() == pytest.approx(10_001 / τ, rel=1e-12)
        and abs(τ - 4) < 4 * 4 * (2 / (k - 1)) ** 0.5
    )
    few = Batches()
    few.add(x[:500])
    assert few.effective() is None
