"""A command in several processes, as torchrun or srun start them: process 0 leads, the others serve it."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from lem_safe.commands.outcome import status_of
from lem_safe.errors import BadInput, Fault
from lem_safe.processes import place

if TYPE_CHECKING:
    from lem_safe.processes.group import Group

TOGETHER = ("run", "train")
"""The commands that several processes do together."""


def in_job(device: str, lead: "Callable[[Group], int]") -> int:
    """The exit status of a command that process 0 of a job runs; in the only process there is, of the command
    itself.
    """
    at = place()
    if at is None:
        from lem_safe.processes.group import ALONE

        return lead(ALONE)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else a lost process is a page of addresses
    from lem_safe.processes.job import Job
    from lem_safe.runs.serving import serve

    job = Job(at, device)
    status = status_of(lambda: lead(job) if job.leads else serve(job), job.tells)
    job.leave(status)
    return status


def status_in_job(name: str, body: Callable[[], int | None]) -> int:
    """The exit status of a command, which is refused where several processes were started for it and it is
    not among TOGETHER.
    """

    def allowed() -> int | None:
        if name not in TOGETHER and (at := place()) is not None:
            raise BadInput(
                Fault(
                    f"is done by one process, and {at.launcher} has started {at.size}; start it alone "
                    f"(several processes do {' and '.join(TOGETHER)})",
                    file=f"lem-safe {name}",
                )
            )
        return body()

    return status_of(allowed, first)


def first() -> bool:
    """Whether this is process 0 of a job, or the only one; from the environment alone."""
    return os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")) in ("0", "")


@contextmanager
def said_once() -> Iterator[None]:
    """Meanwhile, until a command begins (`speak`), only process 0 of a job writes on stderr: what is wrong
    with a command line is the same for all.
    """
    _own.append(sys.stderr)
    if not first():
        sys.stderr = io.StringIO()
    try:
        yield
    finally:
        sys.stderr = _own.pop()


def speak() -> None:
    """A command begins: what it says is its own."""
    if _own:
        sys.stderr = _own[-1]


_own: list[TextIO | None] = []
