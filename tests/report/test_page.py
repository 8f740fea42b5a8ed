"""The report on run directories made with numpy: what it says, what it leaves out, and that it needs nothing
else.
"""

import json
import re
import shutil

import numpy as np
import pytest
from pages import Page, plane, ring, spoken

from barriers.filters import FILTERS
from lem_safe.errors import BadInput
from lem_safe.report import render, words
from lem_safe.report.contents import read
from lem_safe.report.curves import STRETCHES, stretches
from lem_safe.report.histograms import edges_of
from lem_safe.report.pairs import columns_of, pairs_of

pytestmark = pytest.mark.simulation


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Both runs, rendered."""
    base = tmp_path_factory.mktemp("runs")
    reports = {"ring": ring(base / "ring", n=2000, t=900), "plane": plane(base / "plane", n=1500)}
    return {name: (base / name, report, render(base / name).read_text()) for name, report in reports.items()}


def test_the_page_needs_nothing_but_itself(runs):
    for _, _, text in runs.values():
        page = Page(text)
        assert all(address.startswith(("#", "data:")) for address in page.addresses)
        assert "script" not in page.tags and "@import" not in text and "svg" in page.tags
        assert len(page.ids) == len(set(page.ids))
        used = set(re.findall(r"url\(#([^)]+)\)", text)) | {
            a[1:] for a in page.addresses if a.startswith("#")
        }
        assert used <= set(page.ids)


def test_the_verdict_comes_first_and_in_numbers(runs):
    for directory, report, text in runs.values():
        words = spoken(text)
        for c in report.constraints:
            most = f"{100 * c.max_fraction_over_steps:.3g} %"
            assert (
                f"At most {100 * c.beta:.3g} % tolerated inside {c.set}; the filtered cloud never held "
                f"more than {most}" in words
            )
            free = read(directory).inside(c.set, np.load(directory / "reference.npz")["x"]).mean()
            assert f"Without the filter: {100 * free:.3g} %." in words
        assert words.index("Passed") < words.index("Verdicts")


def test_the_box_says_why_a_required_bound_fails_and_what_the_bound_says(runs, tmp_path, monkeypatch):
    """Every count within its tolerance, and failed all the same: the reader is told what the certificate
    lacks.
    """
    monkeypatch.setattr("lem_safe.report.page._pictures", lambda panel, directory: [])  # only words change
    bare = tmp_path / "bare"
    shutil.copytree(runs["ring"][0], bare)
    told = json.loads((bare / "audit.json").read_text())
    for constraint in told["constraints"]:  # as where a bound is claimed
        constraint["upper_bound"] = 0.04
    told["union"] |= {"upper_bound": 0.05, "interval": [0.01, 0.05]}
    (bare / "trace.npz").unlink()

    def box(**changed):
        (bare / "audit.json").write_text(json.dumps({**told, **changed}))
        return spoken(render(bare).read_text()).split("Verdicts")[0]

    reason = "Failed: every count is within its tolerance, but a certificate is required"
    failed = box(
        passed=False, verdict="inconclusive", assumes="independent clouds", unclaimed=None, reason=reason
    )
    assert reason in failed
    assert (
        "here are too few" in failed
        and "to decide whether their distribution is within" in failed
        and "if clouds are independent" in failed
    )
    certified = box(passed=True, verdict="certified", assumes="independent samples", unclaimed=None)
    assert "the distribution of the samples is within" in certified.lower()
    for why in ("coupled cloud", "samples used in tuning"):
        del told["unclaimed"]  # as in files from before that key
        assert f"A count of these samples only ({why})" in box(assumes=f"{why}: bound not claimed")
        told["unclaimed"] = None
    since = ("reason", "verdict", "kinds", "unseen", "cells", "unclaimed", "movement", "by_cloud")
    old = {key: value for key, value in told.items() if key not in since}
    for constraint in old["constraints"]:
        for later in ("guarantee", "bound_claimed"):
            del constraint[later]
        for sample in constraint["worst"]:
            del sample["cells"]
    (bare / "audit.json").write_text(json.dumps(old))
    assert "What is known" in spoken(render(bare).read_text()).split("Verdicts")[0]


def test_no_bound_is_claimed_whatever_the_reason():
    c = {"upper_bound": 0.1}
    assert (
        words.bound(c, {"assumes": "samples used in tuning: bound not claimed"})
        == "no confidence bound: samples used in tuning"
    )
    assert "not independent" in words.bound(c, {"assumes": "coupled cloud: bound not claimed"})
    assert "at most" in words.bound(c, {"assumes": "independent samples", "confidence": 0.95})


def test_pictures_are_files_too(runs):
    for name, expected in (
        ("ring", "clouds fraction multiplier clearance energy marginals"),
        ("plane", "fraction clearance pairs energy marginals"),
    ):
        made = {p.stem: p.read_bytes() for p in (runs[name][0] / "figures").iterdir()}
        assert set(made) == set(expected.split())
        assert all(content.startswith(b"\x89PNG") and len(content) > 5_000 for content in made.values())


def test_missing_files_leave_a_sentence(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("lem_safe.report.page._pictures", lambda panel, directory: [])
    bare = tmp_path / "bare"
    shutil.copytree(runs["ring"][0], bare)
    for name in ("trace.npz", "reference.npz", "diagnostics.npz"):
        (bare / name).unlink()
    words = spoken(render(bare).read_text())
    assert (
        "The run recorded no trace" in words
        and "saved no energies" in words
        and "Without the filter" not in words
    )
    for content in (b"", b"PK\x03\x04 cut off", (runs["ring"][0] / "trace.npz").read_bytes()[:-100]):
        (bare / "trace.npz").write_bytes(content)
        with pytest.raises(BadInput, match="trace.npz: is damaged"):
            render(bare)
    (bare / "trace.npz").unlink()
    (bare / "audit.json").unlink()
    with pytest.raises(BadInput, match="audit.json: no such file"):
        render(bare)


def test_rendering_twice_gives_the_same_bytes(runs):
    directory, _, text = runs["plane"]
    assert render(directory).read_text() == text


def test_no_bin_of_distances_is_on_both_sides_of_the_boundary():
    y = np.random.default_rng(0).normal(3, 2, 900)
    edges = edges_of({"data": y, "filtered": y + 0.3}, at_zero=True)
    assert np.abs(edges).min() == 0 and edges[0] < np.quantile(y, 0.001) and edges[-1] > np.quantile(y, 0.999)
    assert np.diff(edges) == pytest.approx(np.diff(edges)[0])
    assert np.abs(edges_of({"data": y})).min() > 0  # without asking, no edge happens to be there


def test_every_filter_has_its_promise():
    assert all(len(entry.said(kind).split()) > 8 for kind, entry in FILTERS.items())


def test_no_step_over_the_line_can_hide():
    y = np.zeros(50_000)
    y[31_415] = 1.0
    middle, least, mean, most = stretches(np.arange(1, 50_001), y)
    assert len(middle) == STRETCHES and most.max() == 1.0 and least.max() == 0.0
    assert (
        mean.mean() == pytest.approx(1 / 50_000) and abs(middle[most.argmax()] - 31_416) < 50_000 / STRETCHES
    )


def test_the_columns_a_region_looks_at(runs):
    contents = read(runs["plane"][0])
    assert sorted(columns_of(contents.regions["impossible"], contents.x)) == [1, 3]
    assert pairs_of(contents.regions["impossible"], contents.x) == [(1, 3)]
