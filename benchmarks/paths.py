"""Paths around what was put there later: 96 human demonstrations of D3IL's avoiding task, and an obstacle
that 68 of them cross.

    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks paths

DIRECTORY holds `d3il/episodes.csv`. An energy is learned from the demonstrations, with 32 waypoints each; the
obstacles of the task, and the later one, are regions that no path may enter, segments included. Beside the
gate: the unfiltered samples; these with every waypoint moved to the nearest point outside of the obstacles,
as planners that project do; these, with the moves of each waypoint projected at every step of a sampler, as
SafeDiffuser does; and rejection, the unfiltered samples that are safe, which have the exact
distribution. Collisions are counted by `collides`, in plain numpy, which shares no code with lem-safe.
Success is a last waypoint beyond the line at y = 0.35; roughness is the mean squared second difference of
waypoints.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from ruamel.yaml import YAML

import lem_safe
from benchmarks.gallery import waypoints
from lem_safe.progress import Silent
from lem_safe.runs.problem import build

SUITES = "LEM_SAFE_SUITES"
FILE = Path("d3il") / "episodes.csv"
PILLARS = [
    ((0.5, -0.1), 0.03),
    ((0.425, 0.08), 0.025),
    ((0.575, 0.08), 0.025),
    ((0.35, 0.26), 0.025),
    ((0.5, 0.26), 0.025),
    ((0.65, 0.26), 0.025),
]
"""The six obstacles of the task, which no demonstration touches."""
LATER = ((0.5, -0.1), 0.08)
"""The obstacle of the published test that was not there before."""
PROJECTED = 500
"""How many of the unfiltered paths have their waypoints projected at every step."""
GOAL, WAYPOINTS, SAMPLES, STEPS = 0.35, 32, 5000, 60
SIDES = ((0.5, -0.1), (0.425, 0.08), (0.575, 0.08), (0.35, 0.26), (0.5, 0.26), (0.65, 0.26))
Paths = Float[np.ndarray, "n t 2"]


def lacks() -> str | None:
    """What is not here; None where the demonstrations are."""
    where = os.environ.get(SUITES)
    if where is None or not (Path(where) / FILE).is_file():
        return f"{SUITES} does not name a directory with {FILE}"
    return None


def measure() -> list[dict[str, Any]]:
    """A row for the demonstrations, and one for each way to keep clear."""
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.paths: {why}")
    with tempfile.TemporaryDirectory() as directory:
        os.environ["LEM_SAFE_CACHE"] = directory
        return _measured(Path(os.environ[SUITES]) / FILE, Path(directory))


def _measured(file: Path, directory: Path) -> list[dict[str, Any]]:
    path = directory / "avoiding.yaml"
    with path.open("w", encoding="utf-8") as out:
        YAML().dump(scenario(file), out)
    began = time.process_time()
    run = lem_safe.run(str(path), out=directory / "run", progress=Silent(), with_report=False)
    took = time.process_time() - began
    safe = run.paths.astype(np.float64)
    free = np.load(directory / "run" / "reference.npz")["x"].astype(np.float64).reshape(safe.shape)
    moved = outside(free)
    projected = _projected(path, free[:PROJECTED])
    kept = free[~collides(free)]
    real = _demonstrations(file)
    rows = [
        _row("demonstrations", real, real=kept),
        _row("unfiltered", free, real=kept),
        _row("waypoints moved", moved, real=kept),
        _row("waypoints projected", projected, real=kept),
        _row("rejection", kept, real=kept, drawn=len(free)),
        _row("gate", safe, real=kept),
    ]
    half = len(kept) // 2
    floor = _distance(kept[:half], kept[half : 2 * half])
    return [{**row, "floor": floor, "seconds": round(took, 1)} for row in rows]


def _projected(scenario: Path, free: Paths) -> Paths:
    """Langevin steps on the same energy from unfiltered paths, with each waypoint's moves projected."""
    problem = build(lem_safe.load(scenario), device="cpu", progress=Silent())
    centres, radii = (torch.tensor(v, dtype=torch.float64) for v in zip(*(*PILLARS, LATER), strict=True))
    return waypoints.sampled(problem, free, waypoints.discs(centres, radii), 300, 0.002)


def scenario(file: Path) -> dict[str, Any]:
    """The scenario of the gate, as plain values."""
    balls = [{"kind": "ball", "center": list(c), "radius": r} for c, r in (*PILLARS, LATER)]
    return {
        "version": 1,
        "name": "avoiding",
        "energy": {
            "kind": "trained",
            "data": {
                "kind": "paths",
                "path": str(file),
                "order": "step",
                "columns": ["x", "y"],
                "waypoints": WAYPOINTS,
            },
            "network": {"kind": "kernel_base"},
            "training": {"steps": 100},
        },
        "unsafe": {"obstacles": {"kind": "anywhere", "set": {"any": balls}}},
        "constraints": [{"set": "obstacles", "beta": 0}],
        "sampler": {"kind": "mixed", "samples": SAMPLES, "steps": STEPS, "step_size": 0.05},
        "filter": {"kind": "gate"},
    }


def nearest(paths: Paths, center: tuple[float, float]) -> Float[np.ndarray, "n"]:
    """The distance of the nearest point of each path, segments included."""
    c = np.array(center)
    a, b = paths[:, :-1], paths[:, 1:]
    e = b - a
    length = (e**2).sum(2)
    t = ((c - a) * e).sum(2) / np.where(length > 0, length, 1)
    found = a + np.clip(t, 0, 1)[..., None] * e - c
    return np.sqrt((found**2).sum(2)).min(1)


def collides(paths: Paths, *, points_alone: bool = False) -> Bool[np.ndarray, "n"]:
    """Whether each path meets an obstacle, at a waypoint or between two; or at a waypoint alone."""
    found = np.zeros(len(paths), dtype=bool)
    for center, radius in (*PILLARS, LATER):
        if points_alone:
            found |= (np.linalg.norm(paths - np.array(center), axis=2) <= radius).any(1)
        else:
            found |= nearest(paths, center) <= radius
    return found


def outside(paths: Paths) -> Paths:
    """The paths with every waypoint inside an obstacle moved to its nearest point outside."""
    moved = paths.copy()
    for center, radius in (LATER, *PILLARS[1:]):  # the first pillar is inside the later obstacle
        offset = moved - np.array(center)
        distance = np.linalg.norm(offset, axis=2, keepdims=True)
        out = np.array(center) + offset / np.maximum(distance, 1e-12) * radius * (1 + 1e-9)
        moved = np.where(distance <= radius, out, moved)
    return moved


def sides(paths: Paths) -> Float[np.ndarray, "n"]:
    """On which side each path passes each pillar, as one number a path: bit k is 1 right of pillar k."""
    code = np.zeros(len(paths), dtype=int)
    for k, center in enumerate(SIDES):
        row = np.abs(paths[:, :, 1] - center[1]).argmin(1)
        code += (paths[np.arange(len(paths)), row, 0] > center[0]).astype(int) << k
    return code


def _distance(a: Paths, b: Paths) -> float:
    """Total variation between the shares of the ways around the pillars."""
    shares = [np.bincount(sides(x), minlength=2 ** len(SIDES)) / len(x) for x in (a, b)]
    return float(0.5 * np.abs(shares[0] - shares[1]).sum())


def _row(name: str, paths: Paths, *, real: Paths, drawn: int | None = None) -> dict[str, Any]:
    steps = np.linalg.norm(np.diff(paths, axis=1), axis=2)
    rough = (np.diff(paths, n=2, axis=1) ** 2).sum(2).mean(1)
    return {
        "name": name,
        "paths": len(paths),
        "drawn": drawn or len(paths),
        "colliding": int(collides(paths).sum()),
        "colliding_points": int(collides(paths, points_alone=True).sum()),
        "success": float((paths[:, -1, 1] >= GOAL).mean()),
        "length": float(steps.sum(1).mean()),
        "roughness": float(1e4 * rough.mean()),
        "ways": len(np.unique(sides(paths))),
        "distance": _distance(paths, real),
    }


def _demonstrations(file: Path) -> Paths:
    """The demonstrations with as many waypoints, at equal times."""
    d = np.genfromtxt(file, delimiter=",", names=True)
    found = []
    for episode in np.unique(d["episode"]):
        own = d["episode"] == episode
        t = np.linspace(0, 1, int(own.sum()))
        at = np.linspace(0, 1, WAYPOINTS)
        found.append(np.stack([np.interp(at, t, d[axis][own]) for axis in ("x", "y")], 1))
    return np.stack(found)
