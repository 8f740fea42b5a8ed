"""A command in several processes, as torchrun or srun start them: process 0 leads, the others serve it."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from lem_safe.commands.outcome import status_of
from lem_safe.processes import place

if TYPE_CHECKING:
    from lem_safe.processes.group import Group


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
