"""The benchmark of the QP compares like with like, and the registry keeps what it found."""

import json
from pathlib import Path

import pytest

pytest.importorskip("qpth")
pytest.importorskip("benchmarks")
from benchmarks import __main__ as registry
from benchmarks import qp


def test_every_peer_finds_the_same_point_and_rows_say_what_was_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(qp, "CASES", {"small": (2, 3, 6)})
    rows = qp.measure(budget=0.02)
    assert [row["name"] for row in rows] == ["small: qpth", "small: cvxpy", "small: quadprog"]
    for row in rows:
        assert row["gap"] < 1e-8
        assert row["ratio"] == pytest.approx(row["peer_ms"] / row["ours_ms"])
        assert set(row["versions"]) == {"torch", "numpy", "qpth", "cvxpy", "quadprog"}
    assert capsys.readouterr().out.count("small: ") == 3


def test_results_name_machine_versions_and_commit_and_keep_other_benchmarks(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    registry.write(path, {"one": registry.record([{"name": "a", "ratio": 2.0}], 0.1)})
    registry.write(path, {"two": registry.record([{"name": "b", "ratio": 3.0}], 0.2)})
    found = json.loads(path.read_text())["benchmarks"]
    assert found["one"]["rows"] == [{"name": "a", "ratio": 2.0}]
    assert found["two"]["seconds"] == 0.2
    assert found["two"]["machine"]["cores"] >= 1
    assert found["two"]["machine"]["cpu"]
    assert "torch" in found["two"]["versions"]
    assert "commit" in found["two"]
    assert list(tmp_path.iterdir()) == [path]


def test_the_registry_finds_this_benchmark() -> None:
    assert registry.benchmarks()["qp"] is qp
