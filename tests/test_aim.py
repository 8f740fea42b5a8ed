"""`filter.aim`: the budget that a filter enforces, what `auto` finds, what is refused, and that the audit judges beta all the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import beta as beta_law
from scipy.stats import binom

from barriers.budget import budget, certifiable, fewest_samples, share
from lem_safe import audit
from lem_safe.auditor.bounds import samples_needed
from lem_safe.auditor.several import p_certify, rejected
from lem_safe.build import build
from lem_safe.catalogue import loads
from lem_safe.faults import BadInput
from lem_safe.progress import Silent
from lem_safe.runner import run
from lem_safe.scenario import Scenario, aims

TEXT = """\
version: 1
name: room
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  right: {kind: half_space, normal: [1, 0], offset: 0.5}
  top: {kind: half_space, normal: [0, 1], offset: 0.5}
constraints: [{set: right, beta: 0.05}]
sampler: {kind: langevin, samples: 1000, steps: 300, step_size: 0.02, init: {kind: gaussian, mean: [-1.5, -1.5], std: 0.3}}
filter: FILTER
audit: {confidence: 0.95}
"""
BOTH = "[{set: right, beta: 0.05}, {set: top, beta: 0.08}]"


def certified(counts: list[int], betas: list[float], n: int = 1000) -> list[bool]:
    """The audit's own decision on independent counts."""
    return rejected([p_certify(k, n, β) for k, β in zip(counts, betas, strict=True)], 1 - 0.95, "bonferroni")


def scenario(filter: str, constraints: str = "[{set: right, beta: 0.05}]", samples: int = 1000) -> Scenario:
    text = TEXT.replace("FILTER", filter).replace("[{set: right, beta: 0.05}]", constraints)
    return loads(text.replace("samples: 1000", f"samples: {samples}"))


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lem_safe.runner.render", lambda directory: directory / "report.html")


@pytest.mark.parametrize("n", [1, 10, 59, 60, 100, 299, 1000, 5000, 100_000])
@pytest.mark.parametrize("β", [0.001, 0.01, 0.05, 0.3, 0.9])
@pytest.mark.parametrize("α", [0.05, 0.025, 1e-3])
def test_the_largest_count_that_certifies_by_two_other_formulas(n: int, β: float, α: float) -> None:
    """k certifies and k + 1 does not: by the quantile of the Beta law, and by the binomial tail itself."""
    k = certifiable(β, n, α)
    upper = [beta_law.isf(α, j + 1, n - j) if j < n else 1.0 for j in ((k or 0), (k or 0) + 1)]
    tail = [binom.cdf(j, n, β) for j in ((k or 0), (k or 0) + 1)]
    if k is None:
        assert upper[0] > β and tail[0] > α
    else:
        assert upper[0] <= β < upper[1] and tail[0] <= α < tail[1]


def test_counts_are_aimed_at_exactly() -> None:
    """⌊aim·n⌋ is the count, whatever the decimals of k/n: 1/3 as it is printed, times 3, is less than 1."""
    assert [(k, n) for n in range(1, 400) for k in range(n) if budget(share(k, n), n) != k] == []
    assert budget(1 / 3, 3) == 0


@pytest.mark.parametrize(("β", "α"), [(0.01, 0.05), (0.05, 0.025), (0.3, 0.001)])
def test_the_fewest_samples_are_the_fewest(β: float, α: float) -> None:
    n = fewest_samples(β, α)
    assert certifiable(β, n, α) == 0 and certifiable(β, n - 1, α) is None
    assert n == samples_needed(β, 0.0, 1 - α)


@pytest.mark.parametrize("constraints", ["[{set: right, beta: 0.05}]", BOTH])
def test_auto_is_what_the_audits_own_verdict_would_certify(constraints: str) -> None:
    """At the aimed counts every verdict is `certified`; one more in any region, and that one's is not."""
    it = scenario("{kind: gate, aim: auto}", constraints)
    betas = [c.beta for c in it.constraints]
    counts = [budget(a, 1000) for a in aims(it.filter, betas, 1000, 0.95)]
    assert certified(counts, betas) == [True] * len(betas)
    for i in range(len(betas)):
        more = [k + (j == i) for j, k in enumerate(counts)]
        assert not certified(more, betas)[i]


@pytest.mark.parametrize(
    "fault", ["two-sided forgotten the other way", "multiplicity forgotten", "one more than fits", "the mean, no bound"]
)
def test_planted_faults_in_the_count_are_noticed(fault: str) -> None:
    """Each is a count the audit would not certify."""
    betas, n = [0.05, 0.08], 1000
    wrong = {
        "two-sided forgotten the other way": [certifiable(β, n, 1 - 0.025) for β in betas],
        "multiplicity forgotten": [certifiable(β, n, 0.05) for β in betas],
        "one more than fits": [(certifiable(β, n, 0.025) or 0) + 1 for β in betas],
        "the mean, no bound": [budget(β, n) for β in betas],
    }[fault]
    assert not any(certified([k or 0 for k in wrong], betas))


def test_a_gate_that_aims_fills_its_aim_and_the_cloud_certifies_as_independent_counts_would(tmp_path: Path) -> None:
    """Filled to beta, the same count certifies nothing. The run's own audit claims no bound: its particles are coupled (A.2)."""
    it = scenario("{kind: gate, aim: auto}")
    done = run(it, out=tmp_path / "aimed")
    (k,) = [budget(a, 1000) for a in aims(it.filter, [0.05], 1000, 0.95)]
    assert k == 38
    counts = np.round(done.trace["fraction"][:, 0] * 1000)
    assert counts.max() == k and done.report.constraints[0].budget == 50 and done.report.constraints[0].beta == 0.05
    independent = audit(np.asarray(done.samples), it)
    assert independent.constraints[0].verdict == "certified" and independent.constraints[0].upper_bound <= 0.05
    full = run(scenario("{kind: gate}"), out=tmp_path / "full")
    assert np.round(full.trace["fraction"] * 1000).max() == 50
    assert not certified([50], [0.05])[0]
    assert done.report.constraints[0].verdict == "inconclusive" and "coupled" in done.report.assumes
    assert "The filter aimed at 3.8 % in right (tolerated 5 %), to leave the room that a certificate needs" in str(done)
    assert "filter aimed" not in str(full) and "filter aimed" not in str(
        independent
    )  # samples from elsewhere: who knows what made them


@pytest.mark.parametrize("kind", ["drift", "step", "penalty, weight: 1.0", "primal_dual"])
def test_the_limit_of_a_surrogate_is_that_of_the_aim(kind: str) -> None:
    plain = build(scenario(f"{{kind: {kind}}}", BOTH), progress=Silent())
    aimed = build(scenario(f"{{kind: {kind}, aim: [0.01, 0.04]}}", BOTH), progress=Silent())
    assert torch.allclose(aimed.limits / plain.limits, torch.tensor([0.2, 0.5], dtype=torch.float64))
    assert aimed.betas == (0.05, 0.08)


def test_a_chain_aims_as_a_whole() -> None:
    aimed = build(scenario("{kind: chain, aim: 0.01, filters: [{kind: drift}, {kind: step}]}"), progress=Silent())
    plain = build(scenario("{kind: chain, filters: [{kind: drift}, {kind: step}]}"), progress=Silent())
    for one, other in ((aimed.filter.drift, plain.filter.drift), (aimed.filter.step, plain.filter.step)):
        assert torch.allclose(one.limits / other.limits, torch.tensor(0.2, dtype=torch.float64))


@pytest.mark.parametrize("filter", ["{kind: none, aim: 0.01}", "{kind: reject, aim: auto}", "{kind: pointwise, aim: 0.01}"])
def test_it_is_a_key_of_every_filter(filter: str) -> None:
    assert build(scenario(filter), progress=Silent()).scenario.filter["aim"] in (0.01, "auto")


@pytest.mark.parametrize(
    ("filter", "constraints", "samples", "key", "message"),
    [
        ("{kind: gate, aim: 0.06}", "[{set: right, beta: 0.05}]", 1000, "filter.aim", "at most beta = 0.05.*got 0.06"),
        ("{kind: gate, aim: 0.06}", BOTH, 1000, "filter.aim", "at most beta = 0.05"),
        ("{kind: gate, aim: [0.05, 0.09]}", BOTH, 1000, r"filter.aim\[1\]", "at most beta = 0.08.*got 0.09"),
        ("{kind: gate, aim: [0.05]}", BOTH, 1000, "filter.aim", "one for each of 2 constraints; got 1"),
        ("{kind: gate, aim: most}", BOTH, 1000, "filter.aim", "must be auto"),
        ("{kind: gate, aim: -0.1}", BOTH, 1000, "filter.aim", "must be >= 0"),
        ("{kind: gate, aim: auto}", "[{set: right, beta: 0.05}]", 58, "filter.aim", "58 samples.*sampler.samples >= 59"),
        ("{kind: gate, aim: auto}", BOTH, 71, "filter.aim", "shared by 2 constraints.*sampler.samples >= 72"),
        ("{kind: gate, aim: auto}", "[{set: right, beta: 0}]", 1000, "filter.aim", "no number of samples certifies 0"),
        ("{kind: step, aim: auto}", "[{set: right, beta: 0.05}]", 60, "filter.kind", "aim below it"),
    ],
)
def test_what_cannot_be_aimed_at_is_told_with_its_line(
    filter: str, constraints: str, samples: int, key: str, message: str
) -> None:
    with pytest.raises(BadInput, match=f"(?s){key}.*{message}") as caught:
        scenario(filter, constraints, samples)
    assert all(fault.line == 9 for fault in caught.value.faults)


def test_no_aim_changes_no_fingerprint_and_an_aim_survives_the_round_trip() -> None:
    plain, aimed = scenario("{kind: gate}"), scenario("{kind: gate, aim: auto}")
    assert plain.filter == {"kind": "gate"} and "aim:" not in plain.to_yaml()
    assert aimed.filter == {"kind": "gate", "aim": "auto"} and aimed.fingerprint() != plain.fingerprint()
    assert loads(aimed.to_yaml()).fingerprint() == aimed.fingerprint()
    assert loads(aimed.to_yaml(), {"sampler.samples": 2000}).filter["aim"] == "auto"  # found again for the new number
