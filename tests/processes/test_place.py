"""Which process this is, as torchrun or srun say it."""

from typing import Any

import pytest

from lem_safe.errors import BadInput
from lem_safe.processes.job import transport
from lem_safe.processes.place import Place, place

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
    "TORCHELASTIC_RESTART_COUNT": "2",
}
SRUN = {
    "SLURM_PROCID": "5",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_STEP_NODELIST": "gpu[07-09]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3)",
    "SLURM_JOB_ID": "1234567",
    "SLURM_STEP_ID": "1",
}


def without(environment: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def test_torchrun() -> None:
    assert place(TORCHRUN) == Place(3, 4, 1, "10.0.0.1", 29500, "torchrun", True, "2", 2)
    assert place({**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"}) is None
    assert place({}) is None


def test_a_step_of_srun() -> None:
    port = 15000 + (1234567 + 101) % 20000
    assert place(SRUN) == Place(5, 6, 1, "gpu07", port, "srun", beside=2)
    assert place({**SRUN, "MASTER_ADDR": "h", "MASTER_PORT": "7"}) == Place(5, 6, 1, "h", 7, "srun", beside=2)
    three = {name: SRUN[name] for name in ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")}
    assert place(three) == Place(5, 8, 1, "127.0.0.1", 15000, "srun", beside=8)


def test_the_script_of_a_job_is_no_step() -> None:
    """It has the variables of task 0 of as many as the job has."""
    script = without(SRUN, "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST") | {"ENVIRONMENT": "BATCH"}
    assert place(script) is None
    assert place({**SRUN, "ENVIRONMENT": "BATCH"}) is not None  # which its steps inherit
    assert place(without(SRUN, "SLURM_PROCID")) is None


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (without(TORCHRUN, "MASTER_ADDR"), "MASTER_ADDR: is not set"),
        ({**TORCHRUN, "RANK": "4"}, "process 4 of 4"),
        ({**TORCHRUN, "RANK": "two"}, "RANK: must be a number; got 'two'"),
        ({**SRUN, "SLURM_PROCID": "-1"}, "SLURM_PROCID: must be a number"),
    ],
)
def test_what_contradicts_itself_is_refused(environment: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        place(environment)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("cpu", 1, 0), ("gloo", 0, False)),
        (("cuda", 1, 2), ("cpu:gloo,cuda:nccl", 1, False)),
        (("cuda", 1, 1), ("gloo", 0, True)),
    ],
)
def test_nccl_connects_processes_that_have_a_device_each(asked: Any, found: Any) -> None:
    assert transport(*asked) == found
