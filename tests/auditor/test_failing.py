"""Every row that is inside a region, in a file: complete, in the census's own judgement, in blocks."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audited import cloud, scenario

from lem_safe.auditor import failing
from lem_safe.auditor.audit import examine
from lem_safe.auditor.failing import write_failing
from lem_safe.auditor.opening import open_samples
from lem_safe.auditor.question import Question
from lem_safe.errors import BadInput

ASKED = scenario([("pillar", 0.5), ("strip", 0.5)])


def written(path: Path, source, asked=ASKED):
    samples, question = open_samples(source), Question(asked)
    report = examine(samples, question)
    return report, write_failing(path, samples, question, report)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_all_rows_inside_are_there_with_their_regions_and_clearances(tmp_path: Path, suffix: str) -> None:
    x = np.random.default_rng(0).permutation(np.vstack([cloud(40, 70_000), [[1.55, 5.0], [9.0, 9.0]]]))
    np.save(tmp_path / "x.npy", x)
    report, many = written(tmp_path / f"f{suffix}", tmp_path / "x.npy")
    found = (pd.read_csv if suffix == ".csv" else pd.read_parquet)(tmp_path / f"f{suffix}")
    away = np.hypot(x[:, 0] - 2, x[:, 1]) - 0.8
    inside = np.stack([away <= 0, x[:, 0] >= 1.5], 1)
    assert found["row"].tolist() == np.flatnonzero(inside.any(1)).tolist() and many == len(found) == 42
    assert np.array_equal(found[["x0", "x1"]].to_numpy(), x[inside.any(1)].astype(float))
    assert np.allclose(found["clearance: pillar"], away[inside.any(1)], atol=1e-6)
    names = [name.split("; ") if suffix == ".csv" else list(name) for name in found["regions"]]
    held = [[n for n, k in zip(("pillar", "strip"), row, strict=True) if k] for row in inside[inside.any(1)]]
    assert names == held and sum("strip" in row for row in names) == report.constraints[1].violations


def test_units_are_named_and_a_segment_counts(tmp_path: Path) -> None:
    path = np.array([[[0.0, 3.0], [4.0, -3.0], [9.0, 9.0]], [[-5.0, 0.0], [-6.0, 0.0], [-7.0, 0.0]]])
    np.savez(tmp_path / "p.npz", path=path)
    written(tmp_path / "f.csv", tmp_path / "p.npz", scenario([("pillar", 0.5)]))
    rows = list(csv.DictReader((tmp_path / "f.csv").open()))
    assert [(row["row"], row["path"], row["x0"]) for row in rows] == [("1", "0", "4.0")]
    assert float(rows[0]["clearance: pillar"]) < 0


def test_no_row_inside_is_a_table_without_rows_and_columns_keep_their_names_apart(tmp_path: Path) -> None:
    frame = pd.DataFrame({"row": [0.0, 1.0], "regions": [0.0, 1.0]})
    asked = scenario([("pillar", 0.5)], columns=("row", "regions"))
    assert written(tmp_path / "f.csv", frame, asked)[1] == 0
    assert written(tmp_path / "f.parquet", frame, asked)[1] == 0
    heads = ["row", "regions", "clearance: pillar", "value: row", "value: regions"]
    assert (tmp_path / "f.csv").read_text() == ",".join(heads) + "\n"
    assert list(pd.read_parquet(tmp_path / "f.parquet").columns) == heads


def test_what_is_no_table_is_refused_and_so_is_a_file_that_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = cloud(5, 50)
    np.save(tmp_path / "x.npy", x)
    samples, question = open_samples(tmp_path / "x.npy"), Question(ASKED)
    report = examine(samples, question)
    with pytest.raises(BadInput, match=r"must end in .csv or .parquet; got '.xlsx'"):
        write_failing(tmp_path / "f.xlsx", samples, question, report)
    np.save(tmp_path / "x.npy", cloud(6, 50))
    with pytest.raises(BadInput, match="changed while it was audited"):
        write_failing(tmp_path / "f.csv", samples, question, report)
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"]  # nothing half written is left
    monkeypatch.setattr(failing, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="needs pyarrow"):
        write_failing(tmp_path / "f.parquet", samples, question, report)
