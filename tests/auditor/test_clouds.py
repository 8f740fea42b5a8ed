"""Several clouds: the mean of their fractions beside the largest, in every form."""

import json

import numpy as np
import pytest
from audited import cloud, scenario

from lem_safe.auditor import AuditReport, audit

ASKED = scenario([("pillar", 0.2), ("strip", 0.3)], after_step=2)
INSIDE = (1, 2, 9, 0)


@pytest.fixture
def report(tmp_path) -> AuditReport:
    np.savez(tmp_path / "x.npz", x=np.stack([cloud(k, 50, 7 * k) for k in INSIDE]))
    each = np.zeros((4, 3, 2))
    each[:, :, 0] = np.array([[50, 10, 2], [0, 0, 4], [0, 30, 18], [0, 0, 0]]) / 100
    trace = {"step": np.arange(1.0, 4.0), "fraction": each.max(0), "cloud_fraction": each}
    return audit(tmp_path / "x.npz", ASKED, trace=trace)


def test_the_mean_stands_beside_the_largest(report: AuditReport) -> None:
    first, second = report.by_cloud
    assert (first.set, first.clouds, first.mean, first.largest) == ("pillar", 4, pytest.approx(0.06), 0.18)
    assert (first.mean_over_steps, first.largest_over_steps) == (pytest.approx(0.1), 0.3)  # from step 2 on
    assert second.largest_over_steps == 0
    text = report.to_text()
    assert (
        "Of 4 clouds, the mean is 6 % and the largest 18 %; at any judged step, the mean is at most 10 %"
        in text
    )
    assert "50 % (mean 10 %)" in text
    assert AuditReport.from_json(report.to_json()).by_cloud == report.by_cloud


def test_an_older_audit_and_one_of_rows_have_none(report: AuditReport, tmp_path) -> None:
    older = report.to_dict()
    del older["by_cloud"]

    read = AuditReport.from_json(json.dumps(older))
    assert read.by_cloud == () and "Of 4 clouds" not in read.to_text()
    assert audit(cloud(3, 50), ASKED).by_cloud == ()
    np.savez(tmp_path / "y.npz", x=np.stack([cloud(k, 50, 7 * k) for k in INSIDE]))
    found = audit(tmp_path / "y.npz", ASKED)
    assert found.by_cloud[0].mean_over_steps is None and "the largest 18 %." in found.to_text()
