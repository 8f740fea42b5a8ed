"""Tables that people write: rows in are rows out, names decide, and what may be either is in doubt."""

import tempfile
from pathlib import Path

import numpy as np

from barriers.tables import Doubt, Unpaired, first_row, head, pairing
from lem_safe.auditor import matching, tables
from lem_safe.auditor.opening import open_samples
from lem_safe.data import csv_text, parquet

READINGS = {
    "names": [
        ("speed,load", "1,2"),
        (",a,b", "0,1,2"),
        ("RI,Na,Mg", "1,2,3"),
        ("mean,25%,50%", "1,2,3"),
        ("2019-01,2019-02", "1,2"),
        ("speed", "1"),
        ("# x0,x1", "1.5,2"),
        ("x,inf", "1,2"),
        ("2019-01-31,2019-02-28", "1,2"),
        ("1st,2nd", "1,2"),
        ("true,score", "1,2"),
        ("NA,K,CA", "1,2,3"),
        ("Na,K", "1,2"),
        (",,a", "1,2,3"),
        ("10m,20m", "1,2"),
    ],
    "row": [
        ("1.5,2", "3,4"),
        ("1,2", "3,4"),
        ("0,0,5,13", "0,1,12,13"),
        ("0,0", "0.1,0.98"),
        ("5,3", "4,2"),
        ("1e5,2", "3,4"),
        ("30,5", "31.5,6;29,4;28.1,5"),
        ("1990,1995", "1991,1999"),
        ("1,2,3", "4,5,6"),
        ("99,nan", "3,4"),
        ("0.0,1.0", "0.1,0.9"),
        ("-3,2", "0.5,0.25"),
        ("30,70.0", "31,70.5"),
        ('"1","2"', '"3","4"'),
        ("٣,٤", "1,2"),
        ("7", "9"),
        ("9" * 5000 + ",1", "1,2"),
        ("2019", "2020;3"),
        ("2019,2021,2020", "1990,5,7"),
        ("201902,201901", "201812,201811"),
        ("1999,50", "2000,99"),
        ("1990.0,1995.0", "1991.0,1999.0"),
        ("201913,201914", "3,4"),
    ],
    "doubt": [
        ("99,NA", "30,5"),
        ("99,", "30,5"),
        ("99,abc", "30,5"),
        ("99,-", "30,5"),
        ("M,0.45,0.3", "F,0.5,0.4"),
        (",0,1", "0,1.5,2"),
        ("0,1", "3.25,2.5"),
        ("0,1", "3,4"),
        ("0", "5"),
        ("2019,2020", "3,4"),
        ("2020,2019", "1.5,2.5"),
        ("NA,NA", "1,2"),
        ("NA", "1"),
        (",", "1,2"),
        ("101,205", "1.5,2.5;3.25,4.5"),
        ("400,410,420,430", "1,2,3,9"),
        ("1,2,3", "9,4,6"),
        ("0.25,0.5", "3,4;5,6"),
        ("1_000,2_000", "3,4"),
        ('"1,000","2,000"', "30,5"),
        ('"5","7"', "3,4"),
        ("99kg,5", "30,5"),
        ("True,5", "30,5"),
        ("speed,2019", "30,5"),
        ("-1,0,1", "0.5,0.25,1.5"),
        ("−99,−1", "1,2"),
        ("−99,abc", "1,2"),
        ("0x63,0x1", "1,2"),
        ("9.9D1,1.0D0", "1.5,2.5"),
        ("99%,50%", "1,2"),
        ("99 %,NA", "1,2"),
        ("$99,$1", "1,2"),
        ("99€,1€", "1,2"),
        ("99 km/h,1 kN", "1,2"),
        ("<5,>9", "1,2"),
        ("(99),(1)", "1,2"),
        ("True,False", "1,0"),
        ("#DIV/0!,#VALUE!", "1,2"),
        ("-nan(ind),1.#QNAN", "1,2"),
        ("n.a.,--", "1,2"),
        ("NA,error", "1,2"),
        ("nan,bad", "1.5,2.5"),
        ("2019", "3;5"),
        ("2021,2019,2022", "1,2,3"),
        ("201901,201902", "3,4"),
        ("20190131,20190228", "3,4"),
        ("1990.0,1991.0", "1.5,2.25"),
    ],
}
"""First lines and what follows them (rows parted by semicolons), by what the first line is."""


def written(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_bytes(text.encode())
    return path


def first_lines() -> None:
    """Every reading of READINGS, by the table in `first_row`."""
    with tempfile.TemporaryDirectory() as folder:
        for reading, lines in READINGS.items():
            for first, below in lines:
                found_head = head.csv_head(
                    written(Path(folder), f"{first}\n" + below.replace(";", "\n") + "\n")
                )
                found = (
                    "doubt"
                    if found_head.doubt is not None
                    else "row"
                    if found_head.names is None
                    else "names"
                )
                assert found == reading, (first, below, found)
    assert isinstance(first_row.first_row(["99", "NA"], []), Doubt)


def rows_in_are_rows_out() -> None:
    """Both readers give the lines that are there, as float gives their cells; in one column a blank line
    between rows is a missing cell.
    """
    text = '\ufeffa,b\r\n"1.5",2\r\n\r\n 3 ,4e-300\n5,٦\n"7","8"'
    truth = [
        [float(cell) for cell in row] for row in (("1.5", "2"), (" 3 ", "4e-300"), ("5", "٦"), ("7", "8"))
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), text)
        whole, names = csv_text.read_csv(path, None)
        parts = [part for size in (1, 2, 99) for part in [list(tables.open_csv(path).stream([0, 1], size))]]
        assert names == ["a", "b"] and whole.tolist() == truth
        assert all(np.concatenate(part).tolist() == truth for part in parts)
        for gap in ("1\n\n3\n", 'a\n1\n""\n3\n', "a\n\n1\n2\n"):
            try:
                csv_text.read_csv(written(Path(folder), gap), None, "a" in gap)
            except ValueError as bad:
                raise AssertionError("no fault of the file") from bad
            except Exception as bad:
                assert "empty" in str(bad)
            else:
                raise AssertionError(f"a row of {gap!r} vanished")


def names_decide() -> None:
    """Names that differ by case and punctuation are matched by name; by more, they are refused; position
    needs a side without names.
    """
    load_speed = ([1, 0], "name")
    for own in (["load", "speed"], ["Load", "SPEED"], [" lo-ad", "Speed "]):
        try:
            found = pairing.pair(own, ["speed", "load"])
        except Unpaired as refused:
            raise AssertionError(f"{own} were refused") from refused
        assert found is not None and found[:2] == load_speed, own
    assert pairing.pair(None, ["speed", "load"]) is None and pairing.pair(["a", "b"], ["x0", "x1"]) is None
    for own in (
        ["load_kN", "speed_kmh"],
        ["speed", "weight"],
        ["u", "v"],
        ["Load", "LOAD", "speed"],
        ["x0", "load"],
        ["speed"],
        ["x1", "x0"],
    ):
        try:
            found = pairing.pair(own, ["speed", "load"])
        except Unpaired:
            continue
        raise AssertionError(f"{own} were matched by {found}")


def samples_follow_their_names() -> None:
    """A DataFrame whose columns are in another order, and in capitals, is read in the scenario's."""

    class Frame:
        columns = ("LOAN", "Income")

        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.array([[1.0, 2.0], [3.0, 4.0]])

    samples = open_samples(Frame())
    (block,) = matching.match_columns(samples, ["income", "loan"], {}).blocks(samples)
    assert block.x.tolist() == [[2.0, 1.0], [4.0, 3.0]]


def whole_numbers_are_rounded() -> None:
    """Integers beyond 2**53 become the float64 that numpy makes of them."""
    import pyarrow as pa

    numbers = [2**53 + 1, -(2**63), 2**63 - 1, 1_700_000_000_000_000_001]
    try:
        assert (
            parquet.cast_to_float64(pa.array(numbers)).tolist()
            == np.array(numbers).astype(np.float64).tolist()
        )
    except pa.ArrowInvalid as refused:
        raise AssertionError("refused without a word of which column") from refused
    assert np.isnan(parquet.cast_to_float64(pa.chunked_array([[True], [None]]))).tolist() == [False, True]
