"""Copies are no independent samples: audits of files from anywhere, of clouds, of looks; what runs say of
their own particles.
"""

import json
import warnings

import numpy as np
import pytest
from audited import cloud, only, scenario
from scenario_texts import changed

from lem_safe import cli, run
from lem_safe.auditor import AuditReport, audit, grow, replica_arrays
from lem_safe.auditor.drawn import Drawn
from lem_safe.errors import BadInput
from lem_safe.registry import loads

pytestmark = pytest.mark.simulation

PILLAR = scenario([("pillar", 0.05)])


def test_copies_of_one_row_certify_nothing_and_pass_the_census():
    report = audit(np.tile([[0.25, -0.25]], (400, 1)), PILLAR)
    assert (report.passed, report.verdict, only(report).verdict) == (True, "inconclusive", "inconclusive")
    assert report.assumes == "copies, 1 distinct row among 400: bound not claimed"
    text = report.to_text()
    assert "Copies: 1 distinct row among 400." in text and "counted only" in text
    assert not audit(np.tile([[0.25, -0.25]], (400, 1)), PILLAR, strict=True).passed
    assert audit(cloud(0, 400), PILLAR).verdict == "certified"


@pytest.mark.parametrize(
    "x",
    [cloud(0, 4000).astype(float).round(1), np.full((400, 2), [-3.0, 1.0]) * (np.arange(400) % 2)[:, None]],
)
def test_coarse_values_repeat_and_are_told(x):
    report = audit(x, PILLAR)
    assert report.verdict == "certified" and report.repeats.distinct == len(np.unique(x, axis=0))
    assert f"Rows repeat: {report.repeats.distinct} distinct rows among {len(x):,}" in report.to_text()


def test_few_repetitions_are_no_matter():
    x = cloud(0, 1000)
    x[-5:] = x[:5]
    assert audit(x, PILLAR).verdict == "certified"


def test_a_file_put_together_with_itself():
    x = cloud(3, 2000)
    assert only(audit(x, PILLAR)).verdict == "certified"
    twice = audit(np.concatenate([x, x]), PILLAR)
    assert (
        twice.assumes.startswith("copies, 2,000 distinct rows among 4,000")
        and only(twice).verdict == "inconclusive"
    )


@pytest.mark.parametrize("unit", ["replica", "chain", "path"])
def test_units_that_are_one_unit(tmp_path, unit):
    one = [cloud(0, 20)] * 100
    for parts, certified in (
        (one, False),
        ([part[::-1] for part in one], False),
        ([cloud(0, 20, 3 * s) for s in range(100)], True),
    ):
        np.savez(tmp_path / "u.npz", x=np.concatenate(parts), **{unit: np.repeat(np.arange(100), 20)})
        report = audit(tmp_path / "u.npz", PILLAR)
        assert (report.verdict == "certified") == certified and report.repeats.distinct_units == (
            100 if certified else 1
        )
    np.savez(tmp_path / "c.npz", **replica_arrays(one))
    assert audit(cloud(0, 50), PILLAR, clouds=tmp_path / "c.npz").assumes.startswith(
        "copies, 1 distinct cloud among 100"
    )


def test_rows_that_come_again_are_no_new_look(tmp_path):
    x = cloud(0, 200)
    grow(x, PILLAR, tmp_path)[1].write(tmp_path)
    with pytest.raises(BadInput, match="copies, 200 distinct rows among 400"):
        grow(np.concatenate([x, x]), PILLAR, tmp_path)


def test_marks_of_a_run_only_make_an_audit_more_cautious(tmp_path):
    x = cloud(0, 400)
    for moved, verdict in ((1.0, "certified"), (0.4, "inconclusive"), (None, "certified")):
        marks = {} if moved is None else {"moved": np.array(moved)}
        np.savez(tmp_path / "x.npz", x=x, **marks)
        assert audit(tmp_path / "x.npz", PILLAR).verdict == verdict
        assert audit(Drawn.from_arrays({"x": x, **marks}), PILLAR).verdict == verdict
    np.savez(tmp_path / "x.npz", x=np.tile(x[:1], (400, 1)), moved=np.array(1.0))
    assert audit(tmp_path / "x.npz", PILLAR).verdict == "inconclusive"
    np.savez(tmp_path / "x.npz", x=x, moved=np.array(1.5))
    with pytest.raises(BadInput, match="'moved' must be one number from 0 to 1; got 1.5"):
        audit(tmp_path / "x.npz", PILLAR)


def test_a_slice_and_a_copy_of_a_frozen_run_stay_frozen():
    import copy
    import pickle

    frozen = Drawn(cloud(0, 400), moved=0.0)
    for rows in (frozen[::2], pickle.loads(pickle.dumps(frozen)), copy.copy(frozen)):
        assert audit(rows, PILLAR).assumes == "frozen run: bound not claimed"


THIN = """\
version: 1
name: thin
columns: [a, b, c]
energy: {kind: gaussian, mean: [0.2, 0.3, 0.5], std: 0.1}
unsafe: {off: {kind: rule, where: "abs(a + b + c - 1) > 0.000000001"}}
constraints: [{set: off, beta: 0.01}]
sampler: {kind: langevin, samples: 400, steps: 20, step_size: 0.001, init: {kind: file, path: START}}
filter: {kind: reject}
"""


def test_a_run_in_which_nothing_moves_says_so_everywhere(tmp_path, capsys):
    np.save(tmp_path / "start.npy", np.full((500, 3), [0.25, 0.25, 0.5]))
    (tmp_path / "s.yaml").write_text(THIN.replace("START", "start.npy"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        status = cli.main(["run", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")])
    said = capsys.readouterr()
    frozen = "Frozen: no particle has moved from its start (0 % of the proposed moves were made)"
    assert status == 0 and frozen in said.out and "1 distinct row among 400" in said.out
    assert (
        "the file of sampler.init has 1 different row for 400 particles" in said.err
        and "Warning" not in said.err
    )
    found = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert (found["passed"], found["verdict"], found["assumes"]) == (
        True,
        "inconclusive",
        "frozen run: bound not claimed",
    )
    assert (
        found["movement"] == {"moved": 0.0, "accepted": 0.0, "rhat": None, "nested_rhat": None, "drift": None}
        and found["repeats"]["distinct"] == 1
    )
    assert AuditReport.from_json((tmp_path / "out" / "audit.json").read_text()).to_dict() == found
    assert frozen in (tmp_path / "out" / "report.html").read_text()
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    assert about["distinct_rows"] == 1 and about["movement"]["moved"] == 0.0
    with (
        np.load(tmp_path / "out" / "trace.npz") as trace,
        np.load(tmp_path / "out" / "samples.npz") as samples,
    ):
        assert (trace["moves"] == 0).all() and trace["moves"].shape == (20,) and samples["moved"] == 0
    alone = audit(tmp_path / "out" / "samples.npz", loads((tmp_path / "out" / "scenario.yaml").read_text()))
    assert alone.assumes == "frozen run: bound not claimed"


def test_moves_are_counted_in_clouds_and_resumed(tmp_path):
    """Every particle of plain Langevin moves at every step, in every cloud; R̂ of a short run is told, and no
    verdict changes.
    """
    text = changed("filter: {kind: gate}", "filter: {kind: none}\naudit: {replicas: 2}")
    done = run(loads(text), out=tmp_path / "out")
    assert (
        (done.trace["moves"] == 1).all()
        and done.report.movement.moved == 1.0
        and done.report.movement.accepted == 1.0
    )
    assert done.report.repeats.distinct_units == 2
