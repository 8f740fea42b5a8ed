"""Memory that is freed is kept by a process of our own, up to a limit."""

import ctypes
import subprocess
import sys

import pytest

from lem_safe import memory

PAGES = """
import resource
import numpy as np
{before}
def loop():
    for _ in range(20):
        held = [np.ones(2**17) for _ in range(30)]
        del held
loop()
began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
loop()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - began)
"""
"""How often the system has to clear a page while 30 MiB are allocated and freed, twenty times."""


def pages(before: str = "") -> int:
    work = PAGES.format(before=before)
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True)
    return int(done.stdout)


def here() -> bool:
    return hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


@pytest.mark.skipif(not here(), reason="another C library")
def test_what_is_freed_is_used_again() -> None:
    assert pages("from lem_safe import memory; assert memory.keep()") < 100 < pages()


@pytest.mark.skipif(not here(), reason="another C library")
def test_no_more_than_the_limit_is_kept() -> None:
    held = "from lem_safe import memory; memory.KEPT = 2**20; memory.keep()"
    assert pages(held) > 1000


def test_another_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        """A C library without glibc's functions."""

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Other())
    assert not memory.keep()


def test_a_command_keeps_it_and_an_import_does_not() -> None:
    """In a program of someone else's nothing is set."""
    command = "import sys; from lem_safe.__main__ import main; sys.stdout = open('/dev/null', 'w'); "
    command += "main(['list']); sys.stdout = sys.__stdout__"
    if here():
        assert pages(command) < 100 < pages("import lem_safe, lem_safe.__main__")
