"""The processes of a job: process 0 leads, tells the others what comes next, and alone prints and writes.

The others wait for its words in the job's store, for as long as it likes: that it is alive is what the watch
asks. A failure of any process ends all of them, told once.
"""

import os
import pickle
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from lem_safe.errors import JobEnded
from lem_safe.processes.place import Place
from lem_safe.processes.torch_wire import TorchWire
from lem_safe.processes.watch import REMEDY, Watch, connection, end_job

START = timedelta(seconds=float(os.environ.get("LEM_SAFE_START_SECONDS", 55)))
"""How long the first process waits for the last one to come."""
EXCHANGE = timedelta(minutes=30)
"""The longest exchange: processes are in step there, and what is lost is noticed by the watch."""
LEAVE, MOMENT = 15.0, 5.0
"""Seconds that process 0 waits for the others at the end, and that a failed exchange waits for its reason."""


class Group:
    """Process `rank` of `size`. wire: of all of them. ALONE: the only one, which asks nobody."""

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size, self.device_index = rank, size, 0
        self._words, self._wires = 0, dict[int, TorchWire | None]()

    @property
    def leads(self) -> bool:
        return self.rank == 0

    @classmethod
    def join(cls, at: Place, device: str) -> "Group":
        """Meets the others; JobEnded where not all of them come."""
        group, cuda = cls(at.rank, at.size), device.startswith("cuda")
        own = cuda and torch.cuda.device_count() > at.local
        url = "env://" if at.agent else f"tcp://{at.host}:{at.port}"
        try:
            store, _, _ = next(dist.rendezvous(url, at.rank, at.size, timeout=START))
            store.set_timeout(START)
            dist.init_process_group(
                backend="cpu:gloo,cuda:nccl" if own else "gloo",
                store=dist.PrefixStore(f"group/{at.attempt}", store),
                rank=at.rank,
                world_size=at.size,
                timeout=EXCHANGE,
            )
            connected = connection(at.host, at.port, at.attempt, START)
            group._store, group._staged = connected(), cuda and not own
            group._watch = Watch(connected(), at.rank, at.size)
        except (RuntimeError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise JobEnded(
                f"process {at.rank} of {at.size} did not meet the others at {at.host}:{at.port} within "
                f"{START.total_seconds():.0f} s ({first}); check that all of them are started and reach that "
                "address (MASTER_ADDR, MASTER_PORT)"
            ) from error
        group.device_index = at.local if own else 0
        group._wires[at.size] = TorchWire(at.rank, at.size, None, group._staged, group._lost)
        group._watch.begin()
        return group

    def device(self, name: str) -> str:
        """The device of this process, where the job was given one by its kind alone."""
        return f"cuda:{self.device_index}" if name == "cuda" and self.size > 1 else name

    def wire(self, size: int | None = None) -> TorchWire | None:
        """The wire of the first processes, as many as that; None in one that is not among them. All
        processes ask for the same one at the same time.
        """
        size = self.size if size is None else size
        if size not in self._wires:
            made = dist.new_group(list(range(size)), timeout=EXCHANGE)
            among = self.rank < size
            self._wires[size] = TorchWire(self.rank, size, made, self._staged, self._lost) if among else None
        return self._wires[size]

    def tell(self, word: Any) -> None:
        """Says something to all others, who `hear` it."""
        self._store.set(f"word/{self._words}", pickle.dumps(word))
        self._words += 1

    def hear(self) -> Any:
        """What process 0 says next; JobEnded where the job has ended instead."""
        key, pause = f"word/{self._words}", 0.001
        while not self._asked(lambda: self._store.check([key])):
            self._raise_end()
            time.sleep(pause)
            pause = min(1.5 * pause, 0.1)
        self._words += 1
        return pickle.loads(self._store.get(key))

    def tells(self) -> bool:
        """Whether this process is to say why the job ends: the first that asks."""
        if self.size == 1:
            return True
        try:
            return bool(self._store.add("told", 1) == 1)
        except RuntimeError:
            return True

    def leave(self, status: int) -> None:
        """Ends this process's part in the job. Where it failed, the others end too."""
        failed = status not in (0, 1)
        try:
            if failed:
                self._store.compare_set("ended", "", str(status))
            if self.leads:
                self.tell(("end", status))
                self._wait_for_others()
            self._store.set(f"gone/{self.rank}", "")
            self._store.add("left", 1)
        except RuntimeError:  # whoever holds the store has left already
            failed = True
        self._watch.end()
        if not failed:
            dist.destroy_process_group()

    def _wait_for_others(self) -> None:
        """Process 0 may hold the store that the others read the end in."""
        until = time.monotonic() + LEAVE
        while self._store.add("left", 0) < self.size - 1 and time.monotonic() < until:
            time.sleep(0.01)

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except RuntimeError as error:
            raise self._lost(error) from error

    def _raise_end(self) -> None:
        if self._asked(lambda: self._store.check(["ended"])):
            raise JobEnded(None, int(self._store.get("ended")))

    def _lost(self, error: RuntimeError) -> Exception:
        """Why an exchange has failed: another process has ended the job, or is lost."""
        until = time.monotonic() + MOMENT
        try:
            while time.monotonic() < until:
                if self._store.check(["ended"]):
                    return JobEnded(None, int(self._store.get("ended")))
                time.sleep(0.1)
            first = str(error).splitlines()[0]
            end_job(self._store, f"the connection to another process of this job is lost ({first})")
            return JobEnded(None)
        except RuntimeError:
            return JobEnded(f"the job has lost the process that it meets at; {REMEDY}")


ALONE = Group()
