"""What the machine refuses ends in words: 2 for a place that was chosen, 3 for what there is too little
of.
"""

import errno
import os

import pytest

from barriers.regular_files import UnreadableFile
from lem_safe import signals
from lem_safe.commands.outcome import status_of


def raised(error: Exception) -> int:
    def body() -> int:
        raise error

    return status_of(body)


def system(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path) if path else OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (system(errno.EFBIG), 3, "File too large; what was complete before is intact"),
        (system(errno.EMFILE, "/x/y"), 3, "/x/y: Too many open files"),
        (system(errno.ENOSPC, "/x/y"), 3, "/x/y: no space left"),
        (system(errno.EBADF), 3, "Bad file descriptor"),
        (system(errno.EISDIR, "/x/y"), 2, "/x/y: Is a directory; choose another place"),
        (UnreadableFile("is a pipe", "/x/y"), 2, "/x/y: is a pipe; check the path"),
        (MemoryError(), 3, "out of memory: nothing more could be reserved; take fewer samples"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you"), 3, "out of memory: DefaultCPU"),
        (ImportError("libx.so: failed to map segment from shared object"), 3, "out of memory: libx.so"),
        (RuntimeError("can't start new thread"), 3, "out of memory: can't start new thread"),
        (RuntimeError("ours"), 4, "internal error: RuntimeError: ours"),
    ],
)
def test_failures_of_the_machine_are_told(
    error: Exception, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raised(error) == status
    err = capsys.readouterr().err
    assert err.startswith(words) and "Traceback" not in err


def test_what_a_library_makes_of_an_interruption_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signals, "_received", [15])
    assert raised(ValueError("Error building validator: Stopped: SIGTERM")) == 143
    assert capsys.readouterr().err.startswith("interrupted")


def test_a_log_that_cannot_be_written_is_no_second_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise system(errno.ENOSPC)

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    assert raised(RuntimeError("ours")) == 4
    assert "its log could not be written (No space left on device)" in capsys.readouterr().err
