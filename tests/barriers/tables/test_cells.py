"""Numbers in cells: one answer whether the block is read by numpy or cell by cell."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from barriers.tables import TableFault, TableFormat, csv_blocks, csv_head
from barriers.tables.cells import is_missing

CELLS = {
    "1\x00": None,
    '"1\n"': None,
    '"\n1"': None,
    "1\x1f": None,
    "1_000": None,
    "0x10": None,
    "1e400": None,
    "-1e999": None,
    "∞": None,
    '"1,000"': None,
    "1 2": None,
    "١٢": 12.0,
    "1e-400": 0.0,
    ' "7"': 7.0,
    "+.5": 0.5,
    "1\xa0": 1.0,
}


def values(folder: Path, cell: str, beside: str) -> float | str:
    path = folder / "t.csv"
    path.write_text(f"a,b\n{cell},{beside}\n3,4\n", encoding="utf-8", newline="")
    try:
        return float(next(csv_blocks(csv_head(path), [0]))[0, 0])
    except TableFault as bad:
        return str(bad)


@pytest.mark.parametrize("cell", CELLS)
def test_text_beside_a_number_changes_nothing(cell, tmp_path):
    """The other column decides which parser reads the block; it must not decide what a cell is."""
    found = values(tmp_path, cell, "2")
    assert found == values(tmp_path, cell, "some text")
    if CELLS[cell] is None:
        assert isinstance(found, str) and "column 'a'" in found
    else:
        assert found == CELLS[cell]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("1_000", "write its digits alone"),
        ('"1,000"', "decimal: ','"),
        ("", "missing: drop"),
        ("NA", "missing: drop"),
        ("1e400", "beyond float64"),
        ("oops", "mend it"),
    ],
)
def test_the_way_out_is_said(cell, words, tmp_path):
    assert words in str(values(tmp_path, cell, "2"))


@pytest.mark.parametrize("text", ["", " ", "NA", "n/a", "NaN", "null", "None", "?", "-", "#N/A", "<NA>", "."])
def test_what_misses_a_value(text):
    assert is_missing(text)


@pytest.mark.parametrize(
    "text", ["inf", "-Infinity", "#DIV/0!", "#REF!", "0", "x", "-1.#INF", "1_000", "Nah"]
)
def test_what_does_not(text):
    assert not is_missing(text)


def test_missing_cells_are_nan_where_they_may_be(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,\nNA,2\n3,nan\n4,5\n", encoding="utf-8")
    (block,) = csv_blocks(csv_head(path, TableFormat(missing="drop")), [0, 1])
    assert np.isnan(block).tolist() == [[False, True], [True, False], [False, True], [False, False]]


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv.gz", "t.gz", "T.CSV.GZ"])
def test_compressed_text(name, tmp_path):
    mark = "\t" if "tsv" in name else ","
    (tmp_path / name).write_bytes(gzip.compress(f"a{mark}b\n1{mark}2\n".encode()))
    (block,) = csv_blocks(csv_head(tmp_path / name), [0, 1])
    assert block.tolist() == [[1, 2]]


@pytest.mark.parametrize("damage", ["empty", "plain", "cut"])
def test_damaged_gzip_is_refused(damage, tmp_path):
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 999)
    (tmp_path / "t.csv.gz").write_bytes({"empty": b"", "plain": b"a,b\n1,2\n", "cut": whole[:-9]}[damage])
    with pytest.raises(TableFault, match="gzip|empty"):
        list(csv_blocks(csv_head(tmp_path / "t.csv.gz"), [0, 1]))
