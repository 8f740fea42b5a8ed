"""What stdout cannot take: characters its encoding lacks, and a place that is full, closed or left."""

import errno
import io
import json
import os

import pytest

from lem_safe.output import ERRORS, STAND_INS, Output


@pytest.mark.parametrize(
    ("text", "encoding", "printed"),
    [
        ("ρ ≤ 0.03 ± 1 … 𝒰", "ascii", "rho <= 0.03 +- 1 ... U"),
        ("é ≤ é", "latin-1", "é <= é"),
        ("日本 😀", "ascii", "\\u65e5\\u672c \\ud83d\\ude00"),
        ("a\udcffb", "utf-8", "a\\udcffb"),
        ("ρ ≤ é", "utf-8", "ρ ≤ é"),
    ],
)
def test_a_character_that_cannot_be_printed_has_a_stand_in(text: str, encoding: str, printed: str) -> None:
    assert text.encode(encoding, ERRORS).decode(encoding) == printed


def test_json_stays_json() -> None:
    value = {"set": "日本 😀 é"}
    assert json.loads(json.dumps(value, ensure_ascii=False).encode("ascii", ERRORS)) == value


def test_stand_ins_are_ascii_and_every_pair_was_read() -> None:
    assert len(STAND_INS) > 60 and all(len(k) == 1 and v.isascii() and v for k, v in STAND_INS.items())


def test_a_full_device_and_a_reader_that_left_are_kept_for_the_end() -> None:
    full = Output(io.FileIO("/dev/full", "w"), "utf-8")
    assert full.write("lost") == 4
    full.write("dropped")
    full.flush()
    assert full.failed is not None and full.failed.errno == errno.ENOSPC
    read, write = os.pipe()
    os.close(read)
    left = Output(io.FileIO(write, "w"), "utf-8")
    left.write("lost")
    assert isinstance(left.failed, BrokenPipeError)


def test_a_closed_stdout_is_at_fault_only_if_something_was_printed() -> None:
    closed = Output(io.FileIO("/dev/null", "w"), "utf-8", OSError(errno.EBADF, "it is closed"))
    closed.flush()
    assert closed.failed is None
    closed.write("x")
    assert closed.failed is not None and closed.failed.strerror == "it is closed"
