"""What benches of tables share: rows that are kept, a synthetic table, the page that shows them."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as program
from benchmarks import tables_page
from benchmarks.heloc_like import heloc_like


def test_a_part_that_is_measured_again_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    program.write(path, {"tables": {"rows": [{"name": "a", "x": 1}, {"name": "b", "x": 1}]}})
    kept = program._others(path, "tables", [{"name": "b", "x": 2}], "b")
    assert kept == [{"name": "a", "x": 1}]
    assert program._others(tmp_path / "none.json", "tables", [], "b") == []
    assert json.loads(path.read_text())["benchmarks"]["tables"]["rows"][1] == {"name": "b", "x": 1}


@pytest.mark.parametrize(
    ("asked", "words"), [("tables:none", "no part 'none'; it has steel faults"), ("qp:x", "it has none")]
)
def test_a_part_that_is_none_is_refused(
    asked: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", asked])
    with pytest.raises(SystemExit):
        program.main()
    assert words in capsys.readouterr().err


def test_the_synthetic_table_obeys_the_rules_about_heloc_in_most_rows() -> None:
    names, *rows = heloc_like(3000)
    x = np.array(rows, dtype=float)
    assert len(names) == 24 and len(set(names)) == 24 and rows == heloc_like(3000)[1:]
    total = x[:, [11]]
    broken = (x[:, 1] < x[:, 2]) | (x[:, 5] < x[:, 6]) | (total < x[:, [4, 12, 19, 20, 21]]).any(1)
    broken |= ~((x[:, 7] > 70) | (total[:, 0] <= 3) | (x[:, 10] > 2))
    assert 0.005 < broken.mean() < 0.1
    assert 0.3 < x[:, 23].mean() < 0.7 and (x == np.rint(x)).all()


def test_the_page_shows_every_mechanism_and_what_is_missing() -> None:
    row = {"table": "t", "rows": 200, "violating": 3, "score_boosting": 0.5, "score_boosting_sd": 0.01}
    row |= {"score_boosting_floor": 0.98}
    shown = "\n".join(
        tables_page.mechanisms(
            [
                {"name": "t, gate", "mechanism": "gate", **row},
                {"name": "t, repair", "table": "t", "mechanism": "repair", "lacks": "not installed"},
            ]
        )
    )
    assert "| t | gate | 200 | 1.5 % | 0.500 ± 0.010 | 0.980 | not measured |  |" in shown
    assert "t: repair is not installed." in shown
