"""What separates the cells of a file: told where one reading is left, refused with the key that decides where
several are.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barriers.tables import TableFault, TableFormat, csv_blocks, csv_head

TOLD = [
    # name, text, separator, the first line's cells
    ("a.csv", "a,b\n1,2\n", ",", 2),
    ("a.csv", "a;b\n1;2\n", ";", 2),
    ("a.csv", "a\tb\n1\t2\n", "\t", 2),
    ("a.csv", "a|b\n1|2\n", "|", 2),
    ("a.txt", "a b\n1 2\n", " ", 2),
    ("a.dat", "  1.5\t2 \n 3   4\n", " ", 2),
    ("a.csv", "load, kN;speed\n1;2\n", ";", 2),
    ("a.csv", "name;x\na,b;1\nc,d;2\n", ";", 2),
    ("a.csv", "x,note\n1,a;b\n2,c;d\n", ",", 2),
    ("a.csv", 'x,"a;b"\n1,2\n', ",", 2),
    ("a.tsv", "a\n1\n", "\t", 1),
    ("a.tsv", "a,b\tc\n1\t2\n", "\t", 2),
    ("a.csv", "mean perimeter\n1\n2\n", ",", 1),
    ("a.csv", "a,b\n1,2\n3\n", ",", 2),
    ("a.csv", "date time,x\n2020-01-01 00:00,5\n", ",", 2),
    ("a.txt", "a, b\n1, 2\n", ",", 2),
    ("a.csv", "1,-05\n2,5\n", ",", 2),
    ("a.csv", "id,zip\n1,01234\n", ",", 2),
]
DOUBT = [
    ("a.csv", "1,5;2,5\n3,5;4,5\n", "3 by ',' or 2 by ';' cells; say which: separator:"),
    ("a.csv", "a;b,c\nx;y,z\n", "separated in several ways"),
    ("a.csv", "1,5\t2,5\n", "3 by ',' or 2 by tabs cells"),
    ("a.csv", "a b\n1 2\n", "unusual in a .csv; say which: separator:"),
    ("a.txt", "1 000\n2 500\n", "within its numbers"),
    ("a.tsv", "a,b\n1,2\n", "holds no tabs, but ','; say which: separator:"),
    ("a.csv", "1,5\n2,05\n", "say which: separator: ',' or decimal: ','"),
    ("a.csv", "1,5,-2,05\n2,05,3,5\n", "say which: separator: ',' or decimal: ','"),
    ("a.csv", "a;b\n1,5;2\n", "say what marks decimals: decimal:"),
    ("a.csv", "a;b\n1.234.567;2\n", "say what marks decimals: decimal:"),
    ("a.txt", "a b\n1,5 2\n", "say what marks decimals: decimal:"),
]


def head(folder: Path, name: str, text: str, form: TableFormat | None = None):
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return csv_head(folder / name, form)


@pytest.mark.parametrize(("name", "text", "separator", "width"), TOLD)
def test_one_reading_is_left(name, text, separator, width, tmp_path):
    found = head(tmp_path, name, text)
    assert (found.layout.separator, found.width) == (separator, width)


@pytest.mark.parametrize(("name", "text", "words"), DOUBT)
def test_several_readings_are_refused_with_the_key_that_decides(name, text, words, tmp_path):
    with pytest.raises(TableFault) as caught:
        head(tmp_path, name, text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "form", "rows"),
    [
        ("a.csv", "1,5;2,5\n3,5;4,5\n", TableFormat(decimal=","), [[1.5, 2.5], [3.5, 4.5]]),
        ("a.csv", "1,5;2,5\n3,6;4,6\n", TableFormat(separator=","), None),
        ("a.csv", '"1,5","2,5"\n', TableFormat(separator=",", decimal=","), [[1.5, 2.5]]),
        ("a.csv", "a b\n1 2\n", TableFormat(separator="space"), [[1, 2]]),
        ("a.txt", "1 000\n2 500\n", TableFormat(separator="space"), [[1, 0], [2, 500]]),
        ("a.tsv", "a,b\n1,2\n", TableFormat(separator=","), [[1, 2]]),
        ("a.csv", "a;b\n1,5;2\n", TableFormat(decimal=","), [[1.5, 2]]),
        ("a.csv", "1,5\n2,05\n", TableFormat(decimal=","), [[1.5], [2.05]]),
        ("a.csv", "1,5\n2,05\n", TableFormat(separator=","), [[1, 5], [2, 5]]),
        ("a.csv", "a;b\n1.5;2\n", TableFormat(decimal=","), None),
        ("a.csv", "a;b\n1,5;2\n", TableFormat(decimal="."), None),
        ("a.txt", "a b\n1,5 2\n", TableFormat(decimal=","), [[1.5, 2]]),
    ],
)
def test_the_keys_decide(name, text, form, rows, tmp_path):
    """And what they make no numbers of is refused by its line."""
    found = head(tmp_path, name, text, form)
    if rows is None:
        with pytest.raises(TableFault, match="is not a number"):
            list(csv_blocks(found, range(found.width)))
    else:
        assert np.concatenate(list(csv_blocks(found, range(found.width)))).tolist() == rows


def test_a_decimal_comma_below_the_first_rows_is_seen(tmp_path):
    """In a column that nobody reads, too: its points would mark thousands elsewhere."""
    text = "a;b\n" + "1.234;5\n" * 400 + "2.345;6,5\n"
    found = head(tmp_path, "a.csv", text)
    with pytest.raises(TableFault, match="line 402: '6,5' may be a number with a decimal comma"):
        list(csv_blocks(found, [0]))


@pytest.mark.parametrize(
    "keys", [{"separator": "x"}, {"separator": ""}, {"decimal": ";"}, {"missing": "fill"}, {"missing": None}]
)
def test_other_keys_are_refused(keys):
    with pytest.raises(ValueError, match=f"{next(iter(keys))} must be"):
        TableFormat(**keys)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 3)), min_size=2, max_size=2),
        min_size=1,
        max_size=8,
    ),
    separator=st.sampled_from([",", ";", "\t", "|", " "]),
    decimal=st.sampled_from([".", ","]),
)
def test_a_table_is_read_as_it_was_written_or_refused(rows, separator, decimal, tmp_path_factory):
    """Never as another one: whatever separates, and whatever marks decimals."""
    lines = ["a" + separator + "b"] + [
        separator.join(repr(v).replace(".", decimal) for v in row) for row in rows
    ]
    path = tmp_path_factory.mktemp("t") / "t.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        found = csv_head(path)
        read = np.concatenate(list(csv_blocks(found, range(found.width)))).tolist()
    except TableFault:
        assert decimal == "," or separator == " "
    else:
        assert read == rows
