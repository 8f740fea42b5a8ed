"""A sign of life of every process of a job, and its end in words where one is missing.

A thread of each process writes a number to the job's store every few seconds and looks at that of the next
process, so that any one that is killed, or whose machine is gone, is noticed by the one before it, however
long the others compute without asking it for anything. What has ended the job is written there too, once, and
told by whoever found it.
"""

import os
import socket
import sys
import threading
import time
from pathlib import Path

import torch.distributed as dist

BEAT, LOST = 2.0, 20.0
"""Seconds between two signs of life, and after which a process without one is lost."""
GRACE = 8.0
"""Seconds that a process has to end by itself once the job has."""
REMEDY = (
    "what was complete before is intact; the same command with --resume goes on, on any number of processes"
)


class Watch:
    """The watch of process `rank` of `size`. store: a connection of its own."""

    def __init__(self, store: dist.Store, rank: int, size: int):
        self._store, self.rank, self.size = store, rank, size
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="lem-safe-watch", daemon=True)

    def begin(self) -> None:
        self._store.set(f"where/{self.rank}", f"{os.getpid()} on {socket.gethostname()}")
        self._thread.start()

    def end(self) -> None:
        """Nothing is watched any more; this process is not missed."""
        self._over.set()
        self._thread.join(BEAT)

    def _look(self) -> None:
        try:
            self._beat()
        except RuntimeError as error:  # whoever holds the store is gone
            if not self._over.is_set():
                first = str(error).splitlines()[0]
                _leave(f"the job has lost the process that it meets at ({first}); {REMEDY}", 3, self._over)

    def _beat(self) -> None:
        store, number, next_ = self._store, 0, (self.rank + 1) % self.size
        seen, since = b"", time.monotonic()
        while not self._over.wait(BEAT):
            number += 1
            store.set(f"beat/{self.rank}", str(number))
            if store.check(["ended"]):
                _leave(None, int(store.get("ended")), self._over)
            if store.check([f"gone/{next_}"]):
                next_, seen, since = (next_ + 1) % self.size, b"", time.monotonic()
                continue
            now = store.get(f"beat/{next_}") if store.check([f"beat/{next_}"]) else b""
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > LOST and next_ != self.rank:
                end_job(store, f"{named(store, next_, self.size)} is lost: no sign of life for {LOST:.0f} s")


def named(store: dist.Store, rank: int, size: int) -> str:
    """A process in words."""
    where = f"where/{rank}"
    at = f" (process {store.get(where).decode()})" if store.check([where]) else ""
    return f"process {rank} of {size}{at}"


def missing(store: dist.Store, size: int) -> str:
    """The processes of this machine that are gone without a word, in words; another one where there are
    none.
    """
    host, found = socket.gethostname(), list[str]()
    for rank in range(size):
        if store.check([f"where/{rank}"]) and not store.check([f"gone/{rank}"]):
            pid, _, at = store.get(f"where/{rank}").decode().partition(" on ")
            found += [named(store, rank, size)] if at == host and not _lives(int(pid)) else []
    return " and ".join(found) or "another process of this job"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return state[:1] != ["Z"]


def end_job(store: dist.Store, why: str, status: int = 3) -> None:
    """Says that the job has ended, and tells why, unless another process has."""
    tells = store.add("told", 1) == 1
    store.compare_set("ended", "", str(status))
    if tells:
        print(f"{why}; {REMEDY}", file=sys.stderr, flush=True)


def _leave(why: str | None, status: int, over: threading.Event) -> None:
    """Ends this process, unless it ends by itself."""
    if why is not None:
        print(why, file=sys.stderr, flush=True)
    if not over.wait(GRACE):
        os._exit(status)
