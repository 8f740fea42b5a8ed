"""A directory that one process writes into: its lock, whatever it is made of."""

import fcntl
import os
from pathlib import Path

import pytest

from lem_safe.errors import BadInput
from lem_safe.run_directory import LOCK, RunDirectory, must_be_fresh, only_writer


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    with only_writer(tmp_path / "o"):
        (tmp_path / "o" / "half.json").write_text("{}")
        with pytest.raises(BadInput, match="is not empty"), only_writer(tmp_path / "o"):
            pass
        with (
            pytest.raises(BadInput, match=f"process {os.getpid()} is writing here"),
            only_writer(tmp_path / "o", resume=True),
        ):
            pass
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["half.json"]


def test_what_is_left_behind_empty_is_removed_if_it_was_made_here(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    for name in ("theirs", "ours/below"):
        with pytest.raises(ZeroDivisionError), only_writer(tmp_path / name):
            raise ZeroDivisionError
    assert [p.name for p in tmp_path.iterdir()] == ["theirs"]


@pytest.mark.parametrize("text", [b"", bytes(range(256)), b"999999999", b"\xff" * 10_000])
def test_a_lock_of_garbage_is_taken_over_or_respected(text: bytes, tmp_path: Path) -> None:
    (tmp_path / LOCK).write_bytes(text)
    with RunDirectory(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())
    (tmp_path / LOCK).write_bytes(text)
    with (tmp_path / LOCK).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="is writing here; wait for it"), RunDirectory(tmp_path):
            pass


def test_a_lock_that_is_no_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("kept")
    for make in (os.mkdir, os.mkfifo, lambda path: path.symlink_to(kept), lambda path: path.symlink_to("no")):
        out = tmp_path / "o"
        out.mkdir()
        make(out / LOCK)
        with pytest.raises(BadInput, match="no regular file; remove it"), RunDirectory(out):
            pass
        assert os.path.lexists(out / LOCK) and kept.read_text() == "kept"
        (out / LOCK).rmdir() if (out / LOCK).is_dir() else (out / LOCK).unlink()
        out.rmdir()


def test_the_lock_of_a_process_that_was_killed_does_not_fill_a_directory(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("999999999")
    must_be_fresh(tmp_path)
    with only_writer(tmp_path):
        (tmp_path / "x.json").write_text("{}")
    with pytest.raises(BadInput, match="is not empty"):
        must_be_fresh(tmp_path)
