"""What a step costs: of each filter over the step without one, and of ours beside torchebm's and ebmkit's.

    python -m benchmarks steps
    python -m benchmarks steps:filters | steps:where | steps:images | steps:peers | steps:memory

The network is an MLP 2-128-128-128-1 with SiLU, float32, with the same parameters everywhere. Filters:
recorded and counted as `run` does it, with one ball (`16` is sixteen balls), at most 1 % of the particles in
each. Peers: the samplers alone, torchebm's and ebmkit's Langevin on the same network in their own classes.
The floor is the six matrix products of a gradient, with their outputs allocated beforehand. Processor time on
one thread, in rounds turn about: of filters as in `benchmarks.takes`, of the others the least. Filters are
measured in a process that keeps freed memory, as one of `lem-safe run` does (`lem_safe.memory`).
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import peer_steps
from benchmarks.takes import fitting, per_step
from lem_safe import memory
from lem_safe.energies.base import Energy
from lem_safe.energies.images.convolutional import Convolutional
from lem_safe.energies.mlp import MLP
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.problem import build
from lem_safe.runs.recorded_chain import RecordedChain
from lem_safe.runs.starting import start

PARTS = ("filters", "where", "images", "peers", "memory")
SIZES = (256, 4096, 10_000, 65_536)
STEP_SIZE = 0.01
FILTERS = ("drift", "step", "gate", "tilt")
BETA = 0.01
BALL = "{kind: ball, center: [1.0, 0.0], radius: 0.5}"
WARM, STEPS, ROUNDS, TAKES, TOGETHER = 30, 20_000, 8, 4, 5
TEXT = """
version: 1
name: steps
energy: {energy}
unsafe: {{{sets}}}
constraints: [{constraints}]
sampler: {{kind: langevin, samples: {samples}, steps: 100000, step_size: 0.01,
          init: {{kind: gaussian, mean: {mean}, std: 0.5}}}}
filter: {filter}
"""

SECONDS, FEWEST = 0.05, 5
"""About how long a round takes, and of how many steps it is at least: of a search that takes long now and
then, no round has more than its share.
"""

Work = Callable[[], object]


def measure(part: str | None = None) -> list[dict[str, Any]]:
    """One row for each number of particles and filter, or peer: milliseconds a step and the ratio."""
    measured = {"peers": _peers, "memory": _memory}
    measured |= {name: partial(_as_run, name) for name in ("filters", "where", "images")}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for name in ([part] if part else PARTS) for row in measured[name]()]
    finally:
        torch.set_num_threads(threads)


def _as_run(part: str) -> list[dict[str, Any]]:
    """The rows of a part, measured in a process of its own."""
    work = f"from benchmarks.steps import told; print(told({part!r}))"
    said = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True)
    rows: list[dict[str, Any]] = json.loads(said.stdout.splitlines()[-1])
    return rows


def told(part: str) -> str:
    """The rows of a part, as JSON, in a process that keeps freed memory from now on."""
    memory.keep()
    torch.set_num_threads(1)
    return json.dumps({"filters": _filters, "where": _where, "images": _images}[part]())


def least(works: Mapping[str, Work], rounds: int, seconds: float = SECONDS) -> dict[str, float]:
    """Milliseconds of each, the least of several rounds in which they take turns of about `seconds`."""
    repeats, found = {}, dict.fromkeys(works, math.inf)
    for name, work in works.items():
        work()
        began = time.process_time()
        work()
        repeats[name] = max(1, round(seconds / max(time.process_time() - began, 1e-6)))
    for _ in range(rounds):
        for name, work in works.items():
            began = time.process_time()
            for _ in range(repeats[name]):
                work()
            found[name] = min(found[name], (time.process_time() - began) / repeats[name])
    return {name: 1e3 * taken for name, taken in found.items()}


@torch.no_grad()
def _filters() -> list[dict[str, Any]]:
    rows = [row for n in SIZES[:3] for row in _filtered(f"{n:,}", _network(), n, [BALL], FILTERS)]
    return [*rows, *_filtered("10,000, sixteen balls", _network(), 10_000, sixteen(), ("drift",))]


@torch.no_grad()
def _where(n: int = 10_000) -> list[dict[str, Any]]:
    """Where the time of a step under the gate goes, each part by itself; the rest is what is left."""
    network = _network()
    chain = _chain(network, n, [BALL], "gate")
    for _ in range(WARM):
        chain.advance()
    x, key, gate = chain.state.x, Key(4), chain.course.sampler.step_filter
    y, memory = x + 0.1 * key.normal(x), chain.state.step_memory
    works: dict[str, Work] = {
        "a step": chain.advance,
        "the gradient": lambda: network.value_and_gradient(x),
        "noise": lambda: key.normal(x),
        "the filter": lambda: gate.apply(x, y, STEP_SIZE, key.uniform(x[:, 0]), memory),
        "counting": lambda: chain._inside(x),
        "who moved": lambda: chain._moved(x, y),
        "finite": lambda: bool(torch.isfinite(x).all()),
    }
    taken = least(works, ROUNDS)
    whole = taken.pop("a step")
    taken["the rest"] = whole - sum(taken.values())
    return [
        {
            "name": f"where: {name}",
            "part": "where",
            "what": name,
            "ms": round(ms, 3),
            "share": round(ms / whole, 4),
        }
        for name, ms in taken.items()
    ]


@torch.no_grad()
def _images() -> list[dict[str, Any]]:
    """An image of 28 x 28 under a convolutional energy; unsafe is too much ink."""
    network = (
        Convolutional(image=(1, 28, 28)).build(784, torch.Generator().manual_seed(0)).requires_grad_(False)
    )
    ink = f"{{kind: half_space, normal: {[1 / 28] * 784}, offset: 2.0}}"
    return _filtered("256 images", network, 256, [ink], FILTERS)


def _memory() -> list[dict[str, Any]]:
    """The peak of a process that takes three steps of a million particles, its imports included."""
    rows = []
    for kind in ("none", *FILTERS):
        work = f"from benchmarks.steps import peak; print(peak({kind!r}))"
        said = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True)
        rows.append({"name": f"memory: {kind}", "part": "memory", "filter": kind, "mib": int(said.stdout)})
    return rows


def peak(kind: str, n: int = 1_000_000) -> int:
    """MiB at most held by this process, after three steps."""
    memory.keep()
    with torch.no_grad():
        chain = _chain(_network(), n, [BALL], kind)
        for _ in range(3):
            chain.advance()
    status = Path("/proc/self/status").read_text()  # ru_maxrss begins with what the parent held
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


def _filtered(
    name: str, network: Energy, n: int, sets: Sequence[str], filters: Iterable[str]
) -> list[dict[str, Any]]:
    kinds, steps = ("none", *filters), max(FEWEST, fitting(_chain(network, n, sets, "none"), SECONDS))
    chains: dict[str, list[RecordedChain]] = {}

    def begun() -> dict[str, list[RecordedChain]]:
        chains.update({kind: [_chain(network, n, sets, kind)] for kind in kinds})
        return chains

    taken = per_step(begun, WARM, steps, ROUNDS, TAKES)
    return [
        {
            "name": f"filters: {name}, {kind}",
            "part": "filters",
            "case": name,
            "filter": kind,
            "ms": round(1e3 * taken[kind], 3),
            "ratio": round(taken[kind] / taken["none"], 3),
            "inside": float(chain.trace["fraction"][chain.step - 1].max()),
        }
        for kind, (chain,) in chains.items()
    ]


def _chain(network: Energy, n: int, sets: Sequence[str], kind: str) -> RecordedChain:
    d = network.dimension
    text = TEXT.format(
        sets=", ".join(f"s{i}: {text}" for i, text in enumerate(sets)),
        constraints=", ".join(f"{{set: s{i}, beta: {BETA}}}" for i in range(len(sets))),
        energy=f"{{kind: gaussian, mean: {[0.0] * d}, std: 1.0}}",
        samples=n,
        mean=[-1.0] + [0.0] * (d - 1),
        filter=f"{{kind: tilt, multipliers: {[1.0] * len(sets)}}}" if kind == "tilt" else f"{{kind: {kind}}}",
    )
    problem = replace(build(loads(text), progress=Silent()), potential=network)
    course = problem.course("steps", 10**6, filtered=problem.filter is not None)
    return RecordedChain(replace(course, steps=STEPS), Key(3).fold("chain"), start(problem, Key(3)))


def sixteen() -> list[str]:
    """Sixteen balls on a ring of radius 1.5."""
    turns = [2 * math.pi * i / 16 for i in range(16)]
    return [
        f"{{kind: ball, center: [{1.5 * math.cos(t):.6f}, {1.5 * math.sin(t):.6f}], radius: 0.2}}"
        for t in turns
    ]


def _network() -> Energy:
    return MLP(hidden=128, depth=3).build(2, torch.Generator().manual_seed(0)).requires_grad_(False)


def _peers() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for n in SIZES:
        network, x = _network(), Key(5).normal(torch.empty(n, 2))
        sides = {"ours": peer_steps.ours, "products": peer_steps.products}
        sides["faster products"] = peer_steps.faster_products
        sides |= {name: peer for name, peer in peer_steps.PEERS.items() if peer_steps.installed(name)}
        works = {name: partial(side(network, x, STEP_SIZE), TOGETHER) for name, side in sides.items()}
        taken = least(works, ROUNDS)
        rows += [
            {
                "name": f"peers: {n:,}, {name}",
                "part": "peers",
                "case": f"{n:,}",
                "peer": name,
                "version": peer_steps.installed(name) or "",
                "ms": round(taken[name] / TOGETHER, 3),
                "ratio": round(taken[name] / taken["ours"], 3),
            }
            for name in works
        ]
    return rows
