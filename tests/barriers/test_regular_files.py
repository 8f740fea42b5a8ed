"""What is opened is a regular file: everything else is refused before it is opened, in words."""

import os
import socket
from pathlib import Path

import pytest

from barriers.regular_files import UnreadableFile, must_be_regular, refusal


def made(folder: Path, kind: str) -> Path:
    path = folder / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.chdir(folder)
        socket.socket(socket.AF_UNIX).bind("x")
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to("x")
    elif kind == "below":
        path.write_text("")
        return path / "y"
    elif kind.startswith("to "):
        path.symlink_to(kind.removeprefix("to "))
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pipe", "is a pipe; only regular files are read; save what it gives as a file first"),
        ("socket", "is a socket"),
        ("directory", "is a directory"),
        ("loop", "is a link that leads back to itself"),
        ("below", "no such file: a part of its path is a file"),
        ("to /dev/zero", "is a device"),
        ("to nowhere", "is a link to nowhere, where there is no file"),
        ("absent", "no such file"),
    ],
)
def test_what_is_no_regular_file_is_refused_and_never_waited_for(
    kind: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = made(tmp_path, kind)
    assert (refusal(path) or "").startswith(words)
    with pytest.raises(UnreadableFile, match="^" + words[:12]):
        must_be_regular(path)


def test_size_is_looked_at_before_anything_is_read(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)
    assert refusal(tmp_path / "x") is None
    assert "has 1,099,511,627,776 bytes, more than the 1,000 " in (refusal(tmp_path / "x", 1000) or "")
    must_be_regular(tmp_path / "x", 1 << 40)


def test_names_that_no_file_has() -> None:
    assert "NUL" in (refusal("a\0b") or "")
    assert "too long" in (refusal("x" * 5000) or "")
