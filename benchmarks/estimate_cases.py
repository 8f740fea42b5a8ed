"""Scenarios drawn at random, of the kinds whose time `lem-safe explain` estimates: energies and networks of
many sizes, every sampler and filter that is estimated, regions of several kinds, from 100 to 50,000
particles.
"""

from collections.abc import Iterator, Mapping
from math import cos, pi, sin
from random import Random
from typing import Any

Spec = dict[str, Any]

SIZES = (100, 256, 1000, 2000, 5000, 10_000, 20_000, 50_000)
LARGEST = 4e6
"""The most columns of all particles of a drawn scenario."""

SAMPLERS: tuple[Spec, ...] = (
    {"kind": "langevin"},
    {"kind": "flow"},
    {"kind": "mala"},
    {"kind": "mala", "metric": "covariance"},
    {"kind": "underdamped"},
    {"kind": "preconditioned"},
    {"kind": "annealed"},
    {"kind": "parallel_tempering", "temperatures": [2.0, 4.0]},
    {"kind": "parallel_tempering", "temperatures": [2.0, 4.0, 8.0, 16.0]},
    {"kind": "birth_death"},
)
FILTERS: tuple[Spec, ...] = (
    {"kind": "none"},
    {"kind": "gate"},
    {"kind": "drift", "rate": 5.0},
    {"kind": "drift", "rate": 5.0},
    {"kind": "step", "rate": 5.0},
    {"kind": "tilt"},
    {"kind": "reject"},
)


def drawn(seed: int) -> Iterator[Spec]:
    """Scenarios without end, as a file has them; the same ones for the same seed."""
    random, number = Random(seed), 0
    while True:
        energy, d = _energy(random)
        unsafe, names = _regions(random, d)
        chosen = dict(random.choice(FILTERS))
        if chosen["kind"] == "tilt":
            chosen["multipliers"] = [1.0] * len(names)
        samples, number = random.choice(SIZES), number + 1
        replicas = random.choice((1, 1, 1, 10)) if samples <= 1000 else 1
        if samples * d > LARGEST:
            continue
        yield {
            "version": 1,
            "name": f"drawn_{seed}_{number}",
            "columns": [f"x{i}" for i in range(d)],
            "energy": energy,
            "unsafe": unsafe,
            "constraints": [{"set": name, "beta": 0.2} for name in names],
            "sampler": {
                **random.choice(SAMPLERS),
                "samples": samples,
                "steps": 1000,
                "step_size": 1e-4,
                "init": {"kind": "gaussian", "mean": [-1.0] + [0.0] * (d - 1), "std": 0.7},
            },
            "filter": chosen,
            "audit": {"replicas": replicas},
        }


def _energy(random: Random) -> tuple[Spec, int]:
    """An energy and its number of columns; three of five are networks."""
    d = random.choice((2, 2, 2, 5, 10, 20, 50))
    if random.random() < 0.6:
        return _network(random, d)
    mean = [0.0] * d
    gaussian = {"kind": "gaussian", "mean": mean, "std": 1.0}
    mixture = {
        "kind": "gaussian_mixture",
        "means": [[random.gauss(0, 1) for _ in mean] for _ in range(random.choice((2, 8, 8, 40)))],
        "std": 0.5,
    }
    ring = {"kind": "ring", "center": mean, "radius": 1.0, "std": 0.5}
    return random.choice(
        [
            (gaussian, d),
            (mixture, d),
            (mixture, d),
            (ring, d),
            ({"kind": "student_t", "mean": mean, "std": 1.0, "degrees": 5.0}, d),
            ({"kind": "double_well", "dimension": d}, d),
            ({"kind": "banana"}, 2),
            ({"kind": "funnel", "dimension": d}, d),
            ({"kind": "quadratic", "center": mean}, d),
            (
                {"kind": "negation", "energy": gaussian, "away_from": {**mixture, "std": 1.5}, "weight": 0.2},
                d,
            ),
            ({"kind": "disjunction", "energies": [gaussian, mixture]}, d),
            ({"kind": "tempered", "energy": ring, "temperature": 1.5}, d),
        ]
    )


def _network(random: Random, d: int) -> tuple[Spec, int]:
    """An energy that is learned in one step: how long its steps take does not depend on what it learned."""
    hidden, depth = random.choice((16, 32, 64, 64, 128, 128, 256)), random.choice((1, 2, 3, 3, 4))
    sizes = {"hidden": hidden, "depth": depth}
    mlp = {"kind": "mlp", **sizes, "activation": random.choice(("silu", "silu", "tanh", "softplus"))}
    network, columns = random.choice(
        [
            (mlp, d),
            (mlp, d),
            (mlp, d),
            ({"kind": "residual", **sizes}, d),
            ({"kind": "fourier", "count": random.choice((8, 32)), "network": {"kind": "mlp", **sizes}}, d),
            ({"kind": "kernel_base", **sizes}, min(d, 10)),
            ({"kind": "mixture_base", **sizes, "components": 4}, min(d, 10)),
            ({"kind": "convolutional", "image": [1, 8, 8], "channels": [8, 16], "hidden": hidden}, 64),
        ]
    )
    means = [[3.0 * (i == j) for j in range(columns)] for i in range(3)]
    data = {"kind": "gaussian_mixture", "means": means, "std": 0.5, "samples": 300}
    return {"kind": "trained", "data": data, "network": network, "training": {"steps": 1}}, columns


def _regions(random: Random, d: int) -> tuple[Mapping[str, Spec], list[str]]:
    """Regions, and the names of those that are constrained: in three of five scenarios cheap ones."""
    rest = [0.0] * (d - 1)
    ball = {"kind": "ball", "center": [1.0, *rest], "radius": 0.8}
    half = {"kind": "half_space", "normal": [1.0, *rest], "offset": 1.5}
    balls = {f"ball_{i}": {**ball, "radius": 0.3, "center": [0.5 * i, *rest]} for i in range(4)}
    if random.random() < 0.6:
        return random.choice(
            [
                ({"region": ball}, ["region"]),
                ({"region": half}, ["region"]),
                ({"region": {"kind": "box", "lower": [0.5] * d, "upper": [2.0] * d}}, ["region"]),
                (balls, list(balls)),
                ({**balls, "region": {"any": list(balls)}}, ["region"]),
            ]
        )
    return {"region": random.choice(_expensive(random, d))}, ["region"]


def _expensive(random: Random, d: int) -> list[Spec]:
    """Regions of which asking a particle takes longer."""
    terms = " + ".join(f"sqrt(abs(x{i % d})) * x{(i + 1) % d}" for i in range(random.choice((2, 10))))
    points = [[random.gauss(0, 1) for _ in range(d)] for _ in range(random.choice((50, 500)))]
    found: list[Spec] = [
        {"kind": "rule", "where": f"x0 > 1 and {terms} < 2"},
        {"kind": "near_points", "points": points, "radius": 0.3},
    ]
    if d == 2:
        corners = random.choice((8, 60))
        turns = [2 * pi * i / corners for i in range(corners)]
        found += [
            {
                "kind": "polygon",
                "vertices": [[1 + (1 + i % 2) * cos(a), sin(a)] for i, a in enumerate(turns)],
            },
            {
                "kind": "occupancy",
                "map": ["....#", "..##.", "#...."],
                "lower": [-2.0, -2.0],
                "upper": [2.0, 2.0],
            },
        ]
    return found
