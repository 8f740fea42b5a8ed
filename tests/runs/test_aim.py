"""`filter.aim`: the budget that a filter enforces, what `auto` finds, what is refused, and that the audit
judges beta all the same.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import beta as beta_law
from scipy.stats import binom

from barriers.budget import budget, share
from lem_safe import audit, cli
from lem_safe.auditor import AuditReport, replica_arrays
from lem_safe.bounds.several import p_certify, rejected
from lem_safe.errors import BadInput
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.problem import build
from lem_safe.runs.runner import run
from lem_safe.scenario import Judged, Scenario
from lem_safe.scenario.aim import fewest_clouds

pytestmark = pytest.mark.simulation

TEXT = """\
version: 1
name: room
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  right: {kind: half_space, normal: [1, 0], offset: 0.5}
  top: {kind: half_space, normal: [0, 1], offset: 0.5}
constraints: [{set: right, beta: 0.05}]
sampler: {kind: langevin, samples: 1000, steps: 300, step_size: 0.02,
  init: {kind: gaussian, mean: [-1.5, -1.5], std: 0.3}}
filter: FILTER
audit: {confidence: 0.95}
"""
ONE = "[{set: right, beta: 0.05}]"
AND = " with audit: "
BOTH = "[{set: right, beta: 0.05}, {set: top, beta: 0.08}]"


def certified(counts: list[int], betas: list[float], n: int = 1000) -> list[bool]:
    """The audit's own decision on independent counts."""
    return rejected([p_certify(k, n, β) for k, β in zip(counts, betas, strict=True)], 1 - 0.95, "bonferroni")


def scenario(
    filter: str, constraints: str = ONE, samples: int = 1000, settings: str = "confidence: 0.95}"
) -> Scenario:
    text = (
        TEXT.replace("FILTER", filter)
        .replace(ONE, constraints)
        .replace("confidence: 0.95}", settings or "confidence: 0.95}")
    )
    return loads(text.replace("samples: 1000", f"samples: {samples}"))


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")


@pytest.mark.parametrize("n", [1, 10, 59, 60, 100, 299, 1000, 5000, 100_000])
@pytest.mark.parametrize("β", [0.001, 0.01, 0.05, 0.3, 0.9])
@pytest.mark.parametrize(("confidence", "m"), [(0.95, 1), (0.95, 2), (0.999, 1)])
def test_the_largest_count_that_certifies_by_two_other_formulas(
    n: int, β: float, confidence: float, m: int
) -> None:
    """k certifies and k + 1 does not: by the quantile of the Beta law, and by the binomial tail itself."""
    k, α = Judged(n, confidence).most(β, m), (1 - confidence) / m
    upper = [beta_law.isf(α, j + 1, n - j) if j < n else 1.0 for j in ((k or 0), (k or 0) + 1)]
    tail = [binom.cdf(j, n, β) for j in ((k or 0), (k or 0) + 1)]
    if k is None:
        assert upper[0] > β and tail[0] > α
    else:
        assert upper[0] <= β < upper[1] and tail[0] <= α < tail[1]


GRID = [
    *((Judged(n), β, m) for n in (100, 1000) for β in (0.05, 0.3) for m in (1, 3)),
    *((Judged(n, 0.99), 0.1, 2) for n in (200, 2000)),
    *((Judged(n, require="anytime"), β, m) for n in (150, 1000) for β in (0.05, 0.3) for m in (1, 2)),
    *(
        (Judged(n, require=need, replicas=r), β, m)
        for n, r, need in ((50, 40, "bound"), (30, 120, "anytime"), (20, 60, "passed"))
        for β in (0.15, 0.4)
        for m in (1, 2)
    ),
]
"""Samples, confidence, what is required, clouds; tolerance; constraints."""
ROWS = """\
version: 1
name: filled
energy: {{kind: gaussian, mean: [0, 0], std: 1}}
unsafe: {unsafe}
constraints: {constraints}
sampler: {{kind: langevin, samples: {samples}, steps: 1, step_size: 0.1}}
filter: {{kind: {filter}, aim: auto}}
audit: {{confidence: {confidence}, require: {require}, replicas: {replicas}, correction: {correction}}}
"""


def filled(judged: Judged, β: float, m: int, correction: str = "bonferroni") -> Scenario:
    """m balls far from each other, at most β in each, and a filter that aims by itself."""
    unsafe = {f"r{i}": {"kind": "ball", "center": [10 * (i + 1), 0], "radius": 1} for i in range(m)}
    constraints = [{"set": name, "beta": β} for name in unsafe]
    kind = "gate" if judged.replicas > 1 else "reject"
    return loads(
        ROWS.format(
            unsafe=unsafe, constraints=constraints, filter=kind, correction=correction, **judged._asdict()
        )
    )


def judged_with(counts: list[int], it: Scenario, path: Path) -> AuditReport:
    """The audit of a file with so many samples in each region, in every cloud; no two rows are the same."""
    n, clouds, rng = it.sampler.samples, it.audit.replicas, np.random.default_rng(0)
    x = np.full((n, 2), -5.0)
    for i, k in enumerate(counts):
        x[sum(counts[:i]) : sum(counts[:i]) + k] = [10 * (i + 1), 0]
    parts = [x + 0.1 * rng.uniform(-1, 1, x.shape) for _ in range(clouds)]
    np.savez(path / "x.npz", **(replica_arrays(parts) if clouds > 1 else {"x": parts[0]}))
    return audit(path / "x.npz", it)


@pytest.mark.parametrize(("judged", "β", "m"), GRID)
def test_what_fills_its_aim_is_certified_and_one_more_is_not(
    judged: Judged, β: float, m: int, tmp_path: Path
) -> None:
    """By the audit of a file, whatever decides its method and its unit; and every cloud held more where
    clouds are the unit.
    """
    it = filled(judged, β, m)
    counts = [budget(a, judged.samples) for a in it.aimed()]
    assert counts == [judged.most(β, m)] * m
    full = judged_with(counts, it, tmp_path)
    assert full.method == (
        "betting" if judged.replicas > 1 else "anytime" if judged.require == "anytime" else "clopper-pearson"
    )
    assert full.verdict == "certified" and full.passed and all(c.upper_bound <= β for c in full.constraints)
    for i in range(m):
        over = judged_with([k + (j == i) for j, k in enumerate(counts)], it, tmp_path)
        assert [c.verdict == "certified" for c in over.constraints] == [j != i for j in range(m)]
        assert over.constraints[i].upper_bound > β
        assert over.passed == (judged.require == "passed" and counts[i] < budget(β, judged.samples))


@pytest.mark.parametrize(("judged", "β", "m"), [case for case in GRID if case[2] > 1])
def test_holm_certifies_what_fills_its_aim_too(judged: Judged, β: float, m: int, tmp_path: Path) -> None:
    """Its first step is Bonferroni's: one more everywhere, and nothing is certified."""
    it = filled(judged, β, m, "holm")
    counts = [budget(a, judged.samples) for a in it.aimed()]
    assert {c.verdict for c in judged_with(counts, it, tmp_path).constraints} == {"certified"}
    assert "certified" not in {
        c.verdict for c in judged_with([k + 1 for k in counts], it, tmp_path).constraints
    }


@pytest.mark.parametrize("β", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize(
    "judged", [Judged(1), Judged(1, require="anytime"), Judged(7, replicas=2), Judged(1, 0.999)]
)
def test_the_number_that_is_named_is_the_fewest(judged: Judged, β: float, m: int) -> None:
    """So many certify with none inside, one fewer does not."""
    told = judged.lacking(β, m)
    assert told is not None
    key, _, number = told.removeprefix("use ").partition(" >= ")
    field, fewest = (
        {"sampler.samples": "samples", "audit.replicas": "replicas"}[key],
        int(number.replace(",", "")),
    )
    assert (
        judged._replace(**{field: fewest}).most(β, m) == 0
        and judged._replace(**{field: fewest - 1}).most(β, m) is None
    )
    assert judged._replace(**{field: fewest}).lacking(β, m) is None


def test_counts_are_aimed_at_exactly() -> None:
    """⌊aim·n⌋ is the count, whatever the decimals of k/n: 1/3 as it is printed, times 3, is less than 1."""
    assert [(k, n) for n in range(1, 400) for k in range(n) if budget(share(k, n), n) != k] == []
    assert budget(1 / 3, 3) == 0


@pytest.mark.parametrize("constraints", ["[{set: right, beta: 0.05}]", BOTH])
def test_auto_is_what_the_audits_own_verdict_would_certify(constraints: str) -> None:
    """At the aimed counts every verdict is `certified`; one more in any region, and that one's is not."""
    it = scenario("{kind: gate, aim: auto}", constraints)
    betas = [c.beta for c in it.constraints]
    counts = [budget(a, 1000) for a in it.aimed()]
    assert certified(counts, betas) == [True] * len(betas)
    for i in range(len(betas)):
        more = [k + (j == i) for j, k in enumerate(counts)]
        assert not certified(more, betas)[i]


@pytest.mark.parametrize(
    "fault",
    [
        "two-sided forgotten the other way",
        "multiplicity forgotten",
        "one more than fits",
        "the mean, no bound",
    ],
)
def test_planted_faults_in_the_count_are_noticed(fault: str) -> None:
    """Each is a count the audit would not certify."""
    betas, n = [0.05, 0.08], 1000
    wrong = {
        "two-sided forgotten the other way": [Judged(n, 0.025).most(β) for β in betas],
        "multiplicity forgotten": [Judged(n).most(β) for β in betas],
        "one more than fits": [(Judged(n).most(β, 2) or 0) + 1 for β in betas],
        "the mean, no bound": [budget(β, n) for β in betas],
    }[fault]
    assert not any(certified([k or 0 for k in wrong], betas))


@pytest.mark.parametrize("judged", [Judged(1000, require="anytime"), Judged(1000, replicas=40)])
def test_a_planted_fault_in_the_method_is_noticed(judged: Judged, tmp_path: Path) -> None:
    """The room that Clopper–Pearson needs is too little for the e-process, and for clouds."""
    it = filled(judged, 0.2, 1)
    wrong = Judged(1000).most(0.2)
    assert wrong is not None and wrong > budget(it.aimed()[0], 1000)
    assert judged_with([wrong], it, tmp_path).verdict == "inconclusive"


def test_a_gate_that_aims_fills_its_aim_and_the_cloud_certifies_as_independent_counts_would(
    tmp_path: Path,
) -> None:
    """Filled to beta, the same count certifies nothing. The run's own audit claims no bound: its particles
    are coupled (A.2).
    """
    it = scenario("{kind: gate, aim: auto}")
    done = run(it, out=tmp_path / "aimed")
    (k,) = [budget(a, 1000) for a in it.aimed()]
    assert k == 38
    counts = np.round(done.trace["fraction"][:, 0] * 1000)
    assert (
        counts.max() == k
        and done.report.constraints[0].budget == 50
        and done.report.constraints[0].beta == 0.05
    )
    independent = audit(np.asarray(done.samples), it)
    assert (
        independent.constraints[0].verdict == "certified" and independent.constraints[0].upper_bound <= 0.05
    )
    full = run(scenario("{kind: gate}"), out=tmp_path / "full")
    assert np.round(full.trace["fraction"] * 1000).max() == 50
    assert not certified([50], [0.05])[0]
    assert done.report.constraints[0].verdict == "inconclusive" and "coupled" in done.report.assumes
    assert "The filter aimed at 3.8 % in right (tolerated 5 %); what is tolerated is what is judged." in str(
        done
    )
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
    aimed = build(
        scenario("{kind: chain, aim: 0.01, filters: [{kind: drift}, {kind: step}]}"), progress=Silent()
    )
    plain = build(scenario("{kind: chain, filters: [{kind: drift}, {kind: step}]}"), progress=Silent())
    for one, other in ((aimed.filter.drift, plain.filter.drift), (aimed.filter.step, plain.filter.step)):
        assert torch.allclose(one.limits / other.limits, torch.tensor(0.2, dtype=torch.float64))


@pytest.mark.parametrize(
    "filter", ["{kind: none, aim: 0.01}", "{kind: reject, aim: auto}", "{kind: pointwise, aim: 0.01}"]
)
def test_it_is_a_key_of_every_filter(filter: str) -> None:
    assert build(scenario(filter), progress=Silent()).scenario.filter["aim"] in (0.01, "auto")


@pytest.mark.parametrize(
    ("filter", "constraints", "samples", "key", "message"),
    [
        (
            "{kind: gate, aim: 0.06}",
            "[{set: right, beta: 0.05}]",
            1000,
            "filter.aim",
            "at most beta = 0.05.*got 0.06",
        ),
        ("{kind: gate, aim: 0.06}", BOTH, 1000, "filter.aim", "at most beta = 0.05"),
        ("{kind: gate, aim: [0.05, 0.09]}", BOTH, 1000, r"filter.aim\[1\]", "at most beta = 0.08.*got 0.09"),
        ("{kind: gate, aim: [0.05]}", BOTH, 1000, "filter.aim", "one for each of 2 constraints; got 1"),
        ("{kind: gate, aim: most}", BOTH, 1000, "filter.aim", "must be auto"),
        ("{kind: gate, aim: -0.1}", BOTH, 1000, "filter.aim", "must be >= 0"),
        (
            "{kind: gate, aim: auto}",
            "[{set: right, beta: 0.05}]",
            58,
            "filter.aim",
            "58 samples.*sampler.samples >= 59",
        ),
        ("{kind: gate, aim: auto}", BOTH, 71, "filter.aim", "shared by 2 constraints.*sampler.samples >= 72"),
        (
            "{kind: gate, aim: auto}",
            "[{set: right, beta: 0}]",
            1000,
            "filter.aim",
            "a tolerance of 0 cannot be certified",
        ),
        (
            "{kind: drift, aim: auto}",
            "[{set: right, beta: 0.05}]",
            60,
            "filter.kind",
            "aim below it.*auto aims at 0 with 60 samples; to leave room for one inside, use "
            "sampler.samples >= 93",
        ),
        (
            "{kind: drift, aim: auto}",
            ONE + AND + "replicas: 65}",
            200,
            "filter.kind",
            "auto aims at 0 with 65 clouds; to leave room for one inside, use audit.replicas >= 70",
        ),
        (
            "{kind: gate, aim: auto}",
            BOTH + AND + "replicas: 20}",
            1000,
            "filter.aim",
            "20 clouds.*even with 0 violations.*audit.replicas >= 77",
        ),
        (
            "{kind: reject, aim: auto}",
            ONE + AND + "require: anytime}",
            80,
            "filter.aim",
            "80 samples .anytime-valid..*sampler.samples >= 88",
        ),
        (
            "{kind: gate, aim: auto}",
            ONE + AND + "require: bound}",
            1000,
            "filter.aim",
            "no confidence bound is computed.*audit.replicas >= 64",
        ),
        (
            "{kind: chain, aim: auto, filters: [{kind: pointwise}, {kind: step}]}",
            ONE + AND + "require: anytime}",
            1000,
            "filter.aim",
            "no confidence bound is computed.*audit.replicas >= 64",
        ),
    ],
)
def test_what_cannot_be_aimed_at_is_told_with_its_line(
    filter: str, constraints: str, samples: int, key: str, message: str
) -> None:
    constraints, _, settings = constraints.partition(AND)
    with pytest.raises(BadInput, match=f"(?s){key}.*{message}") as caught:
        scenario(filter, constraints, samples, settings)
    assert all(fault.line == 10 for fault in caught.value.faults)


def test_no_aim_changes_no_fingerprint_and_an_aim_survives_the_round_trip() -> None:
    plain, aimed = scenario("{kind: gate}"), scenario("{kind: gate, aim: auto}")
    assert plain.filter == {"kind": "gate"} and "aim:" not in plain.to_yaml()
    assert aimed.filter == {"kind": "gate", "aim": "auto"} and aimed.fingerprint() != plain.fingerprint()
    assert loads(aimed.to_yaml()).fingerprint() == aimed.fingerprint()
    assert (
        loads(aimed.to_yaml(), {"sampler.samples": 2000}).filter["aim"] == "auto"
    )  # found again for the new number


def test_a_run_of_clouds_that_aims_is_certified(tmp_path: Path) -> None:
    """A gate that fills its aim in every one of 16 clouds; filled to β, they would certify nothing."""
    asked = "confidence: 0.95, require: bound, replicas: 16}"
    it = scenario("{kind: gate, aim: auto}", "[{set: right, beta: 0.3}]", 50, asked)
    done = run(it, out=tmp_path / "out", steps=60)
    (aim,) = it.aimed()
    assert done.exit_status == 0 and done.report.verdict == "certified" and done.report.method == "betting"
    assert done.trace["fraction"].max() == aim < 0.3
    assert not Judged(50, replicas=16).certifies(15, 0.3)
    assert "to leave the room that a certificate needs" in str(done)


@pytest.mark.parametrize("filter", ["{kind: reject, aim: 0.01}", "{kind: gate, aim: 0.01}"])
def test_a_number_that_somebody_chose_leaves_no_claimed_room(filter: str, tmp_path: Path) -> None:
    done = run(scenario(filter, samples=100), out=tmp_path / "out", steps=5)
    assert "The filter aimed at 1 % in right (tolerated 5 %); what is tolerated is what is judged." in str(
        done
    )
    assert "the room" not in str(done)


@pytest.mark.parametrize(
    ("filter", "constraints", "settings", "why"),
    [
        ("{kind: gate}", ONE, "require: bound}", "from one cloud; use audit.replicas >= 64"),
        ("{kind: gate, aim: 0.01}", BOTH, "require: anytime}", "use audit.replicas >= 77"),
        (
            "{kind: gate}",
            ONE,
            "require: bound, replicas: 20}",
            "20 clouds are too few to certify beta = 0.05 in 'right', even with 0 violations; "
            "use audit.replicas >= 64",
        ),
        ("{kind: reject}", "[{set: right, beta: 0.001}]", "require: bound}", "use sampler.samples >= 2,995"),
        (
            "{kind: reject}",
            "[{set: right, beta: 0}]",
            "require: bound}",
            "cannot be certified by any number of samples",
        ),
    ],
)
def test_a_certificate_that_no_run_can_have_is_said_beforehand(
    filter: str, constraints: str, settings: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By validate, by explain, and before the run, which then fails; the file still loads, for the audit of
    other samples.
    """
    it = scenario(filter, constraints, settings=settings)
    path = tmp_path / "s.yaml"
    path.write_text(it.to_yaml())
    assert cli.main(["validate", str(path)]) == 0
    said = capsys.readouterr().out
    assert "no run can pass" in said and why in said
    assert cli.main(["explain", str(path)]) == 0
    assert why in " ".join(capsys.readouterr().out.split())
    assert (
        cli.main(["run", str(path), "--out", str(tmp_path / "out"), "--steps", "2", "--samples", "500"]) == 1
    )
    assert "no run can have it" in capsys.readouterr().err


@pytest.mark.parametrize("settings", ["require: passed}", "require: bound, replicas: 64}"])
def test_where_a_certificate_can_be_had_or_is_not_asked_for_nothing_is_said(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(scenario("{kind: gate}", settings=settings).to_yaml())
    assert cli.main(["validate", str(path)]) == 0 and "warning" not in capsys.readouterr().out
    assert cli.main(["explain", str(path)]) == 0 and "out of reach" not in capsys.readouterr().out


def test_the_fewest_clouds_are_those_the_plan_names() -> None:
    from lem_safe.auditor import plan

    assert fewest_clouds(0.03, 0.95) == plan(0.03, 0.0).clouds_at_least == 107
