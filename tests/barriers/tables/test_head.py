"""Names and comments: a line that begins with # is a comment, names, or may be a row and is refused."""

from pathlib import Path

import numpy as np
import pytest

from barriers.tables import TableFault, TableFormat, csv_blocks, csv_head


def read(folder: Path, text: str, header: bool | None = None, size: int = 65536):
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8", newline="")
    head = csv_head(path, TableFormat(header=header)).settled()
    return head.names, np.concatenate(list(csv_blocks(head, range(head.width), size))).tolist()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("# by a script\n# a,b\n1.5,2\n3,4\n", (" a", "b")),
        ("# by a script\na,b\n1.5,2\n# and a note\n3,4\n# the end\n", ("a", "b")),
        ("# one\n\n# two\n1.5,2\n\n3,4\n", None),
        ("# a, b, c\n1.5,2\n3,4\n", None),
        ("a,b\n1.5,2\n3,4\n\n\n", ("a", "b")),
        ("# 99,5\na,b\n1.5,2\n3,4\n", ("a", "b")),
        ("# it's \"odd\na,b\n1.5,2\n3,4\n", ("a", "b")),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 65536])
def test_comments_are_no_rows(text, names, size, tmp_path):
    found, rows = read(tmp_path, text, size=size)
    assert (found and tuple(name.strip() for name in found)) == (names and tuple(n.strip() for n in names))
    assert rows == [[1.5, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "header", "words"),
    [
        ("a,b\n1.5,2\n#3,4\n", None, "line 3: begins with # and has 2 cells"),
        ("#99,5\n1.5,2\n3,4\n", None, "line 1: begins with # and has 2 cells"),
        ("#99,5\n1.5,2\n3,4\n", False, "line 1: begins with #"),
        ("#id,x\n0,1\n3,4\n", True, "line 1: begins with # and may hold the names"),
        ("#id,x\n0,1\n3,4\n", None, "may be column names or a row"),
        ("a\tb\n\t#\n1\t2\n", None, "line 2: column 'a': the cell is empty"),
        ("a|b\n1|2\n# |7\n", None, "line 3: begins with # and has 2 cells"),
        ("#N/A,5\n1,2\n", None, "may be column names or a row"),
        ("a,b\n#N/A,5\n1,2\n", None, "line 2: column 'a': '#N/A' is not a number"),
        ("a\n1\n# note\n2\n", None, "line 3: begins with # and has 1 cell"),
    ],
)
def test_a_comment_that_may_be_a_row_is_refused(text, header, words, tmp_path):
    with pytest.raises(TableFault) as caught:
        read(tmp_path, text, header)
    assert words in str(caught.value)


def test_a_mark_that_is_a_cell_may_be_a_row(tmp_path):
    """Spaces part the # from what follows: two cells, like the rows."""
    path = tmp_path / "t.txt"
    path.write_text("kind x\nb 5\n# 7\n", encoding="utf-8")
    with pytest.raises(TableFault, match="line 3: begins with # and has 2 cells"):
        list(csv_blocks(csv_head(path), [1]))


def test_a_first_cell_in_quotes_is_none(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('id,x\n"#1",5\n"#2",6\n', encoding="utf-8")
    head = csv_head(path)
    assert list(csv_blocks(head, [1]))[0].tolist() == [[5], [6]]


@pytest.mark.parametrize("size", [1, 2, 3, 65536])
def test_a_stray_quote_and_a_broken_cell_part_no_block(size, tmp_path):
    """5" is text, and a cell over several lines one cell, wherever a block ends."""
    text = "x,pipe\n" + '1,5" pipe\n2,"two\nlines"\n3,"a,b"\n\n4,x\n' * 3
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    head = csv_head(path)
    assert np.concatenate(list(csv_blocks(head, [0], size))).ravel().tolist() == [1, 2, 3, 4] * 3


def test_a_gap_at_the_end_of_a_block_of_one_column_is_seen(tmp_path):
    text = 'a\n1\n\n"2"\n'
    for size in (1, 2, 3, 65536):
        with pytest.raises(TableFault, match="line 3: the line is empty"):
            read(tmp_path, text, size=size)
