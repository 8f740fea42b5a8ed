"""An audit as JUnit, Markdown, GitHub annotations and a badge, each read back by its own parser."""

import html
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from audited import cloud, scenario, trace

from lem_safe.auditor import FORMATS, audit, badge_json, badge_svg


def reports():
    """One that failed its count, one that passed with a trace, one that is certified and required to be."""
    two = {"step": np.arange(1, 4), "fraction": np.array([[0.01, 0.02], [0.04, 0.02], [0.02, 0.02]])}
    yield audit(cloud(250, 5000), scenario([("pillar", 0.03), ("strip", 0.06)]), trace=two)
    yield audit(cloud(3, 100), scenario([("pillar", 0.03)]), trace=trace([1, 2, 3], 100), coupled=True)
    yield audit(cloud(0, 5000), scenario([("pillar", 0.001)]), strict=True)


def test_junit_has_a_case_for_each_claim():
    failed, passed, certified = (ElementTree.fromstring(r.to("junit")).find("testsuite") for r in reports())
    assert [case.get("name") for case in failed] == [
        f"{s}: {claim}" for s in ("pillar", "strip") for claim in ("count", "every step", "bound")
    ]
    assert [failed.get(key) for key in ("tests", "failures", "skipped")] == ["6", "2", "1"]
    assert "250 of 5,000" in failed.find("testcase/failure").get("message")
    assert "first at step 2" in failed.findall("testcase")[1].find("failure").get("message")
    assert [passed.get(key) for key in ("tests", "failures", "skipped")] == ["3", "0", "1"]
    assert [certified.get(key) for key in ("tests", "failures", "skipped")] == ["2", "0", "0"]
    required = audit(cloud(4, 5000), scenario([("pillar", 0.001)]), strict=True)
    assert ElementTree.fromstring(required.to("junit")).find("testsuite").get("failures") == "1"


def test_failures_in_junit_agree_with_passed():
    for report in reports():
        suite = ElementTree.fromstring(report.to("junit")).find("testsuite")
        assert (suite.get("failures") == "0") == report.passed


def test_github_annotates_and_escapes():
    failed, passed, _ = (r.to("github").splitlines() for r in reports())
    assert failed[0].startswith("::error title=lem-safe%3A ring%3A pillar::250 of 5,000 samples (5 %25)")
    assert failed[1].startswith("::notice title=lem-safe%3A ring%3A strip::") and failed[2].startswith(
        "FAILED (pillar)"
    )
    assert passed[0].startswith("::notice") and all("\n" not in line for line in passed)


def test_markdown_is_one_table_that_names_cannot_break():
    report = audit(
        cloud(3, 100),
        scenario([("a|b_<c>", 0.03)], unsafe={"a|b_<c>": {"kind": "ball", "center": [2, 0], "radius": 0.8}}),
    )
    table = [line for line in report.to("markdown").splitlines() if line.startswith("|")]
    assert len(table) == 3 and "a\\|b\\_\\<c\\>" in table[2]
    assert {line.replace("\\|", "").count("|") for line in table} == {9}


def test_badges_say_what_was_found():
    failed, passed, certified = reports()
    assert json.loads(badge_json(failed.to_dict()))["message"] == "1 of 2 tolerances met"
    assert json.loads(badge_json(passed.to_dict()))["message"] == "3 % ≤ 3 %"
    assert json.loads(badge_json(certified.to_dict()))["message"] == "0 % ≤ 0.1 % certified"
    over = audit(cloud(0, 100), scenario([("pillar", 0.03)]), trace=trace([4, 0], 100))
    assert json.loads(badge_json(over.to_dict()))["message"] == "4 % > 3 %"
    for report in (failed, passed, certified):
        svg = ElementTree.fromstring(badge_svg(report.to_dict()))
        assert json.loads(badge_json(report.to_dict()))["message"] in svg.get("aria-label")


def test_every_form_can_be_asked_for_by_name():
    report = next(iter(reports()))
    assert {form: report.to(form) for form in FORMATS}["json"] == report.to_json()
    with pytest.raises(ValueError, match="choose one of text, json, junit, markdown, github"):
        report.to("yaml")


@pytest.mark.parametrize(
    ("counts", "options", "said"),
    [
        (
            (40, 500, 0.1),
            {"strict": True},
            "a certificate is required (require: bound), and the bound on pillar is 10.3 %, above 10 %: "
            "about ",
        ),
        (
            (0, 500, 0.0),
            {"strict": True},
            "a tolerance of 0, as pillar has, cannot be certified by any number of samples",
        ),
        (
            (1, 500, 0.1),
            {"strict": True, "coupled": True},
            "no confidence bound is computed for pillar (coupled cloud): lem-safe certify draws",
        ),
        ((60, 500, 0.1), {"strict": True}, "Failed: pillar holds 12 % where 10 % is tolerated."),
        ((60, 500, 0.1), {}, "Failed: pillar holds 12 % where 10 % is tolerated."),
        ((0, 500, 0.1), {"trace": trace([60, 0], 500)}, "Failed: pillar was over its tolerance at step 1."),
    ],
)
def test_a_failure_says_why_in_every_form(counts, options, said):
    k, n, beta = counts
    report = audit(cloud(k, n), scenario([("pillar", beta)]), **options)
    assert not report.passed
    data = json.loads(report.to_json())
    assert said in data["reason"] and said in report.to_text() and said in report.to("github")
    assert said.split(" (")[0] in html.unescape(report._repr_html_()) and "Failed" in report.to("markdown")
    if said.startswith("a cert"):
        assert "Failed: every count is within its tolerance, but" in data["reason"] and data[
            "reason"
        ].endswith(" (this bound holds for one evaluation; use --grow for several).")


def test_a_pass_says_what_the_bound_adds():
    passed = {
        "Passed: every count is within its tolerance; a certificate, which is not needed to pass, would take "
        "more of them or fewer inside.": {},
        "Passed: every count is within its tolerance; no confidence bound is computed (coupled cloud).": {
            "coupled": True
        },
    }
    for said, options in passed.items():
        report = audit(cloud(9, 100), scenario([("pillar", 0.1)]), **options)
        assert json.loads(report.to_json())["reason"] == said
        assert said not in report.to_text()  # what its parts say below is enough
    certified = audit(cloud(0, 100), scenario([("pillar", 0.1)], require="bound"))
    assert "a bound certifies it at 95 % confidence" in json.loads(certified.to_json())["reason"]
