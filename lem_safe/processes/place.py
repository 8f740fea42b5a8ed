"""Which process of a job this one is, as the launcher says in the environment: torchrun, or Slurm's srun.

Imports nothing that takes time, since every command asks.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lem_safe.errors import BadInput, Fault

FIRST_PORT, PORTS = 15000, 20000
"""Where a job of Slurm without MASTER_PORT meets: a port that follows from the job and its step."""


@dataclass(frozen=True)
class Place:
    """Process `rank` of `size`, the `local`-th of `beside` on its machine; all of them meet at `host`:`port`.
    launcher: what says so. agent: whether the launcher holds the meeting point, and not process 0. attempt:
    of a launcher that starts a job again.
    """

    rank: int
    size: int
    local: int
    host: str
    port: int
    launcher: str
    agent: bool = False
    attempt: str = "0"
    beside: int = 1


def place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """This process's place; None where it is the only one. BadInput where the environment contradicts
    itself.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        return _of_torchrun(environment)
    return _of_slurm(environment)


def _of_torchrun(environment: Mapping[str, str]) -> Place | None:
    rank, size = _number(environment, "RANK"), _number(environment, "WORLD_SIZE")
    if size <= 1:
        return None
    return _checked(
        Place(
            rank,
            size,
            _number(environment, "LOCAL_RANK") if "LOCAL_RANK" in environment else 0,
            _given(environment, "MASTER_ADDR"),
            _number(environment, "MASTER_PORT"),
            "torchrun",
            environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
            environment.get("TORCHELASTIC_RESTART_COUNT", "0"),
            _number(environment, "LOCAL_WORLD_SIZE") if "LOCAL_WORLD_SIZE" in environment else size,
        )
    )


def _of_slurm(environment: Mapping[str, str]) -> Place | None:
    """The place in a step of srun. The script of a job has some of these variables too, but no step."""
    if not all(f"SLURM_{name}" in environment for name in ("PROCID", "NTASKS", "LOCALID")):
        return None
    in_step = "SLURM_STEP_NUM_TASKS" in environment
    if environment.get("ENVIRONMENT") == "BATCH" and not in_step:
        return None
    size = _number(environment, "SLURM_STEP_NUM_TASKS" if in_step else "SLURM_NTASKS")
    if size <= 1:
        return None
    nodes = next(
        (environment[name] for name in ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST") if name in environment),
        "127.0.0.1",
    )
    host, job = environment.get("MASTER_ADDR") or first_host(nodes), environment.get("SLURM_JOB_ID", "0")
    step = environment.get("SLURM_STEP_ID", "0")
    port = FIRST_PORT + (_digits(job) + 101 * _digits(step)) % PORTS
    if "MASTER_PORT" in environment:
        port = _number(environment, "MASTER_PORT")
    rank, local = _number(environment, "SLURM_PROCID"), _number(environment, "SLURM_LOCALID")
    tasks = re.match(r"\d+", environment.get("SLURM_STEP_TASKS_PER_NODE", ""))
    beside = size if tasks is None else int(tasks[0])
    return _checked(Place(rank, size, local, host, port, "srun", beside=beside))


def first_host(nodes: str) -> str:
    """The first host of Slurm's list.

    >>> first_host("gpu[07-09,12],cpu1"), first_host("a1,a2"), first_host("r[3,5]n[1-4]-ib")
    ('gpu07', 'a1', 'r3n1-ib')
    """
    found = ""
    for part in re.finditer(r"\[([^\]]*)\]|([^\[,]+)|(,)", nodes):
        if part[3]:
            break
        found += re.split(r"[-,]", part[1])[0] if part[1] is not None else part[2]
    return found


def _checked(at: Place) -> Place:
    if not 0 <= at.rank < at.size:
        raise BadInput(
            Fault(f"process {at.rank} of {at.size} does not exist; start the job again with {at.launcher}")
        )
    return at


def _number(environment: Mapping[str, str], name: str) -> int:
    text = _given(environment, name)
    if not text.isascii() or not text.isdigit():
        raise BadInput(Fault(f"must be a number; got {text!r}; start the job with torchrun or srun", name))
    return int(text)


def _given(environment: Mapping[str, str], name: str) -> str:
    if name not in environment:
        raise BadInput(
            Fault(
                "is not set, where the environment says that there are several processes; start the job with "
                "torchrun or srun, or unset RANK and WORLD_SIZE",
                name,
            )
        )
    return environment[name]


def _digits(text: str) -> int:
    """A number made of any text."""
    return int("".join(c for c in text if c.isdigit()) or "0")
