"""The audit: counts against a naive twin, verdicts against their definition, and files whose columns are in
another order.
"""

import json

import numpy as np
import pytest
import torch
from audited import BALL, REGIONS, cloud, only, scenario, trace, write_csv

from lem_safe.auditor import AuditReport, audit
from lem_safe.auditor.worst import WORST
from lem_safe.bounds.clopper_pearson import lower_bound, upper_bound
from lem_safe.errors import BadInput


def test_known_truths_250_and_0_of_5000():
    c = only(audit(cloud(250, 5000), scenario([("pillar", 0.03)])))
    assert [round(end, 5) for end in c.interval] == [0.04412, 0.05641]
    assert (c.violations, c.budget, c.verdict, c.passed) == (250, 150, "violated", False)
    c = only(audit(cloud(0, 5000), scenario([("pillar", 0.001)])))
    assert c.upper_bound == pytest.approx(5.990e-4, abs=5e-8)
    assert (c.verdict, c.passed, c.samples_to_decide) == ("certified", True, 0)


def test_counts_and_clearances_against_a_naive_twin():
    x = np.random.default_rng(3).normal([1.2, 0.0], 1.0, (150_000, 2)).astype(np.float32)  # several blocks
    report = audit(x, scenario([("pillar", 0.5), ("strip", 0.5), ("both", 0.5), ("lens", 0.5)]))
    wide = x.astype(np.float64)
    ball = np.hypot(wide[:, 0] - 2, wide[:, 1]) - 0.8
    strip = 1.5 - wide[:, 0]
    twins = [ball, strip, np.minimum(ball, strip), np.maximum(ball, strip)]
    for c, s, kind in zip(report.constraints, twins, ["exact", "exact", "bound", "bound"], strict=True):
        assert c.violations == (s <= 0).sum() and c.fraction == c.violations / len(x)
        assert c.clearance_min == pytest.approx(s.min(), abs=1e-9) and c.clearance_kind == kind
        assert [w.row for w in c.worst] == list(np.argsort(s)[:WORST]) and all(w.inside for w in c.worst)
        assert c.worst[0].values == tuple(wide[c.worst[0].row])


def test_values_are_counted_as_saved():
    edge = np.array([[1.2, 0.0]])  # on the boundary in decimals; float32's 1.2 is beside it by 5e-8
    single = edge.astype(np.float32)
    expected = int((2 - float(single[0, 0])) ** 2 <= 0.8**2)
    assert only(audit(single, scenario([("pillar", 0.5)]))).violations == expected
    assert only(audit(torch.from_numpy(single), scenario([("pillar", 0.5)]))).violations == expected


@pytest.mark.parametrize(
    ("inside", "beta", "verdict", "passed"),
    [
        (0, 0.001, "certified", True),
        (4, 0.001, "inconclusive", True),
        (6, 0.001, "inconclusive", False),
        (20, 0.001, "violated", 0),
    ],
)
def test_census_passes_and_bound_judges_apart(inside, beta, verdict, passed):
    x = cloud(inside, 5000)
    c = only(audit(x, scenario([("pillar", beta)])))
    assert (c.verdict, c.passed) == (verdict, passed)
    assert (upper_bound(inside, 5000, 0.95) <= beta) == (verdict == "certified")
    assert (lower_bound(inside, 5000, 0.95) > beta) == (verdict == "violated")
    for strict in (
        audit(x, scenario([("pillar", beta)]), strict=True),
        audit(x, scenario([("pillar", beta)], require="bound")),
    ):
        assert strict.passed == (verdict == "certified") and strict.status == (0 if strict.passed else 1)


def test_inconclusive_says_how_many_more():
    c = only(audit(cloud(4, 5000), scenario([("pillar", 0.001)])))
    n = 5000 + c.samples_to_decide
    rate = 4 / 5000
    assert upper_bound(rate * n, n, 0.95) <= 0.001 < upper_bound(rate * (n - 1), n - 1, 0.95)
    assert only(audit(cloud(5, 5000), scenario([("pillar", 0.001)]))).samples_to_decide is None


def test_zero_is_never_certified():
    c = only(audit(cloud(0, 5000), scenario([("pillar", 0.0)])))
    assert (c.verdict, c.passed, c.samples_to_decide) == ("inconclusive", True, None)
    assert c.smallest_beta == pytest.approx(5.990e-4, abs=5e-8)
    assert only(audit(cloud(1, 5000), scenario([("pillar", 0.0)]))).verdict == "violated"


def test_several_constraints_share_the_error():
    one = audit(cloud(0, 300), scenario([("pillar", 0.01)]))
    two = audit(cloud(0, 300), scenario([("pillar", 0.01), ("lens", 0.5)]))
    assert one.constraints[0].verdict == "certified" and two.constraints[0].verdict == "inconclusive"
    assert two.constraints[0].upper_bound == pytest.approx(upper_bound(0, 300, 0.975))
    assert "The error is shared by 2 constraints" in two.assumes_detail and "share" not in one.assumes_detail


def test_holm_decides_more_and_never_less():
    several = scenario(
        [("pillar", 0.01), ("lens", 0.5), ("far", 0.5)],
        unsafe={**REGIONS, "far": {**BALL, "center": [50.0, 0.0]}},
    )
    plain, stepped = (audit(cloud(0, 370), several, correction=c).constraints for c in ("bonferroni", "holm"))
    assert [c.verdict for c in plain] == ["inconclusive", "certified", "certified"]
    assert [c.verdict for c in stepped] == ["certified"] * 3
    assert plain[0].p_value == pytest.approx(0.99**370) and plain[0].upper_bound == stepped[0].upper_bound


def test_the_union_is_counted_directly():
    x = np.array([[2.0, 0.0], [3.0, 0.0], [1.4, 0.0], [0.0, 0.0]])  # both, strip, pillar, none
    report = audit(x, scenario([("pillar", 0.9), ("strip", 0.9)]))
    assert (report.union.sets, report.union.violations, report.union.fraction) == (
        ("pillar", "strip"),
        3,
        0.75,
    )
    assert report.union.upper_bound == upper_bound(3, 4, 0.95)
    assert "Any of them: 3 of 4 samples (75 %)" in report.to_text()
    assert audit(x, scenario([("pillar", 0.9)])).union is None


def test_a_coupled_cloud_is_never_certified():
    clear, full, over = (
        only(audit(cloud(k, 5000), scenario([("pillar", 0.03)]), coupled=True)) for k in (0, 150, 151)
    )
    assert (clear.verdict, clear.passed) == ("inconclusive", True) and clear.samples_to_decide is None
    assert (full.verdict, full.passed) == ("inconclusive", True)
    assert (over.verdict, over.passed) == ("violated", False)
    assert (
        audit(cloud(0, 5000), scenario([("pillar", 0.03)]), coupled=True).assumes
        == "coupled cloud: bound not claimed"
    )
    assert not audit(cloud(0, 5000), scenario([("pillar", 0.03)]), coupled=True, strict=True).passed


def test_the_trace_is_judged_in_integers_from_after_step_on():
    x = cloud(0, 100)
    assert only(
        audit(x, scenario([("pillar", 0.07)]), trace=trace([7, 7, 0], 100))
    ).passed  # 0.07 * 100 < 7 in binary
    late = only(audit(x, scenario([("pillar", 0.07)]), trace=trace([3, 8, 9, 0], 100)))
    assert (late.passed, late.first_step_over, late.max_fraction_over_steps) == (False, 2, 0.09)
    burnt = only(audit(x, scenario([("pillar", 0.07)], after_step=4), trace=trace([3, 8, 9, 0], 100)))
    assert (burnt.passed, burnt.first_step_over) == (True, None)
    assert (burnt.max_fraction_over_steps, burnt.max_fraction_judged) == (0.09, 0.0)
    assert only(audit(x, scenario([("pillar", 0.07)]))).max_fraction_over_steps is None
    with pytest.raises(BadInput, match="another number of samples"):
        audit(x, scenario([("pillar", 0.07)]), trace=trace([1, 2], 70))
    with pytest.raises(BadInput, match="step 2"):
        audit(x, scenario([("pillar", 0.07)]), trace=trace([1, np.nan], 100))
    for counts in ([1, -1], [1, 101]):
        with pytest.raises(BadInput, match="a fraction outside 0 to 1 at step 2"):
            audit(x, scenario([("pillar", 0.07)]), trace=trace(counts, 100))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("step", np.array(["a", "b"]), "numbers in 'step'"),
        ("step", np.ones((2, 1)), "must hold fraction"),
        ("fraction", np.array([["a"], ["b"]]), "numbers in 'fraction'"),
        ("moves", np.array(["a", "b"]), "numbers in 'moves'"),
        ("moves", np.array(3.0), "'moves' as one number per step"),
        ("monitor_rhat", np.ones((2, 2)), "'monitor_rhat' as one number per step"),
    ],
)
def test_a_trace_of_something_else_is_refused(name, values, message):
    with pytest.raises(BadInput, match=message):
        audit(cloud(0, 100), scenario([("pillar", 0.07)]), trace={**trace([1, 2], 100), name: values})


def test_columns_are_matched_by_name(tmp_path):
    x = cloud(40, 500)
    swapped = write_csv(tmp_path / "swapped.csv", ["load", "speed"], x[:, ::-1])
    named = scenario([("pillar", 0.1)], columns=("speed", "load"))
    report = audit(swapped, named)
    assert (
        only(report).violations == 40
        and report.columns_matched == "name"
        and report.columns == ("speed", "load")
    )
    assert (
        only(audit(swapped, scenario([("pillar", 0.1)]))).violations == 0
    )  # the fault the match prevents: by position
    assert audit(swapped, scenario([("pillar", 0.1)])).columns_matched == "position"
    with pytest.raises(BadInput, match="'speed' is in another place"):
        audit(write_csv(tmp_path / "half.csv", ["weight", "speed"], x), named)
    with pytest.raises(BadInput, match="has 3 columns"):
        audit(np.zeros((4, 3)), named)


def test_files_give_what_arrays_give(tmp_path):
    x = cloud(17, 2000)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x, columns=np.array(["x0", "x1"]))
    want = only(audit(x, scenario([("both", 0.1)])))
    for name in ("x.npy", "x.npz"):
        assert only(audit(tmp_path / name, scenario([("both", 0.1)]))) == want


@pytest.mark.parametrize(
    ("bad", "words"),
    [(np.zeros((0, 2)), "no samples"), (np.zeros(3), "shape"), (np.array([["a", "b"]]), "numbers")],
)
def test_unusable_arrays_are_refused(bad, words):
    with pytest.raises(BadInput, match=words):
        audit(bad, scenario([("pillar", 0.1)]))


def test_a_number_that_is_not_finite_is_located(tmp_path):
    x = cloud(0, 70_000)
    x[66_000, 1] = np.nan
    np.save(tmp_path / "unnamed.npy", x)
    with pytest.raises(BadInput, match="row 66001, column 2, counted from 1: nan"):
        audit(tmp_path / "unnamed.npy", scenario([("pillar", 0.07)]))
    with pytest.raises(BadInput, match="row 66001, column x1: nan"):
        audit(x, scenario([("pillar", 0.1)], columns=("x0", "x1")), columns=("x0", "x1"))


def test_json_text_and_html_say_the_same():
    report = audit(cloud(250, 5000), scenario([("pillar", 0.03), ("lens", 0.0)]), near=2.0)
    data = json.loads(report.to_json())
    assert (
        list(data)[:5] == ["schema_version", "passed", "samples", "confidence", "assumes"]
        and data["schema_version"] == 1
    )
    first = "set beta violations fraction upper_bound max_fraction_over_steps clearance_min verdict passed"
    assert (
        list(data["constraints"][0])[:9] == first.split()
        and data["fingerprint"] == "f00d"
        and data["scenario"] == "ring"
    )
    assert AuditReport.from_json(report.to_json()) == report
    with pytest.raises(BadInput, match="schema_version must be 1; got 7"):
        AuditReport.from_json(json.dumps({**data, "schema_version": 7}))
    text = report.to_text()
    assert (
        "FAILED (pillar, lens)" in text
        and "250 of 5,000 samples (5 %) are inside; at most 150 (3 %) tolerated" in text
    )
    assert "<b>FAILED (pillar, lens)" in report._repr_html_()


def test_rules_give_first_order_clearances_and_say_where_they_have_no_value():
    rule = {"kind": "rule", "where": "x0 < 2*sqrt(x1)"}
    x = np.array([[5.0, 4.0], [3.0, 4.0], [1.0, -1.0], [9.0, 1.0]])
    c = only(audit(x, scenario([("r", 0.5)], unsafe={"r": rule})))
    slope = (1 + 0.25) ** 0.5  # of s = x0 - 2 sqrt(x1) at x1 = 4
    assert (c.violations, c.undefined, c.clearance_min, c.clearance_kind) == (2, 1, None, "first_order")
    assert c.clearance_first_order == pytest.approx(-1 / slope)
    assert [w.row for w in c.worst] == [2, 1, 0, 3] and c.worst[0].clearance is None and c.worst[0].inside
    assert c.worst[2].clearance == pytest.approx(1 / slope)
    assert (
        "Samples for which the rule has no value, counted as inside: 1."
        in audit(x, scenario([("r", 0.5)], unsafe={"r": rule})).to_text()
    )


def test_a_union_that_nothing_enters_has_an_exact_clearance():
    x = np.array([[0.0, 0.0], [0.9, 0.0]])
    c = only(audit(x, scenario([("both", 0.5)])))
    assert (c.clearance_kind, c.clearance_min) == ("exact", pytest.approx(0.3))


def test_near_misses_are_outside_and_within_reach():
    x = np.array([[2.0, 0.0], [2.0, 0.9], [2.0, 1.3], [2.0, 1.31], [2.0, 3.0]])
    assert only(audit(x, scenario([("pillar", 0.5)]), near=0.5)).near == 2
    assert only(audit(x, scenario([("pillar", 0.5)]))).near is None
