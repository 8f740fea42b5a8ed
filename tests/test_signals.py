"""SIGINT, SIGTERM and SIGHUP end in words, wherever they fall."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lem_safe import signals


@pytest.fixture
def answered() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*signals.ENDING, signal.SIGALRM)}
    hook = sys.unraisablehook
    signals.answer()
    yield
    signals._received.clear()
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_each_signal_is_an_interruption_with_its_own_status(number: str, status: int, answered: None) -> None:
    with pytest.raises(KeyboardInterrupt, match=number):
        os.kill(os.getpid(), getattr(signal, number))
    assert signals.received() and signals.status_after() == status


def test_one_that_falls_into_a_destructor_is_raised_a_moment_later(answered: None) -> None:
    class Last:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(signals.Stopped):
        last = Last()
        del last
        signal.sigtimedwait([], 5)
        sum(range(10**8))


def test_one_that_is_ignored_stays_so(answered: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals.answer()
    os.kill(os.getpid(), signal.SIGHUP)
    assert not signals.received()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_in_the_middle_of_an_import_the_process_ends_at_once(
    number: int, status: int, tmp_path: Path
) -> None:
    (tmp_path / "swallows.py").write_text(
        f"import os\ntry:\n    os.kill(os.getpid(), {number})\nexcept BaseException:\n    pass\n"
    )
    text = "import sys; from lem_safe import signals; signals.answer(); sys.path.insert(0, sys.argv[1])\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{text}import swallows\nprint('ran on')", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "interrupted\n")
