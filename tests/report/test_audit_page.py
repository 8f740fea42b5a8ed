"""The page of an audit of samples from elsewhere: its numbers are the audit's, its pictures have ink, and
nothing speaks of a run.
"""

import re
import shutil

import numpy as np
import pytest
from audited import chosen_rows
from pages import BROWSER, opened, spoken

from lem_safe import cli
from lem_safe.auditor.shown import MOST
from lem_safe.report import render
from lem_safe.report.contents import read
from lem_safe.report.panels import panels

pytestmark = pytest.mark.simulation

SCENARIO = """\
version: 1
name: mine
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe: {pillar: {kind: ball, center: [1.5, 0], radius: 0.4},
  strip: {kind: half_space, normal: [0, 1], offset: 2}}
constraints: [{set: pillar, beta: 0.08}, {set: strip, beta: 0.02}]
sampler: {kind: langevin, samples: 100, steps: 10, step_size: 0.01}
"""


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    """Audits of few rows, of more than are drawn, and of paths."""
    base, rng = tmp_path_factory.mktemp("audits"), np.random.default_rng(0)
    x = rng.normal(size=(50_001, 2))
    np.save(base / "few.npy", x[:700])
    np.save(base / "many.npy", x)
    np.savez(base / "paths.npz", path=np.cumsum(0.15 * rng.normal(size=(60, 40, 2)), 1))
    (base / "s.yaml").write_text(SCENARIO)
    for file in ("few.npy", "many.npy", "paths.npz"):
        out = base / file.split(".")[0]
        cli.main(["audit", str(base / file), str(base / "s.yaml"), "--out", str(out), "--near", "0.2"])
    return {name: base / name for name in ("few", "many", "paths")}


@pytest.mark.parametrize("name", ["few", "many", "paths"])
def test_the_page_says_what_the_audit_says(audits, name):
    contents, words = read(audits[name]), spoken((audits[name] / "report.html").read_text(encoding="utf-8"))
    what = "paths" if name == "paths" else "samples"
    for c in contents.audit["constraints"]:
        held = f"{c['violations']:,} of {contents.audit['samples']:,} {what}"
        assert held in words and f"{c['near']:,} (" in words and c["verdict"] in words
    assert (
        contents.audit["reason"] in words
        and "Inside any of them" in words
        and "The probability of any of them is at most" in words
    )
    assert f"lem-safe audit {contents.audit['source']}" in words
    for foreign in (
        "unfiltered",
        "filter promises",
        "every judged step",
        "no trace",
        "Step-size bias",
        "Energies",
    ):
        assert foreign not in words
    assert contents.thinned == (name == "many")
    assert ("20,000 of 50,001 rows, chosen at random" in words) == (name == "many")


def test_every_picture_has_its_samples_in_it(audits):
    """A histogram that knows no such series would be an empty frame."""
    from matplotlib.figure import Figure

    for directory in audits.values():
        shown = [(panel.name, draw) for panel in panels(read(directory)) for draw in panel.draws]
        assert {name for name, _ in shown} == {"clouds", "clearance", "marginals"}
        for name, draw in shown:
            axes = draw(Figure().add_subplot())
            drawn = (
                [patch for patch in axes.patches if type(patch).__name__ == "StepPatch"]
                if name != "clouds"
                else axes.collections
            )
            assert drawn, name


def test_rows_that_are_drawn_are_a_random_choice(audits):
    x = np.load(audits["many"].parent / "many.npy")
    np.testing.assert_array_equal(read(audits["many"]).x, x[chosen_rows(len(x), MOST)])


def test_it_is_rendered_again_from_its_files(audits, capsys, tmp_path):
    shutil.copytree(audits["few"], tmp_path / "copy")
    before = (tmp_path / "copy" / "report.html").read_text(encoding="utf-8")
    (tmp_path / "copy" / "report.html").unlink()
    capsys.readouterr()
    assert cli.main(["report", str(tmp_path / "copy")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "copy" / "report.html")
    again = (tmp_path / "copy" / "report.html").read_text(encoding="utf-8")
    assert re.sub("(few|copy)/scenario", "", again) == re.sub("(few|copy)/scenario", "", before)
    (tmp_path / "copy" / "shown.npz").unlink()
    assert cli.main(["report", str(tmp_path / "copy")]) == 2
    assert "no audit (audit.json and shown.npz)" in capsys.readouterr().err


def test_a_growing_audit_has_the_page_of_its_last_look(audits, tmp_path):
    x, out = np.load(audits["few"].parent / "few.npy"), tmp_path / "looks"
    for n in (200, 700):
        np.save(tmp_path / "x.npy", x[:n])
        cli.main(
            [
                "audit",
                str(tmp_path / "x.npy"),
                str(audits["few"].parent / "s.yaml"),
                "--grow",
                "--out",
                str(out),
            ]
        )
        assert f"of {n} samples" in spoken((out / "report.html").read_text(encoding="utf-8"))


@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
def test_a_browser_shows_it(audits, tmp_path):
    document, complaints = opened(render(audits["few"]), tmp_path, "--window-size=390,900")
    assert "Failed" in spoken(document) and document.count("<svg") >= 4 and complaints == []
