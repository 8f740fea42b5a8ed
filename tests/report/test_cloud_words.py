"""The page of several clouds: their mean stands beside the largest, in words, table and picture."""

import pytest
from pages import spoken

import lem_safe
from lem_safe.report.contents import read
from lem_safe.report.panels import panels
from lem_safe.report.words import apart, over_steps

pytestmark = pytest.mark.simulation


def test_the_mean_over_clouds_is_on_the_page(tmp_path) -> None:
    scenario = lem_safe.load(
        "ring_keep_out", {"audit.replicas": 3, "sampler.steps": 6, "sampler.samples": 20}
    )
    run = lem_safe.run(scenario, out=tmp_path / "run")
    contents, words = read(run.directory), spoken((run.directory / "report.html").read_text(encoding="utf-8"))
    (c,) = contents.audit["constraints"]
    (f,) = run.report.by_cloud
    each = run.trace["cloud_fraction"][:, :, 0]
    assert f.clouds == 3 and f.mean_over_steps == each.mean(0).max() and f.largest_over_steps == each.max()
    for text in (apart(c, contents.audit), over_steps(c, contents.audit)):
        assert text.replace("\xa0", " ") in words.replace("\xa0", " ")
    assert "their mean never more than" in words and "The largest of 3 clouds and their mean" in words
    (panel,) = (panel for panel in panels(contents) if panel.name == "fraction")
    assert "mean of the clouds" in [label for label, *_ in panel.draws[0].keywords["series"]]


def test_one_cloud_has_no_such_words() -> None:
    c = {"set": "pillar"}
    assert apart(c, {}) == over_steps(c, {}) == ""
