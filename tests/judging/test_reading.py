"""What the judge reads: types from the real rows, columns by name in any order, and what it refuses."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from barriers.tables import TableFormat
from lem_safe.errors import BadInput
from lem_safe.judging.reading import Asked, read

REAL = """größe,city,joined,income,flag
170.5,Köln,2020-01-01,12.50,True
181.0,東京,2020-03-04,,False
165.0,Köln,,10.00,True
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("real.csv").write_text(REAL)


def refusal(*given, **asked) -> str:
    with pytest.raises(BadInput) as bad:
        read(*given, None, Asked(**asked))
    return str(bad.value)


def test_types_are_those_of_the_real_rows_and_columns_are_found_by_name() -> None:
    Path("s.csv").write_text("Joined;flag;city;extra;GRÖSSE;income\n2021-01-01;False;Rom;1;1;NA\n")
    Path("s.csv").write_text(Path("s.csv").read_text().replace("GRÖSSE", "Größe"))
    found = read("s.csv", "real.csv")
    assert [c.kind for c in found.real.columns] == ["number", "text", "date", "number", "text"]
    assert [c.name for c in found.samples.columns] == ["größe", "city", "joined", "income", "flag"]
    city = found.real.columns[1]
    assert city.levels == ("Köln", "Rom", "東京")
    assert [city.shown(v) for v in found.real.values[:, 1]] == ["Köln", "東京", "Köln"]
    assert city.shown(found.samples.values[0, 1]) == "Rom"
    assert found.real.columns[2].shown(found.samples.values[0, 2]) == "2021-01-01"
    assert np.isnan(found.real.values[1, 3]) and np.isnan(found.samples.values[0, 3])
    assert found.notes == ("s.csv: not judged, as not in the real table: extra",)


def test_csv_parquet_and_a_frame_give_the_same_table() -> None:
    frame = pd.read_csv("real.csv", parse_dates=["joined"])
    frame.to_parquet("real.parquet")
    files = read("real.csv", "real.csv")
    for other in (frame, "real.parquet", pa.Table.from_pandas(frame)):
        found = read(other, "real.csv")
        np.testing.assert_array_equal(found.samples.values, files.samples.values)
        both = read(other, other)
        assert [c.kind for c in both.real.columns] == ["number", "text", "date", "number", "boolean"]
        assert both.real.columns[4].levels == ("false", "true")


def test_columns_that_are_missing_are_named() -> None:
    Path("s.csv").write_text("city,joind\nKöln,2020-01-01\n")
    said = refusal("s.csv", "real.csv")
    assert said.count("s.csv: no column") == 4 and "no column 'größe', which real.csv has" in said
    assert "judge others alone with --columns" in said
    found = read("s.csv", "real.csv", None, Asked(columns=["CITY"]))
    assert [c.name for c in found.real.columns] == ["city"]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            "170.5,Köln,2020-01-01,dear,True",
            "s.csv:2: column 'income': 'dear' is not a number; mend it, or say",
        ),
        ("170.5,Köln,last year,1,True", "s.csv:2: column 'joined': 'last year' is not a date as 2020-12-31"),
        ("inf,Köln,2020-01-01,1,True", "row 1, column 'größe': inf is not a finite number"),
        ("170.5,Köln,2020-01-01", "s.csv:2: every row must have 5 cells, like the first; this one has 3"),
    ],
)
def test_a_cell_of_another_kind_is_refused_with_its_place(cell: str, message: str) -> None:
    Path("s.csv").write_text(REAL.splitlines()[0] + "\n" + cell + "\n")
    said = refusal("s.csv", "real.csv")
    assert message in said and "the rule that says so" not in said and "columns:" not in said


def test_numbers_as_categories() -> None:
    Path("n.csv").write_text("code,x\n1,0.5\n10,0.5\n2,1\n")
    found = read("n.csv", "n.csv", None, Asked(categories=["CODE"]))
    assert found.real.columns[0].levels == ("1", "2", "10") and found.real.columns[0].said != "number"
    Path("late.csv").write_text("code,x\n" + "1,0\n" * 300 + "A1,1\n")
    assert "'A1' is not a number" in refusal("late.csv", "late.csv")
    late = read("late.csv", "late.csv", None, Asked(categories=["code"]))
    assert late.real.columns[0].levels == ("1", "A1")
    assert "no column 'z' is judged" in refusal("n.csv", "n.csv", categories=["z"])


def test_texts_that_look_like_numbers_are_texts_where_the_table_says_so() -> None:
    pq.write_table(pa.table({"zip": ["01234", "99999"]}), "z.parquet")
    found = read("z.parquet", "z.parquet")
    assert found.real.columns[0].levels == ("01234", "99999")


def test_arrays_are_matched_by_position_and_must_be_as_wide() -> None:
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.savez("x.npz", x=x.astype(np.float32))
    np.save("y.npy", x)
    found = read("x.npz", "y.npy")
    assert [c.name for c in found.real.columns] == ["x0", "x1"]
    np.testing.assert_array_equal(
        found.real.values, found.samples.values
    )  # real rows at the samples' precision
    assert "has 3 columns, and the real rows have 2" in refusal(np.zeros((4, 3)), "y.npy")
    Path("named.csv").write_text("a,b\n1.5,2.5\n")
    assert "by position" in read("x.npz", "named.csv").notes[0]


def test_a_column_that_numbers_units_is_not_judged() -> None:
    Path("s.csv").write_text("replica,x\n0,1.5\n1,2.5\n")
    Path("r.csv").write_text("x\n1.5\n3.5\n")
    assert [c.name for c in read("s.csv", "r.csv").samples.columns] == ["x"]


def test_a_column_without_a_real_cell_is_what_the_samples_say() -> None:
    Path("r.csv").write_text("a,b\n,1\n,2\n")
    Path("s.csv").write_text("a,b\nx,1\n,2\n")
    found = read("s.csv", "r.csv")
    assert found.real.columns[0].levels == ("x",) and np.isnan(found.real.values[:, 0]).all()


def test_how_text_is_written_is_for_text() -> None:
    form = TableFormat(separator=";", missing="keep")
    np.save("y.npy", np.zeros((3, 1)))
    assert "separator: is for .csv or other text" in refusal("y.npy", "y.npy", form=form)
    assert "names one column twice" in refusal("real.csv", "real.csv", columns=["city", "City"])
    assert "names no column" in refusal("real.csv", "real.csv", columns=[])


def test_a_header_of_numbers_is_known_from_the_other_table() -> None:
    Path("r.csv").write_text("0,1\n0.5,1.5\n2.5,1.5\n")
    assert "header" in refusal("r.csv", np.zeros((3, 2)))
    form = TableFormat(header=True, missing="keep")
    assert len(read("r.csv", "r.csv", None, Asked(form=form)).real) == 2
