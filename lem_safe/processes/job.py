"""The processes of a job that torchrun or srun has started.

What process 0 says lies in the job's store, where the others wait for it: that it is alive is what the watch
asks. A failure of any process ends all of them, told once.
"""

import os
import pickle
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from barriers.arrays import torch
from lem_safe.errors import BadInput, Fault, JobEnded
from lem_safe.processes.group import Group
from lem_safe.processes.place import Place
from lem_safe.processes.torch_wire import TorchWire
from lem_safe.processes.watch import REMEDY, Watch, end_job, missing
from lem_safe.signals import deferred

START_VARIABLE, START = "LEM_SAFE_START_SECONDS", 45.0
"""How long the first process waits for the last one to come, unless the environment says otherwise."""
EXCHANGE = timedelta(minutes=30)
"""The longest exchange: processes are in step there, and one that is lost is noticed by the watch."""
LEAVE, MOMENT = 15.0, 3.0
"""Seconds that process 0 waits for the others at the end, and that a failed exchange waits for its reason."""


class Job(Group):
    """This process of a job; it meets the others when it is made. JobEnded where not all of them come."""

    def __init__(self, at: Place, device: str):
        self.rank, self.size, self._words = at.rank, at.size, 0
        start = _start()
        backend, self._index, self._staged = transport(device, at.local, torch.cuda.device_count())
        if "nccl" in backend:
            torch.cuda.set_device(self._index)
        try:
            self._base = _met(at, backend, start)  # of process 0 maybe the store
            self._store = _connected(at, start)
            self._watch = Watch(_connected(at, start), at.rank, at.size)
        except (RuntimeError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise JobEnded(
                f"process {at.rank} of {at.size} did not meet the others at {at.host}:{at.port} within "
                f"{start.total_seconds():.0f} s ({first}); check that all of them are started and reach that "
                f"address (MASTER_ADDR, MASTER_PORT); {START_VARIABLE} sets another number of seconds"
            ) from error
        self._wires: dict[int, TorchWire | None] = {at.size: self._wire(at.size, None)}
        self._watch.begin()

    def device(self, name: str) -> str:
        return f"cuda:{self._index}" if name == "cuda" else name

    def wire(self, size: int) -> TorchWire | None:
        if size not in self._wires:
            made = dist.new_group(list(range(size)), timeout=EXCHANGE)
            self._wires[size] = self._wire(size, made) if self.rank < size else None
        return self._wires[size]

    def tell(self, word: Any) -> None:
        self._store.set(f"word/{self._words}", b64encode(pickle.dumps(word)).decode())
        self._words += 1

    def hear(self) -> Any:
        key, pause = f"word/{self._words}", 0.001
        while not self._asked(lambda: self._store.check([key])):
            if self._asked(lambda: self._store.check(["ended"])):
                raise JobEnded(None, int(self._store.get("ended")))
            time.sleep(pause)
            pause = min(1.5 * pause, 0.3)
        self._words += 1
        return pickle.loads(b64decode(self._store.get(key)))

    def tells(self) -> bool:
        """Whether this process is to say why the job ends: the first that asks."""
        try:
            return bool(self._store.add("told", 1) == 1)
        except RuntimeError:
            return True

    def leave(self, status: int) -> None:
        """Ends this process's part in the job. Where it failed, the others end too. A signal changes nothing
        any more: a launcher may send one to all as soon as the first has ended.
        """
        with deferred():
            self._leave(status)

    def _leave(self, status: int) -> None:
        failed = status not in (0, 1)
        try:
            if failed:
                self._store.compare_set("ended", "", str(status))
            if self.leads:
                self.tell(("end", status))
                self._wait_for_others(MOMENT if failed else LEAVE)
            self._store.set(f"gone/{self.rank}", "")
            self._store.add("left", 1)
        except RuntimeError:  # whoever holds the store has left already
            failed = True
        self._watch.end()
        if not failed:
            dist.destroy_process_group()

    def _wire(self, size: int, group: dist.ProcessGroup | None) -> TorchWire:
        return TorchWire(self.rank, size, group, self._staged, self._lost)

    def _wait_for_others(self, seconds: float) -> None:
        """Process 0 may hold the store that the others read the end in."""
        until = time.monotonic() + seconds
        while self._store.add("left", 0) < self.size - 1 and time.monotonic() < until:
            time.sleep(0.01)

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except RuntimeError as error:
            raise self._lost(error) from error

    def _lost(self, _: RuntimeError) -> Exception:
        """Why an exchange has failed: another process has ended the job, or is lost."""
        until = time.monotonic() + MOMENT
        try:
            while time.monotonic() < until:
                if self._store.check(["ended"]):
                    return JobEnded(None, int(self._store.get("ended")))
                time.sleep(0.1)
            end_job(self._store, f"{missing(self._store, self.size)} is lost, and the connection to it")
            return JobEnded(None)
        except RuntimeError:
            return JobEnded(f"the job has lost the process that it meets at; {REMEDY}")


def transport(device: str, local: int, devices: int) -> tuple[str, int, bool]:
    """The backend of torch.distributed for the `local`-th process of a machine with so many devices, the
    device of this process, and whether numbers of a device go through main memory: where processes share a
    device, which NCCL does not connect.
    """
    if not device.startswith("cuda"):
        return "gloo", 0, False
    return ("cpu:gloo,cuda:nccl", local, False) if local < devices else ("gloo", 0, True)


def _start() -> timedelta:
    """How long to wait for the others; BadInput where the environment says no number of seconds."""
    text = os.environ.get(START_VARIABLE, str(START))
    try:
        seconds = float(text)
        if not 0 < seconds < 86_400:
            raise ValueError(text)
        return timedelta(seconds=seconds)
    except ValueError:
        message = f"must be a number of seconds, > 0 and less than a day; got {text!r}"
        raise BadInput(Fault(message, START_VARIABLE)) from None


def _met(at: Place, backend: str, start: timedelta) -> dist.Store:
    """The job's store, once all processes have come."""
    url = "env://" if at.agent else f"tcp://{at.host}:{at.port}"
    store, _, _ = next(dist.rendezvous(url, at.rank, at.size, timeout=start))
    store.set_timeout(start)
    dist.init_process_group(
        backend=backend,
        store=dist.PrefixStore(f"group/{at.attempt}", store),
        rank=at.rank,
        world_size=at.size,
        timeout=EXCHANGE,
    )
    return store


def _connected(at: Place, start: timedelta) -> dist.Store:
    """Another connection to the store: one of two that wait does not keep the other."""
    store = dist.TCPStore(at.host, at.port, is_master=False, wait_for_workers=False, timeout=start)
    return dist.PrefixStore(f"lem-safe/{at.attempt}", store)
