"""How the cost of a step grows, and that of a filter's QP and of a network's Laplacian.

    python -m benchmarks growth
    python -m benchmarks growth:n | growth:d | growth:m | growth:K | growth:R
    python -m benchmarks growth:qp | growth:laplacian | growth:profile

A step is taken as `run` takes it, recorded and counted: Langevin on an MLP d-128-128-128-1 with SiLU, in
float32, with at most 1 % of the particles in each ball. One number is varied at a time:

n  particles (d = 2, one ball)
d  columns (n = 4,096, one ball)
m  balls on a ring (n = 10,000, d = 2)
K  components of a Gaussian mixture in place of the MLP (n = 4,096, d = 2, one ball)
R  clouds of 64 particles, side by side (d = 2, one ball)

qp: one solve, float64, of n·d unknowns (d = 2) with m rows, beside its matrix products (A Aᵀ, A v, Aᵀμ)
alone; `particles first` are rows [n, m, d] that lie particle by particle. laplacian: the exact one of the
MLP, beside the matrix products of its sweeps. profile: the shares of operators in a step. Processor time on
one thread, in rounds turn about, of each the least.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.profiler import profile, record_function

from barriers.qp import project_cloud
from benchmarks.steps import FILTERS, least
from lem_safe.cloud_keys import CloudKey
from lem_safe.energies.mlp import MLP
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.recorded_chain import RecordedChain
from lem_safe.runs.recorded_clouds import RecordedClouds
from lem_safe.runs.starting import start

AXES: dict[str, tuple[int, ...]] = {
    "n": (256, 1024, 4096, 16_384, 65_536, 262_144),
    "d": (2, 8, 32, 128, 512),
    "m": (1, 4, 16, 64),
    "K": (2, 8, 32, 128, 512),
    "R": (1, 4, 16, 64, 256),
}
PARTS = (*AXES, "qp", "laplacian", "profile")
KINDS = ("none", *FILTERS)
WARM, ROUNDS, MANY = 30, 4, 100_000
"""Steps before the first timed one, from MANY particles on half of them."""
PARTICLES, IN_A_CLOUD = {"n": 256, "d": 4096, "m": 10_000, "K": 4096, "R": 64}, 64
QP = tuple((m, size) for m in (1, 3, 8, 16, 64) for size in (2_000, 20_000, 200_000, 2_000_000))
LAPLACIANS = tuple((d, size) for d in (2, 16, 64) for size in (20_000, 200_000, 2_000_000))
PROFILED = ((256, "none"), (256, "drift"), (65_536, "none"), (65_536, "drift"), (65_536, "gate"))
GROUPS = {
    "products": (
        "aten::mm",
        "aten::addmm",
        "aten::bmm",
        "aten::mv",
        "aten::dot",
        "mkldnn::_linear_pointwise",
    ),
    "activations": ("aten::sigmoid", "aten::lerp", "aten::mul_"),
    "noise": ("aten::normal_", "aten::uniform_", "aten::random_"),
}
TEXT = """
version: 1
name: growth
energy: {energy}
unsafe: {{{sets}}}
constraints: [{constraints}]
sampler: {{kind: langevin, samples: {samples}, steps: 100000, step_size: 0.01,
          init: {{kind: gaussian, mean: {mean}, std: 0.5}}}}
filter: {filter}
"""


class Size(NamedTuple):
    """What is sampled: particles, columns, balls, components (0: the MLP), clouds (0: one, alone)."""

    n: int = 4096
    d: int = 2
    m: int = 1
    K: int = 0
    R: int = 0


def measure(part: str | None = None) -> list[dict[str, Any]]:
    """One row for each size and filter, solve, sweep, or group of operators."""
    others = {"qp": _solves, "laplacian": _laplacians, "profile": _profiles}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            names = [part] if part else list(PARTS)
            return [row for name in names for row in (others[name]() if name in others else _axis(name))]
    finally:
        torch.set_num_threads(threads)


def _axis(axis: str) -> list[dict[str, Any]]:
    rows = []
    for size in AXES[axis]:
        at = Size(n=PARTICLES[axis])._replace(**{axis: size})
        chains = {kind: _chain(at, kind) for kind in KINDS}
        for chain in chains.values():
            for _ in range(WARM if at.n < MANY else WARM // 2):
                chain.advance()
        taken = least({kind: chain.advance for kind, chain in chains.items()}, ROUNDS)
        for kind, ms in taken.items():
            about = {"part": axis, "filter": kind, "size": size, "ms": round(ms, 4)}
            rows.append({"name": f"{axis}: {size:,}, {kind}", **about})
        print(axis, size, {kind: round(ms, 3) for kind, ms in taken.items()}, flush=True)
    return rows


def _chain(at: Size, kind: str) -> RecordedChain:
    problem = _problem(at, kind)
    course = replace(problem.course("growth", 10**6, filtered=problem.filter is not None), steps=20_000)
    if not at.R:
        return RecordedChain(course, Key(3).fold("chain"), start(problem, Key(3)))
    keys = [Key(3) if r == 0 else Key(3).fold("replica", r) for r in range(at.R)]
    own = [CloudKey.of(key.fold("chain"), Key(3).fold("chain"), r) for r, key in enumerate(keys)]
    return RecordedClouds(course, own, [start(problem, key) for key in keys])


def _problem(at: Size, kind: str) -> Problem:
    turns = [2 * math.pi * k / at.m for k in range(at.m)]
    centers = [[math.cos(t), math.sin(t), *[0.0] * (at.d - 2)] for t in turns]
    radius = 0.5 if at.m == 1 else 0.15
    text = TEXT.format(
        energy=_mixture(at.K) if at.K else f"{{kind: gaussian, mean: {[0.0] * at.d}, std: 1.0}}",
        sets=", ".join(f"s{k}: {{kind: ball, center: {c}, radius: {radius}}}" for k, c in enumerate(centers)),
        constraints=", ".join(f"{{set: s{k}, beta: 0.01}}" for k in range(at.m)),
        samples=at.n if not at.R else IN_A_CLOUD,
        mean=[-1.0] + [0.0] * (at.d - 1) if at.m == 1 else [0.0] * at.d,
        filter=f"{{kind: tilt, multipliers: {[1.0] * at.m}}}" if kind == "tilt" else f"{{kind: {kind}}}",
    )
    problem = build(loads(text), progress=Silent())
    return problem if at.K else replace(problem, potential=_network(at.d))


def _mixture(K: int) -> str:
    turns = [2 * math.pi * k / K for k in range(K)]
    return (
        f"{{kind: gaussian_mixture, means: {[[2 * math.cos(t), 2 * math.sin(t)] for t in turns]}, std: 0.5}}"
    )


def _network(d: int) -> Any:
    return MLP(hidden=128, depth=3).build(d, torch.Generator().manual_seed(0)).requires_grad_(False)


def _solves() -> list[dict[str, Any]]:
    rows = []
    for m, size in QP:
        generator = torch.Generator().manual_seed(0)
        v, μ = (torch.rand(s, generator=generator, dtype=torch.float64) for s in ((size // 2, 2), (m,)))
        A = torch.randn(m, size // 2, 2, generator=generator, dtype=torch.float64) + 0.5
        flat, column = A.view(m, size), v.view(size)
        bounds = flat @ column / (size // 2) - 0.1
        moved = A.transpose(0, 1).contiguous()
        works: dict[str, Callable[[], object]] = {
            "constraints first": partial(project_cloud, v, A.transpose(0, 1), bounds),
            "particles first": partial(project_cloud, v, moved, bounds),
            "products": lambda A=flat, v=column, μ=μ: (A @ A.T, A @ v, μ @ A),
        }
        taken = least(works, ROUNDS)
        about = {"part": "qp", "m": m, "size": size} | {k: round(ms, 4) for k, ms in taken.items()}
        rows.append({"name": f"qp: {size:,} unknowns, {m} rows", **about})
        print(rows[-1], flush=True)
    return rows


def _laplacians() -> list[dict[str, Any]]:
    rows = []
    for d, size in LAPLACIANS:
        network, n = _network(d), size // d
        x = torch.randn(n, d, generator=torch.Generator().manual_seed(1))
        taken = least(
            {"laplacian": partial(network.laplacian, x), "products": partial(_sweeps, network, x)}, ROUNDS
        )
        about = {"part": "laplacian", "d": d, "size": size} | {k: round(ms, 3) for k, ms in taken.items()}
        rows.append({"name": f"laplacian: n·d = {size:,}, d = {d}", **about})
        print(rows[-1], flush=True)
    return rows


def _sweeps(network: Any, x: torch.Tensor) -> None:
    """The matrix products of one sweep of the values, one of d directions and one back, of few rows at a
    time, into arrays that are used again.
    """
    matrices, d = [W.detach() for W in network.trunk.matrices], x.shape[1]
    rows = min(len(x), 512)
    forward = [x.new_empty(rows, len(W)) for W in matrices]
    backward = [x.new_empty(rows, W.shape[1]) for W in matrices]
    few = max(1, rows // d)
    along = [x.new_empty(few * d, len(W)) for W in matrices]
    for i in range(0, len(x), rows):
        a = x[i : i + rows]
        if len(a) < rows:  # the last few rows are not worth arrays of their own
            break
        for W, out in zip(matrices, forward, strict=True):
            a = torch.mm(a, W.T, out=out)
        for W, out in zip(reversed(matrices), reversed(backward), strict=True):
            a = torch.mm(a, W, out=out)
        for _ in range(0, rows, few):
            J = along[0]
            for W, out in zip(matrices[1:], along[1:], strict=True):
                J = torch.mm(J, W.T, out=out)


def _profiles() -> list[dict[str, Any]]:
    rows = []
    for n, kind in PROFILED:
        chain = _chain(Size(n=n), kind)
        for _ in range(WARM):
            chain.advance()
        with profile() as seen:
            for _ in range(max(3, 2**16 // n)):
                with record_function("step"):
                    chain.advance()
        shares = shared({e.key: e.self_cpu_time_total for e in seen.key_averages()})
        rows.append(
            {"name": f"profile: {n:,}, {kind}", "part": "profile", "size": n, "filter": kind, **shares}
        )
        print(rows[-1], flush=True)
    return rows


def shared(spent: Mapping[str, float]) -> dict[str, float]:
    """Shares of the time by group; `python` is what no operator takes, `others` are all other operators."""
    total = sum(spent.values())

    def share(names: Iterable[str]) -> float:
        return sum(spent.get(name, 0.0) for name in names) / total

    found = {group: share(names) for group, names in GROUPS.items()}
    found["python"] = share(["step"])
    return {k: round(v, 3) for k, v in {**found, "others": 1 - sum(found.values())}.items()}
