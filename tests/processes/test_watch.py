"""A process without a sign of life ends the job, told once; one that has left does not."""

import os
import threading

import pytest
import torch.distributed as dist

from lem_safe.processes import watch
from lem_safe.processes.watch import Watch, end_job, missing


class Left(BaseException):
    """In the place of the end of a process."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seconds become hundredths; the statuses that processes end with."""
    ended: list[int] = []

    def leave(status: int) -> None:
        ended.append(status)
        raise Left

    for name, seconds in (("BEAT", 0.01), ("LOST", 0.2), ("GRACE", 0.05)):
        monkeypatch.setattr(watch, name, seconds)
    monkeypatch.setattr(watch.os, "_exit", leave)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    return ended


def test_one_that_is_silent_is_lost(quick: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    store = dist.HashStore()
    store.set("beat/1", "7")  # its last
    both = [Watch(store, 0, 3), Watch(store, 2, 3)]
    for one in both:
        one.begin()
    for one in both:
        one._thread.join(5)
    assert quick == [3, 3]
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and "process 1 of 3" in told[0] and "--resume" in told[0]


def test_one_that_has_left_is_not_missed(quick: list[int]) -> None:
    store = dist.HashStore()
    store.set("gone/1", "")
    own = Watch(store, 0, 2)
    own.begin()
    own._thread.join(0.6)
    assert own._thread.is_alive() and quick == []
    own.end()


def test_planted_fault_nobody_is_watched(quick: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOST", 1e9)
    own = Watch(dist.HashStore(), 0, 2)
    own.begin()
    own._thread.join(0.6)
    assert quick == [] and own._thread.is_alive()
    own.end()


def test_the_dead_of_this_machine_are_named() -> None:
    store = dist.HashStore()
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    here = watch.socket.gethostname()
    store.set("where/0", f"{os.getpid()} on {here}")
    store.set("where/1", f"{child} on {here}")
    store.set("where/2", f"{child} on elsewhere")
    assert missing(store, 3) == f"process 1 of 3 (process {child} on {here})"
    store.set("gone/1", "")
    assert missing(store, 3) == "another process of this job"


def test_an_end_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    store = dist.HashStore()
    for _ in range(3):
        end_job(store, "it is over")
    assert capsys.readouterr().err.count("it is over") == 1
    assert store.get("ended") == b"3"
