"""Anytime, betting and planning: against integrals, against the binomial law, and false certification by
simulation.
"""

import math
import re

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom

from lem_safe import cli
from lem_safe.bounds import planning
from lem_safe.bounds.anytime import Watch, anytime_upper_bound, log_evidence_above, log_evidence_below
from lem_safe.bounds.betting import log_capital, mean_upper_bound
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.bounds.planning import fewest_samples, plan

pytestmark = pytest.mark.simulation


@pytest.mark.parametrize(("k", "n", "beta"), [(0, 10, 0.2), (3, 200, 0.05), (30, 200, 0.05), (2, 1000, 0.01)])
def test_evidence_is_the_integral_it_claims_to_be(k, n, beta):
    def ratio(q):
        return (q / beta) ** k * ((1 - q) / (1 - beta)) ** (n - k)

    below = quad(ratio, 0, beta)[0] / beta
    above = quad(ratio, beta, 1, points=sorted({beta, min(1, max(beta, k / n) + 0.05)}))[0] / (1 - beta)
    assert math.exp(log_evidence_below(k, n, beta)) == pytest.approx(below, rel=1e-7)
    assert math.exp(log_evidence_above(k, n, beta)) == pytest.approx(above, rel=1e-6)


@pytest.mark.parametrize("p", [0.05, 0.08, 0.3])
def test_evidence_is_a_supermartingale(p):
    beta, slack = 0.05, 0.0
    for n in range(30):
        for k in range(n + 1):
            now = math.exp(log_evidence_below(k, n, beta))
            inside, outside = (math.exp(log_evidence_below(k + j, n + 1, beta)) for j in (1, 0))
            following = p * inside + (1 - p) * outside
            assert following <= now * (1 + 1e-9)
            slack = max(slack, 1 - following / now)
    assert slack < 1e-9 if p == beta else slack > 0.01  # a martingale exactly at beta


def test_evidence_survives_where_the_beta_function_underflows():
    far = log_evidence_below(9_000, 10_000, 0.01)
    slope = (
        9_000 / 0.01 - 1_000 / 0.99
    )  # all of the integral sits at its end q = beta, where the integrand grows like e^{slope q}
    assert far == pytest.approx(-math.log(0.01 * slope), abs=2e-3)
    assert log_evidence_below(0, 10, 0.0) == -math.inf and log_evidence_above(1, 10, 0.0) == math.inf


def certifying_counts(decides, most):
    """For each n, the largest count that certifies, −1 where none does."""
    counts, k = np.full(most + 1, -1), -1
    for n in range(1, most + 1):
        while k + 1 <= n and decides(k + 1, n):
            k += 1
        counts[n] = k
    return counts


def test_looking_after_every_sample_stays_honest_and_clopper_pearson_does_not():
    beta, most, runs = 0.05, 1500, 600
    rng = np.random.default_rng(0)
    cumulative = np.cumsum(
        rng.random((runs, most)) < beta * 1.0001, axis=1
    )  # just over the line: certifying is false
    anytime = certifying_counts(lambda k, n: log_evidence_below(k, n, beta) >= math.log(20), most)
    naive = certifying_counts(lambda k, n: upper_bound(k, n, 0.95) <= beta, most)
    false_anytime = (cumulative <= anytime[1:]).any(1).mean()
    false_naive = (cumulative <= naive[1:]).any(1).mean()
    sigma = (0.05 * 0.95 / runs) ** 0.5
    assert false_anytime <= 0.05 + 4 * sigma
    assert false_naive >= 0.15  # the planted fault


def ever_at_most(limits, p):
    """P(at some n the count is at most its limit), exactly: the law of the count among those not yet stopped,
    one sample at a time.
    """
    alive, stopped = np.array([1.0]), 0.0
    for limit in limits:
        alive = np.concatenate([alive * (1 - p), [0.0]]) + np.concatenate([[0.0], alive * p])
        stopped += alive[: limit + 1].sum()
        alive[: limit + 1] = 0.0
    return stopped


@pytest.mark.parametrize("beta", [0.01, 0.05, 0.3])
def test_false_certificates_counted_exactly(beta):
    most = 2000
    anytime = certifying_counts(lambda k, n: log_evidence_below(k, n, beta) >= math.log(20), most)[1:]
    naive = certifying_counts(lambda k, n: upper_bound(k, n, 0.95) <= beta, most)[1:]
    mirrored = certifying_counts(lambda k, n: log_evidence_above(n - k, n, beta) >= math.log(20), most)[1:]
    assert 0.005 < ever_at_most(anytime, beta) <= 0.05 and ever_at_most(mirrored, 1 - beta) <= 0.05
    assert ever_at_most(naive, beta) > 0.1  # the planted fault


def test_a_watch_decides_once_and_rightly():
    watch = Watch(0.05)
    assert [watch.add(0, 20) for _ in range(8)][-1] == "certified"
    assert watch.add(500, 500) == "certified" and watch.n == 660  # decided is decided
    assert Watch(0.05).add(30, 200) == "violated" and Watch(0.05).add(10, 200) == "inconclusive"
    assert Watch(0.0).add(0, 10**6) == "inconclusive" and Watch(0.0).add(1, 10**6) == "violated"
    with pytest.raises(ValueError, match="cannot have 3 inside"):
        Watch(0.05).add(3, 2)


def test_anytime_bound_is_where_the_evidence_crosses():
    for k, n in ((0, 400), (7, 400), (200, 400)):
        bound = anytime_upper_bound(k, n, 0.95)
        assert log_evidence_below(k, n, bound) == pytest.approx(math.log(20), abs=1e-6)
        assert upper_bound(k, n, 0.95) < bound < 1.8 * upper_bound(k, n, 0.95)
    assert anytime_upper_bound(3, 3, 0.95) == 1.0


def test_betting_capital_against_a_plain_loop():
    from lem_safe.bounds.betting import BETS, WEIGHTS

    x, m = np.array([0.01, 0.0, 0.2, 0.03]), 0.1
    capital = sum(
        w * math.prod(1 + b * (m - v) / (1 - m) for v in x) for b, w in zip(BETS, WEIGHTS, strict=True)
    )
    assert log_capital(x, m) == pytest.approx(math.log(capital)) and WEIGHTS.sum() == pytest.approx(1)


@pytest.mark.parametrize("law", ["even", "rare and whole", "uniform"])
def test_betting_bound_covers_any_law_of_clouds(law):
    rng = np.random.default_rng(1)
    draw = {
        "even": (lambda r: rng.binomial(200, 0.03, r) / 200, 0.03),
        "rare and whole": (lambda r: (rng.random(r) < 0.03).astype(float), 0.03),
        "uniform": (lambda r: rng.random(r), 0.5),
    }
    sample, mean = draw[law]
    runs = 300
    covered = np.mean([log_capital(sample(40), mean) < math.log(20) for _ in range(runs)])
    assert covered >= 0.95 - 4 * (0.05 * 0.95 / runs) ** 0.5


def test_pooling_coupled_particles_would_not_cover():
    rng = np.random.default_rng(2)
    whole = rng.random((300, 40)) < 0.03  # every particle of a cloud does the same thing
    pooled = [upper_bound(100 * int(k), 100 * 40, 0.95) >= 0.03 for k in whole.sum(1)]
    assert np.mean(pooled) < 0.8  # the planted fault: 4,000 particles are not 4,000 samples
    assert np.mean([mean_upper_bound(x.astype(float), 0.95) >= 0.03 for x in whole]) >= 0.9


def test_betting_bound_at_known_points():
    r, edge = 30, mean_upper_bound(np.zeros(30), 0.95)
    assert log_capital(np.zeros(r), edge) == pytest.approx(math.log(20), abs=1e-6)
    assert 1 - 0.05 ** (1 / r) < edge < 1 - (0.05 * 0.76) ** (1 / r) + 1e-9
    assert mean_upper_bound(np.ones(5), 0.95) == 1.0
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_upper_bound(np.array([1.2]), 0.95)


def test_plans_are_the_smallest_that_work():
    p = plan(0.01, 0.003, power=0.9)
    assert upper_bound(p.allowed, p.samples, 0.95) <= 0.01 < upper_bound(p.allowed, p.samples - 1, 0.95)
    assert p.power == pytest.approx(binom.cdf(p.allowed, p.samples, 0.003)) and p.power >= 0.9
    fewer = fewest_samples(p.allowed - 1, 0.01, 0.95)
    assert binom.cdf(p.allowed - 1, fewer, 0.003) < 0.9
    assert plan(0.01, 0.0).samples == p.at_least == math.ceil(math.log(0.05) / math.log(0.99))
    assert "1,049 independent samples certify 1 %" in str(p)
    tiny = plan(1e-9, 0.0)  # more samples than a 32-bit number holds
    assert tiny.power == 1.0 and tiny.samples == math.ceil(math.log(0.05) / math.log1p(-1e-9))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--beta nan --true 0", "--beta: must satisfy 0 < beta < 1.*got nan"),
        (
            "--beta 0 --true 0",
            "--beta: must satisfy 0 < beta < 1, as a tolerance of 0 cannot be certified; got 0",
        ),
        ("--beta 0.1 --true 0.1", "--true: must satisfy 0 <= true < beta.*got 0.1"),
        ("--beta 0.1 --true nan", "--true: must satisfy .*got nan"),
        (
            "--beta 0.1 --true 0 --confidence 1",
            "--confidence: must satisfy 0 < confidence <= 1 - 1e-9; got 1",
        ),
        ("--beta 0.1 --true 0 --power 0", "--power: must satisfy 0 < power < 1; got 0"),
        ("--beta 0.1 --true 0.0999999999", "--true: .*too close to beta 0.1"),
    ],
)
def test_what_cannot_be_planned_names_its_flag(flags, said, capsys):
    assert cli.main(["plan", *flags.split()]) == 2
    assert re.match(said, capsys.readouterr().err)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("beta", [1e-4, 0.01, 0.3, 0.99])
def test_the_fewest_samples_are_where_the_bound_says_so_and_the_bound_is_asked_little(
    beta: float, confidence: float, monkeypatch: pytest.MonkeyPatch
):
    for count in (0, 1, 17, 1000, 123_456):
        n = fewest_samples(count, beta, confidence)
        assert n is not None and upper_bound(count, n, confidence) <= beta
        assert n == count + 1 or upper_bound(count, n - 1, confidence) > beta
    asked = []
    monkeypatch.setattr(planning, "upper_bound", lambda *of: (asked.append(of), upper_bound(*of))[1])
    fewest_samples(10**9, beta, confidence)
    assert len(asked) <= 3, "an inverse takes milliseconds there"


def test_planned_audits_certify_as_often_as_planned():
    p = plan(0.02, 0.01)
    counts = np.random.default_rng(4).binomial(p.samples, 0.01, 4000)
    rate = np.mean([upper_bound(int(k), p.samples, 0.95) <= 0.02 for k in counts])
    assert abs(rate - p.power) < 4 * (p.power * (1 - p.power) / 4000) ** 0.5
