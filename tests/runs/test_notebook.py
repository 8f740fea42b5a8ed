"""Runs, reports, scenarios and their pictures in a notebook: escaped HTML, short reprs, axes that come
back.
"""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from scenario_texts import GOOD

import lem_safe

pytestmark = pytest.mark.simulation

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> lem_safe.Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
        text = GOOD.replace("near", "near_by").replace("samples: 100", "samples: 60")
        return lem_safe.run(lem_safe.loads(text), out=tmp_path_factory.mktemp("notebook") / "out")


def test_reprs_are_one_line_and_name_what_matters(done: lem_safe.Run):
    for value, words in [
        (done, ["Run", "out", "60 samples"]),
        (done.report, ["AuditReport", "two_balls", "both"]),
        (
            done.scenario,
            ["Scenario", "60 samples", "10 steps of langevin", "filter gate", "both at most 3 %"],
        ),
    ]:
        assert (
            "\n" not in repr(value) and len(repr(value)) < 300 and all(word in repr(value) for word in words)
        ), repr(value)
    assert "verdict" in str(done) and str(done.report) == done.report.to_text()


def test_html_is_escaped(done: lem_safe.Run):
    text = GOOD.replace(
        "kind: half_space, normal: [1, 0], offset: 3", 'kind: rule, where: "x0 < x1 & x0 > 3"'
    ).replace(" & ", " and ")
    page = lem_safe.loads(text)._repr_html_()
    assert "x0 &lt; x1" in page and "x0 < x1" not in page and "<pre>" in page
    assert done._repr_html_().startswith("<p>") and "<table>" in done.report._repr_html_()


def test_plots_return_the_axes_they_were_given_or_new_ones(done: lem_safe.Run):
    from matplotlib import pyplot
    from matplotlib.axes import Axes

    for draw in (done.plot_samples, done.plot_fractions, done.report.plot):
        _, given = pyplot.subplots()
        assert draw(given) is given
        fresh = draw()
        assert isinstance(fresh, Axes) and fresh.figure is not given.figure
        pyplot.close("all")


def test_what_is_drawn_is_what_was_found(done: lem_safe.Run):
    from matplotlib import pyplot

    axes = done.plot_fractions()
    lines = {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()}
    assert np.allclose(lines["filtered"], done.trace["fraction"][:, 0]) and "unfiltered" in lines
    found = next(line for line in done.report.plot().get_lines() if line.get_label() == "found")
    assert np.asarray(found.get_xdata()).tolist() == [done.report.constraints[0].fraction]
    points = sum(
        len(c.get_offsets())
        for c in done.plot_samples().collections
        if hasattr(c, "get_offsets") and len(c.get_offsets()) > 1
    )
    assert points >= 60 - done.report.constraints[0].violations
    with pytest.raises(lem_safe.BadInput, match="no constraint is on 'nowhere'"):
        done.plot_fractions(constraint="nowhere")
    pyplot.close("all")


def test_one_and_three_columns_are_drawn_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from matplotlib import pyplot

    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    for d in (1, 3):
        zeros, ones = [0.0] * d, [1.0] * d
        text = (
            f"version: 1\nname: d{d}\nenergy: {{kind: gaussian, mean: {zeros}, std: 1}}\n"
            f"unsafe: {{a: {{kind: half_space, normal: {ones}, offset: 1}}}}\nconstraints: [{{set: a, "
            f"beta: 0.9}}]\n"
            "sampler: {kind: langevin, samples: 40, steps: 3, step_size: 0.01}\n"
        )
        axes = lem_safe.run(lem_safe.loads(text), out=tmp_path / str(d)).plot_samples()
        assert axes.get_ylabel() == ("x0" if d == 1 else "x1")
    pyplot.close("all")


def test_the_package_is_typed():
    assert (Path(lem_safe.__file__).parent / "py.typed").is_file()
