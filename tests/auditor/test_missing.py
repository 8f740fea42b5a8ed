"""Rows that miss a value: an error, or left out and counted, in every form of an audit."""

import json
from pathlib import Path

import numpy as np
import pytest
from scenario_texts import GOOD

import lem_safe
from barriers.tables import TableFormat
from lem_safe import cli
from lem_safe.auditor import AuditReport
from lem_safe.auditor.opening import open_samples
from lem_safe.auditor.shown import shown
from lem_safe.errors import BadInput
from lem_safe.registry import load

ROWS = (
    "x0,x1,note\n"
    + "".join(f"{i % 7 / 10},{'' if i % 10 == 3 else i % 5 / 10},\n" for i in range(200))
    + "9,0,\n"
)


def files(folder: Path) -> tuple[Path, Path]:
    (folder / "s.yaml").write_text(GOOD)
    (folder / "t.csv").write_text(ROWS)
    return folder / "t.csv", folder / "s.yaml"


def test_dropped_rows_are_counted_in_every_form(tmp_path, capsys):
    samples, scenario = files(tmp_path)
    assert cli.main(["audit", str(samples), str(scenario)]) == 2
    assert "t.csv:5: column 'x1': the cell is empty; fill it, leave out rows" in capsys.readouterr().err
    command = ["audit", str(samples), str(scenario), "--missing", "drop", "--json"]
    assert cli.main(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["samples"], said["dropped"]) == (181, 20)
    assert said["constraints"][0]["violations"] == 1
    sentence = "20 of 201 rows (9.95 %) miss a value and were left out"
    assert any(sentence in text for text in said["caveats"])
    report = lem_safe.audit(samples, scenario, missing="drop")
    assert sentence in report.to_text() and sentence in report.to("markdown")
    assert AuditReport.from_json(report.to_json()).dropped == 20
    assert lem_safe.audit(np.ones((5, 2)), scenario).dropped is None
    opened = open_samples(samples, None, TableFormat(missing="drop"))
    assert len(shown(opened, load(scenario), report)) == 181


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_whatever_a_block_is_the_count_is_the_same(size, tmp_path):
    samples, _ = files(tmp_path)
    blocks = list(open_samples(samples, None, TableFormat(missing="drop")).blocks([0, 1], None, size))
    assert sum(block.dropped for block in blocks) == 20 and sum(len(block.x) for block in blocks) == 181
    assert all(len(block.x) for block in blocks)


def test_arrays_and_frames_miss_values_too(tmp_path):
    _, scenario = files(tmp_path)
    x = np.array([[0.0, 0.0], [np.nan, 1.0], [9.0, 0.0]])
    with pytest.raises(BadInput, match="not a finite number"):
        lem_safe.audit(x, scenario)
    report = lem_safe.audit(x, scenario, missing="drop")
    assert (report.samples, report.dropped, report.constraints[0].violations) == (2, 1, 1)
    with pytest.raises(BadInput, match="row 3.*inf is not a finite"):
        lem_safe.audit(np.array([[0.0, 0.0], [np.nan, 1.0], [np.inf, 0.0]]), scenario, missing="drop")
    with pytest.raises(BadInput, match="each of its 2 rows misses a value"):
        lem_safe.audit(np.full((2, 2), np.nan), scenario, missing="drop")


def test_paths_and_clouds_have_no_holes(tmp_path):
    _, scenario = files(tmp_path)
    np.savez(tmp_path / "p.npz", path=np.zeros((3, 4, 2)))
    (tmp_path / "c.csv").write_text("x0,x1,chain\n1,2,0\n,3,0\n")
    for name in ("p.npz", "c.csv"):
        with pytest.raises(BadInput, match="would have holes"):
            lem_safe.audit(tmp_path / name, scenario, missing="drop")


def test_keys_that_are_none_are_refused(tmp_path, capsys):
    samples, scenario = files(tmp_path)
    for option, words in (
        ("--missing", "must be error, drop or keep; got 'fill'"),
        ("--separator", "must be ','"),
        ("--decimal", "must be '.' or ','"),
    ):
        assert cli.main(["audit", str(samples), str(scenario), option, "fill"]) == 2
        assert words in capsys.readouterr().err
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    for key in ("separator", "decimal"):
        with pytest.raises(BadInput, match=f"{key} is for a .csv or other text"):
            lem_safe.audit(tmp_path / "x.npy", scenario, **{key: ","})


def test_a_name_that_occurs_twice_and_is_needed_is_refused(tmp_path):
    _, scenario = files(tmp_path)
    scenario.write_text(GOOD.replace("version: 1\n", "version: 1\ncolumns: [load, speed]\n"))

    def audited(text: str) -> lem_safe.AuditReport:
        (tmp_path / "d.csv").write_text(text)
        return lem_safe.audit(tmp_path / "d.csv", scenario)

    assert audited(",load,note,note,speed\n0,9,1,2,0\n1,0,1,2,0\n").constraints[0].violations == 1
    with pytest.raises(BadInput, match="several columns 'load'"):
        audited("load,load,speed\n9,1,0\n")
    with pytest.raises(BadInput, match="several columns 'chain'"):
        audited("load,chain,chain,speed\n9,1,0,1\n")
