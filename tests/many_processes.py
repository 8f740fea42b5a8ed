"""Jobs of several processes, forked from the one that tests: nothing is imported anew."""

import multiprocessing
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lem_safe import signals
from lem_safe.cli import main
from lem_safe.commands.outcome import status_of
from lem_safe.processes.group import ALONE, Group
from lem_safe.processes.job import Job
from lem_safe.processes.place import Place
from lem_safe.runs.runner import run
from lem_safe.runs.serving import serve

SECONDS = 60
"""After which a job is stuck."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def in_processes(size: int, body: Callable[[Job], int], device: str = "cpu") -> list[int]:
    """The exit status of each of `size` processes that are one job; what they print goes where this does."""
    port, context = free_port(), multiprocessing.get_context("fork")
    begun = [context.Process(target=_process, args=(r, size, port, body, device)) for r in range(size)]
    return _statuses(begun)


def _statuses(begun: list[Any]) -> list[int]:
    for process in begun:
        process.start()
    for process in begun:
        process.join(SECONDS)
    stuck = [process for process in begun if process.is_alive()]
    for process in stuck:
        process.kill()
        process.join()
    assert not stuck, f"{len(stuck)} of {len(begun)} processes did not end"
    return [int(process.exitcode or 0) for process in begun]


def commands_in(size: int, *arguments: str, launcher: str = "srun") -> list[int]:
    """A command line in so many processes, as srun or torchrun would begin them."""
    port, context = free_port(), multiprocessing.get_context("fork")
    begun = [context.Process(target=_command, args=(r, size, port, arguments, launcher)) for r in range(size)]
    return _statuses(begun)


def run_in(size: int, scenario: Any, out: Path, **options: Any) -> list[int]:
    """A run in so many processes: the exit status of each. One is the process of the test itself."""

    def lead(group: Group) -> int:
        return run(scenario, out=out, with_report=False, group=group, **options).exit_status

    if size == 1:
        return [lead(ALONE)]
    return in_processes(size, lambda job: lead(job) if job.leads else serve(job))


def _process(rank: int, size: int, port: int, body: Callable[[Job], int], device: str) -> None:
    status = 70
    try:
        torch.set_num_threads(1)
        signals.answer()
        job = Job(Place(rank, size, rank, "127.0.0.1", port, "a test"), device)
        status = status_of(lambda: body(job), job.tells)
        job.leave(status)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _command(rank: int, size: int, port: int, arguments: tuple[str, ...], launcher: str) -> None:
    status = 70
    names = ("SLURM_PROCID", "SLURM_NTASKS") if launcher == "srun" else ("RANK", "WORLD_SIZE")
    os.environ.update({names[0]: str(rank), names[1]: str(size), "SLURM_LOCALID": str(rank)})
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
    try:
        torch.set_num_threads(1)
        signals.answer()
        status = main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
