"""Runs killed at random moments (SIGKILL) and resumed: do they end in the same bytes as one that nobody
interrupted?

    python -m benchmarks kills              # 30 kills, into results.json
    python -m benchmarks.kills [--kills N]  # to the terminal

Each kill has a directory of its own and comes at a moment drawn uniformly from the time an uninterrupted run
takes: before the first file, between two steps, in the middle of a file being written. One that comes too
late, as run.json is there already, is no kill of a run: it is counted apart, and another is drawn, until all
have hit an unfinished one. Then each is resumed once, to its end, and samples.npz, trace.npz, reference.npz
and audit.json are compared byte by byte. The report is left out: it is made from the files alone.
"""

import argparse
import json
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from lem_safe.registry import loads
from lem_safe.runs import runner
from lem_safe.scenario import Scenario

KILLS = 30
FILES = ("samples.npz", "trace.npz", "reference.npz", "audit.json")
CHECKPOINT_SECONDS = 0.05

SCENARIO = """\
version: 1
name: killed
energy: {kind: gaussian_mixture, means: [[1, 0], [-1, 0], [0, 1]], std: 0.5}
unsafe:
  disc: {kind: ball, center: [1, 0], radius: 0.6}
  right: {kind: half_space, normal: [1, 0], offset: 0.8}
constraints: [{set: disc, beta: 0.1}, {set: right, beta: 0.1}]
"""

CASES = {
    "one cloud, langevin": """\
sampler: {kind: langevin, samples: 300, steps: 800, step_size: 0.01,
  init: {kind: gaussian, mean: [-1, 0], std: 0.3}}
filter: {kind: gate}
""",
    "six clouds, mala with a warm-up": """\
sampler: {kind: mala, samples: 50, steps: 100, step_size: 0.05, adapt: {steps: 40},
  init: {kind: gaussian, mean: [-1, 0], std: 0.3}}
filter: {kind: gate}
audit: {replicas: 6}
""",
}
"""What is run: each kind of state that a checkpoint holds."""


def begin(scenario: Scenario, folder: Path) -> int:
    """Starts, or goes on with, a run in a process of its own, whose id is returned; torch's graph must not
    have been used before.
    """
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.chdir(folder)
        torch.set_num_threads(1)
        vars(runner)["render"] = lambda directory: directory / "report.html"
        runner.run(scenario, out="run", resume=True, checkpoint_seconds=CHECKPOINT_SECONDS)
        status = 0
    finally:
        os._exit(status)


def seconds_of(scenario: Scenario, folder: Path) -> float:
    """How long a run takes that nobody interrupts."""
    folder.mkdir()
    began = time.perf_counter()
    _, status = os.waitpid(begin(scenario, folder), 0)
    if status:
        raise RuntimeError(f"{scenario.name}: the uninterrupted run ended with status {status}")
    return time.perf_counter() - began


def killed_and_resumed(
    scenario: Scenario, whole: Path, folder: Path, after: float
) -> dict[str, object] | None:
    """One kill: where it fell, what it was resumed from, and whether the bytes are the same in the end; None
    where it came too late.
    """
    folder.mkdir()
    child = begin(scenario, folder)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    left = {path.name for path in (folder / "run").glob("*")} if (folder / "run").exists() else set()
    if not os.WIFSIGNALED(status) or "run.json" in left:
        return None
    _, resumed = os.waitpid(begin(scenario, folder), 0)
    same = resumed == 0 and all(
        (folder / "run" / name).read_bytes() == (whole / "run" / name).read_bytes() for name in FILES
    )
    facts = json.loads((folder / "run" / "run.json").read_text()) if resumed == 0 else {}
    return {"fell": _where(left), "resumed_from_step": facts.get("resumed_from_step"), "identical": same}


def kills(scenario: Scenario, count: int, rng: np.random.Generator) -> tuple[list[dict[str, object]], int]:
    """So many kills of an unfinished run, and how many came too late to be one."""
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder, late = Path(temporary), 0
        length = seconds_of(scenario, folder / "whole")
        while len(found) < count:
            if late > 10 * count:
                raise RuntimeError(
                    f"{scenario.name}: {late} kills came after the end of a run of {length:.2f} s; make it "
                    "longer"
                )
            place = folder / str(len(found) + late)
            one = killed_and_resumed(
                scenario, folder / "whole", place, float(rng.uniform(0.02, 0.9)) * length
            )
            if one is None:
                late, length = late + 1, 0.9 * length  # the machine is faster than it was
            else:
                found.append(one)
    return found, late


def summary(case: str, found: list[dict[str, object]], late: int = 0) -> dict[str, object]:
    """A row of the results; all its kills hit an unfinished run."""
    steps = [int(str(f["resumed_from_step"])) for f in found if f["resumed_from_step"] is not None]
    return {
        "case": case,
        "kills": len(found),
        "came_too_late": late,
        "identical": sum(bool(f["identical"]) for f in found),
        "resumed_in_the_middle_of_a_chain": sum(step > 0 for step in steps),
        "fell": dict(sorted(Counter(str(f["fell"]) for f in found).items())),
    }


def measure(count: int = KILLS) -> list[dict[str, object]]:
    """For `python -m benchmarks`: the kills shared among the cases."""
    rng = np.random.default_rng(0)
    return [
        summary(case, *kills(loads(SCENARIO + text), count // len(CASES), rng))
        for case, text in CASES.items()
    ]


def _where(left: set[str]) -> str:
    """In which part of a run the kill fell, by the files it left."""
    if "samples.npz" in left:
        return "after the chains"
    if "reference.npz" in left:
        return "in the filtered chain"
    return "in the unfiltered chain" if "begun.json" in left else "before the first file"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=KILLS)
    for row in measure(parser.parse_args().kills):
        print(json.dumps(row, indent=2))


if __name__ == "__main__":
    main()
