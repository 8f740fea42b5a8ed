"""Text files as lines: the lengths of lines, decompressed too, and files that are not regular."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from barriers.regular_files import UnreadableFile
from barriers.tables import TableFault, csv_blocks, csv_head, text_file
from barriers.tables.text_file import opened


def written(path: Path, text: str) -> Path:
    raw = text.encode("utf-8")
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_longer_line_is_refused_wherever_it_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_file, "LONGEST", 12)
    longest = written(tmp_path / name, "a,b\n1.5,2.5\n1.5,2.5000\r\n")
    assert np.concatenate(list(csv_blocks(csv_head(longest), [0, 1]))).tolist() == [[1.5, 2.5]] * 2
    for text, line in (("a,b\n" + "1.5,2.5\n" * 900 + "1.5,2.50000000\n", 902), ("x" * 13, 1)):
        path = written(tmp_path / name, text)
        with pytest.raises(TableFault, match=f"line {line}: must have lines of at most 12 characters"):
            list(csv_blocks(csv_head(path), [0, 1]))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_lines_keep_their_ends(name: str, tmp_path: Path) -> None:
    with opened(written(tmp_path / name, "\ufeffa\r1\n2\r\n3")) as lines:
        assert list(lines) == ["a\r", "1\n", "2\r\n", "3"]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_only_regular_files_are_opened(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UnreadableFile, match="is a pipe"):
        csv_head(tmp_path / name)
    with pytest.raises(UnreadableFile, match="no such file"), opened(tmp_path / "absent.csv"):
        pass
