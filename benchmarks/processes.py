"""What two processes gain over one, what they tell each other, and what a draw in slices needs of memory.

    python -m benchmarks processes
    python -m benchmarks processes:gate         # one of PARTS

Each side runs the chains that `run` runs, recorded and counted: one process, or two that torch.distributed
connects by gloo on this machine, one core each, turn about, the least of several rounds by a clock. The
energy is an MLP, 2-128-128-128-1; two balls, as full as is tolerated. `calls` and
`bytes` are what a process hands over in a step; a meeting, about once a second, is counted apart.

The predicted time of two processes is half of one's and the exchanges, from constants that are measured
apart: the latency of an exchange and the rate of a long one.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lem_safe.energies.mlp import MLP
from lem_safe.keys import BLOCK, Key, divided
from lem_safe.processes.job import Job
from lem_safe.processes.place import place
from lem_safe.processes.spread import Spread
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs import more_samples, streamed_draw
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.recorded_chain import RecordedChain
from lem_safe.runs.runner import run
from lem_safe.runs.spread_chain import SpreadChain
from lem_safe.runs.starting import start
from lem_safe.training.learner import Learner
from lem_safe.training.losses import Denoising
from lem_safe.training.settings import TrainingSettings

PARTICLES, LARGER = 4 * BLOCK, 16 * BLOCK
WARM, STEPS = 12, 4
ROWS = 5_000_000
TURNS, ROUNDS = 2, 4
"""Jobs of either size, and rows of steps in each, the fastest of which counts."""
LONG = 1 << 20
"""Numbers of a long exchange."""
FILTERS = {
    "none": "{kind: none}",
    "tilt": "{kind: tilt, multipliers: [1.0, 1.0]}",
    "gate": "{kind: gate}",
    "step": "{kind: step}",
    "drift": "{kind: drift}",
    "drift, smoothed": "{kind: drift, smoothing: {kind: sigmoid, width: 0.2}}",
    "step, smoothed": "{kind: step, smoothing: {kind: sigmoid, width: 0.2}}",
}
TEXT = """
version: 1
name: processes
energy: {kind: gaussian_mixture, means: [[2, 0], [0, 2], [-2, 0]], std: 0.5}
unsafe:
  one: {kind: ball, center: [1, 0], radius: 0.6}
  two: {kind: ball, center: [0, 1.2], radius: 0.6}
constraints: [{set: one, beta: 0.045}, {set: two, beta: 0.03}]
sampler: {kind: langevin, samples: SAMPLES, steps: 100000, step_size: 0.01,
          init: {kind: gaussian, mean: [-0.5, -0.5], std: 0.7}}
filter: FILTER
"""


PARTS = (*FILTERS, "training", "link", "draws")


def measure(part: str | None = None) -> list[dict[str, Any]]:
    """A row for each filter, for training, for the link, and for the memory of a draw."""
    if part is None:
        return [row for one in PARTS for row in measure(one)]
    if part == "draws":
        return _draws()
    if part == "link":
        return [{"name": "link", **_job(2, part)["link"]}]
    sides: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    for _ in range(TURNS):
        for size, found in sides.items():
            found.append(_job(size, part))
    one, two = (_least([each[part] for each in found]) for found in sides.values())
    return [_row(part, one, two, min((each["link"] for each in sides[2]), key=lambda r: r["latency_ms"]))]


def _least(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each time the least."""
    times = ("ms", "processor_ms")
    return {key: min(r[key] for r in rounds) if key in times else value for key, value in rounds[-1].items()}


def _row(name: str, one: dict[str, Any], two: dict[str, Any], link: dict[str, Any]) -> dict[str, Any]:
    expected = one["ms"] / 2
    if "calls" in two:
        expected += two["calls"] * link["latency_ms"] + two["bytes"] / link["bytes_per_ms"]
    return {
        "name": name,
        "one_ms": one["ms"],
        "two_ms": two["ms"],
        "efficiency": round(one["ms"] / (2 * two["ms"]), 3),
        "one_processor_ms": one["processor_ms"],
        "processor_efficiency": round(one["processor_ms"] / (2 * two["processor_ms"]), 3),
        "predicted_ms": round(expected, 3),
        **{key: value for key, value in two.items() if key != "ms"},
    }


def _job(size: int, part: str) -> dict[str, Any]:
    """What process 0 of a job found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    own["OMP_NUM_THREADS"] = "1"
    program = [sys.executable, "-m", "benchmarks.processes", "--child", part]
    begun = [
        subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env={**own, "RANK": str(r)})
        for r in range(size)
    ]
    told = [process.communicate()[0] for process in begun]
    if any(process.returncode for process in begun):
        raise RuntimeError(f"a job of {size} processes failed")
    return dict(json.loads(told[0].splitlines()[-1]))


def _child(part: str) -> None:
    torch.set_num_threads(1)
    at = place()
    job = None if at is None else Job(at, "cpu")
    found = {}
    if part != "link":
        found[part] = _training(job) if part == "training" else _chain(job, FILTERS[part])
    if job is not None:
        found["link"] = _link(job)
    if job is None or job.leads:
        print(json.dumps(found))
    if job is not None:
        job.leave(0)


@torch.no_grad()
def _chain(job: Job | None, chosen: str) -> dict[str, Any]:
    """The time of a step, and what is told in it."""
    chain = _begun(job, chosen, PARTICLES)
    for _ in range(WARM):
        chain.advance()
    if not isinstance(chain, SpreadChain):
        return {**_timed(chain.advance, None), "particles": PARTICLES}
    traffic = chain.whole.wire.traffic
    before = traffic.calls, traffic.bytes
    for _ in range(STEPS):
        chain.advance()
    calls, sent = ((b - a) / STEPS for a, b in zip(before, (traffic.calls, traffic.bytes), strict=True))
    met = traffic.bytes
    chain.meet([0])
    met = traffic.bytes - met
    found = {"calls": calls, "bytes": sent, "meeting_bytes": met, **_timed(chain.advance, job)}
    return {**found, "larger_bytes": _told(job, chosen), "larger_particles": LARGER, "particles": PARTICLES}


@torch.no_grad()
def _told(job: Job | None, chosen: str) -> float:
    """The bytes of a step of more particles."""
    chain = _begun(job, chosen, LARGER)
    for _ in range(WARM):
        chain.advance()
    assert isinstance(chain, SpreadChain)
    before = chain.whole.wire.traffic.bytes
    for _ in range(3):
        chain.advance()
    return (chain.whole.wire.traffic.bytes - before) / 3


def _begun(job: Job | None, chosen: str, particles: int) -> RecordedChain:
    problem = _problem(chosen, particles)
    key, filtered = Key(3), problem.filter is not None
    if job is None:
        course = problem.course("", 100_000, filtered=filtered)
        return RecordedChain(course, key.fold("chain"), start(problem, key))
    parts = divided(particles, job.size)
    part, whole = parts[job.rank], Spread(job.wire(job.size), [len(p) for p in parts])
    course = problem.course("", 100_000, filtered=filtered, whole=whole)
    return SpreadChain(course, key.fold("chain"), start(problem, key, part), part, whole)


def _problem(chosen: str, particles: int) -> Problem:
    text = TEXT.replace("SAMPLES", str(particles)).replace("FILTER", chosen)
    problem = build(loads(text), progress=Silent())
    energy = MLP(hidden=128, depth=3).build(2, Key(1).generator()).requires_grad_(False)
    return replace(problem, potential=energy)


def _training(job: Job | None) -> dict[str, Any]:
    """The time of a step of training."""
    energy, wire = MLP(hidden=128, depth=3).build(2, Key(1).generator()), job and job.wire(job.size)
    learner = Learner(energy, TrainingSettings(batch_size=2048), Key(2).generator(), wire)
    rows, loss = Key(4).normal(torch.empty(10_000, 2)), Denoising()
    for _ in range(WARM):
        learner.advance(rows, loss)
    before = (0, 0) if job is None else (wire.traffic.calls, wire.traffic.bytes)
    for _ in range(STEPS):
        learner.advance(rows, loss)
    took = _timed(lambda: learner.advance(rows, loss), job)
    if job is None:
        return took
    spent = STEPS * (1 + ROUNDS)
    return {
        **took,
        "calls": (wire.traffic.calls - before[0]) / spent,
        "bytes": (wire.traffic.bytes - before[1]) / spent,
    }


def _link(job: Job) -> dict[str, Any]:
    """The latency of an exchange of one number, and the rate of one of many."""
    wire = job.wire(job.size)
    short, long = torch.zeros(1, dtype=torch.float64), torch.zeros(LONG, dtype=torch.float64)
    latency = min(_each(lambda: wire.sum(short), 50) for _ in range(20))
    took = min(_each(lambda: wire.sum(long), 3) for _ in range(5))
    return {"latency_ms": round(latency, 4), "bytes_per_ms": round(8 * LONG / (took - latency))}


def _timed(step: Callable[[], Any], job: Job | None) -> dict[str, float]:
    """Milliseconds of a step by a clock and of the processor, the least of several rows of steps that all
    processes begin together.
    """
    clock, processor = [], []
    for _ in range(ROUNDS):
        if job is not None:
            job.wire(job.size).sum(torch.zeros(1))
        worked = time.process_time()
        clock.append(_each(step, STEPS))
        processor.append(1000 * (time.process_time() - worked) / STEPS)
    own = torch.tensor([min(clock), min(processor)], dtype=torch.float64)
    ms, worked_ms = (own if job is None else job.wire(job.size).largest(own)).tolist()
    return {"ms": round(ms, 3), "processor_ms": round(worked_ms, 3)}


def _each(body: Callable[[], Any], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        body()
    return 1000 * (time.perf_counter() - began) / times


def _draws() -> list[dict[str, Any]]:
    """The memory of a draw of many rows, in slices and at once, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        text = TEXT.replace("SAMPLES", "1000").replace("FILTER", FILTERS["tilt"]).replace("100000", "2")
        run(loads(text), out=Path(folder) / "run", with_report=False)
        found = []
        for how in ("in slices", "at once"):
            program = [sys.executable, "-m", "benchmarks.processes", "--draw", how, folder]
            done = subprocess.run(program, capture_output=True, text=True, check=True)
            found.append({"name": f"draw, {how}", "rows": ROWS, **json.loads(done.stdout.splitlines()[-1])})
        return found


def _draw(how: str, folder: str) -> None:
    torch.set_num_threads(1)
    if how == "at once":
        streamed_draw.NUMBERS = 1 << 60
    source, name = Path(folder) / "run", how.replace(" ", "-")
    more_samples.draw_into(Path(folder) / f"{name}-few.npz", source, 1000, seed=7)
    before, began = _peak(), time.perf_counter()
    more_samples.draw_into(Path(folder) / f"{name}.npz", source, ROWS, seed=7)
    extra = (_peak() - before) / 1024
    print(json.dumps({"extra_mib": round(extra), "seconds": round(time.perf_counter() - began, 1)}))


def _peak() -> int:
    """KiB of this program; ru_maxrss would start at its parent's."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Two processes beside one.")
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--draw", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        _child(asked.child)
    elif asked.draw:
        _draw(*asked.draw)
    else:
        for row in measure(asked.part):
            print(json.dumps(row))


if __name__ == "__main__":
    main()
