"""One torch thread a test process, shapes checked in every call of the two packages, and one cache of trained
energies a run of the suite.
"""

import gc
import os
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest
import shape_checker
from xdist.scheduler import LoadScopeScheduling

shape_checker.install()
gc.disable()  # until all is imported and collected: nothing of that is garbage

CACHE = "LEM_SAFE_CACHE"
SIMULATION, OTHER = "mark.simulation", "pytestmark = pytest.mark.simulation"


def pytest_configure(config: pytest.Config) -> None:
    """Trained energies are kept for this run of the suite, by the process that was begun or what began it.

    What is kept is named by the fingerprint of everything it was trained from and written whole, so that
    processes may share it. A test of the cache itself sets the variable to a directory of its own.
    """
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        import torch  # not in the process that only hands out tests

        torch.set_num_threads(1)
    if CACHE not in os.environ:
        directory = tempfile.TemporaryDirectory(prefix="lem-safe-trained-")
        os.environ[CACHE] = directory.name
        config.add_cleanup(directory.cleanup)
        config.add_cleanup(lambda: os.environ.pop(CACHE, None))


def pytest_collection_finish() -> None:
    """What is imported lives as long as the process; the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file without a test of the chosen part is not even imported: importing all takes longer than most."""
    chosen = config.option.markexpr.removesuffix(" and not long")
    if collection_path.suffix != ".py" or chosen not in ("simulation", "not simulation"):
        return None
    text = collection_path.read_text()
    unneeded = SIMULATION not in text if chosen == "simulation" else OTHER in text
    return True if unneeded else None


class Scheduling(LoadScopeScheduling):
    """Tests one by one to whichever worker is free; the tests of a file that shares a fixture among them stay
    on one worker, so that the fixture is made once.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return file if _shares(file) else nodeid


@lru_cache
def _shares(file: str) -> bool:
    return 'scope="module"' in Path(file).read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """Used in the place of every `--dist`."""
    return Scheduling(config, log)  # type: ignore[arg-type]
