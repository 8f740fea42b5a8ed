"""What a filter guarantees by construction (A.19): reported with its premises, and never where one fails."""

import json
from pathlib import Path

import numpy as np
import pytest

from lem_safe import audit
from lem_safe.auditor import guarantee
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.guarantee import Enforced, Guarantee, guarantees
from lem_safe.bounds.betting import mean_upper_bound
from lem_safe.registry import enforced, loads
from lem_safe.runs.runner import run

pytestmark = pytest.mark.simulation

TEXT = """\
version: 1
name: guaranteed
energy: {{kind: gaussian, mean: [0, 0], std: 1}}
unsafe: {{right: {{kind: half_space, normal: [1, 0], offset: 1}}}}
constraints: [{{set: right, beta: 0.05}}]
sampler: {{kind: langevin, samples: 210, steps: 30, step_size: 0.05, init: {init}}}
filter: {filter}
audit: {audit}
"""
AWAY = "{kind: gaussian, mean: [-1, 0], std: 0.2}"


def scenario(filter_: str = "{kind: gate}", init: str = AWAY, audit: str = "{confidence: 0.95}"):
    return loads(TEXT.format(filter=filter_, init=init, audit=audit))


def found(recorded: list[int], n: int = 100, start: int | None = 0, **more: object) -> Guarantee:
    """The guarantee of one constraint with β = .1 over recorded counts, the last of them the samples'."""
    trace = {"fraction": np.array(recorded, dtype=float)[:, None] / n}
    trace |= {} if start is None else {"start": np.array([start / n])}
    options = {"particles": n, "clouds": 1, "after_step": 0, "counts": [recorded[-1]]} | more
    trace |= options.pop("trace", {})
    return guarantees(Enforced("gate", (0.1,)), trace, options.pop("counts"), **options)[0]


@pytest.mark.parametrize(
    ("case", "holds", "says"),
    [
        ({"recorded": [3, 10, 9]}, True, "no step held more than 10, and the samples hold 9"),
        ({"recorded": [3, 11, 9]}, False, "1 recorded steps held more, up to 11"),
        ({"recorded": [3, 4, 9], "start": 11}, False, "the start had 11 inside already"),
        ({"recorded": [3, 4, 9], "start": None}, False, "at the start was not recorded"),
        ({"recorded": [30, 9, 9], "start": 40, "after_step": 2}, True, "step 2 had 9 inside"),
        ({"recorded": [30, 11, 9], "start": 40, "after_step": 2}, False, "step 2 had 11 inside already"),
    ],
)
def test_every_premise_is_checked(case, holds, says):
    it = found(**case)
    assert (it.holds, it.at_most, it.kind) == (holds, 0.1, "by_construction") and says in it.because


def test_the_audits_own_count_and_shortfalls_and_clouds():
    assert not found([3, 4, 9], counts=[11]).holds
    assert not found([3, 4, 9], trace={"shortfall": np.array([[0.0], [np.nan], [0.02]])}).holds
    assert found([3, 4, 9], trace={"shortfall": np.zeros((3, 1))}).holds
    several = found([3, 4, 9], clouds=7, counts=[70])
    assert several.holds and "each of 7 clouds" in several.because
    assert not found([3, 4, 9], clouds=7, counts=[71]).holds
    assert found([3, 4, 9], n=99).at_most == 9 / 99


@pytest.mark.parametrize("kind", ["gate", "step", "reject"])
def test_a_run_under_a_filter_that_promises_every_step(kind: str, tmp_path: Path):
    done = run(scenario(f"{{kind: {kind}}}"), out=tmp_path / "out", with_report=False)
    c = json.loads((tmp_path / "out" / "audit.json").read_text())["constraints"][0]
    assert c["guarantee"]["holds"] and c["guarantee"]["at_most"] == 10 / 210
    assert (c["bound_claimed"], c["upper_bound"], c["verdict"]) == (
        kind == "reject",
        c["upper_bound"],
        c["verdict"],
    )
    assert (c["upper_bound"] is None) == (kind != "reject")
    text = str(done)
    assert "inconclusive" not in text and "Without the filter, with the same start and noise:" in text
    if kind != "reject":
        assert "within every tolerance, guaranteed by the filter at every step" in text
    assert AuditReport.from_json(done.to_json()) == done.report
    again = audit(tmp_path / "out" / "samples.npz", done.scenario, trace=done.trace)
    assert again.constraints[0].guarantee == done.report.constraints[0].guarantee
    assert audit(tmp_path / "out" / "samples.npz", done.scenario).constraints[0].guarantee is None


def test_filters_that_promise_less_guarantee_nothing(tmp_path: Path):
    for kind in ("drift", "none", "project"):
        assert enforced(scenario(f"{{kind: {kind}}}")) is None
    done = run(scenario("{kind: none}"), out=tmp_path / "none", with_report=False)
    assert done.report.constraints[0].guarantee is None
    assert enforced(scenario("{kind: gate, aim: 0.02}")) == ("gate", (0.02,))


def test_clouds_and_a_start_over_the_budget(tmp_path: Path):
    clouds = run(scenario(audit="{replicas: 4}"), out=tmp_path / "clouds", with_report=False)
    c = clouds.report.constraints[0]
    inside = (clouds.samples[:, 0].astype(np.float64) >= 1).reshape(4, 210).mean(1)
    assert c.guarantee is not None and c.guarantee.holds and c.guarantee.at_most == 10 / 210
    assert c.bound_claimed and c.upper_bound == mean_upper_bound(inside, 0.95)
    assert "of 210 particles of each of 4 clouds" in c.guarantee.because
    over = run(scenario(init="{kind: standard}"), out=tmp_path / "over", with_report=False)
    failed = over.report.constraints[0].guarantee
    assert failed is not None and not failed.holds and "the start had" in failed.because
    assert "Not guaranteed: the filter gate lets at most 10" in str(over)


def test_a_guarantee_whose_count_is_not_checked_is_found(monkeypatch: pytest.MonkeyPatch):
    """The planted fault: the samples' own count is taken from the trace."""
    honest = guarantee._guarantee
    monkeypatch.setattr(guarantee, "_guarantee", lambda *a: honest(*a[:7], int(a[5][-1]), a[8]))
    with pytest.raises(AssertionError):
        test_the_audits_own_count_and_shortfalls_and_clouds()
