"""The paper's compositions with energies that are learned once and then only composed: counts of samples, over five seeds.

    python -m benchmarks.composition [--seeds 5]

A = (±3, ±3), B = (0, ±4), (±4, 0), std .3. Both are trained; each composition is built from a scenario like any other and sampled by
unadjusted Langevin from N(0, 2.5² I). With exact energies U_B − .35 U_A holds .99495 within 1.5 of B's centres and 6e-15 near A's, and
U_A + U_B has the mean radius 3.814: the rows called `exact` are quadrature of that, those called `law` quadrature of the learned energies.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from lem_safe.build import Problem, build, start
from lem_safe.catalogue import loads
from lem_safe.energies import Energy, GaussianMixture, Negation, WeightedSum
from lem_safe.keys import Key
from lem_safe.progress import Silent

A = [[3.0, 3.0], [3.0, -3.0], [-3.0, 3.0], [-3.0, -3.0]]
B = [[0.0, 4.0], [0.0, -4.0], [4.0, 0.0], [-4.0, 0.0]]
STD, NEAR, WEIGHT, SAMPLES = 0.3, 1.5, 0.35, 5000
STEPS = 2000
"""Of training, each energy."""


def learned(means: list[list[float]], steps: int = STEPS) -> str:
    """A trained energy as a scenario says it."""
    return (
        f"{{kind: trained, data: {{kind: gaussian_mixture, means: {means}, std: {STD}}}, network: {{kind: mlp, hidden: 64, depth: 3}}, "
        f"loss: {{kind: calibrated}}, training: {{steps: {steps}, batch_size: 512, learning_rate: 0.005}}}}"
    )


def compositions(steps: int = STEPS) -> dict[str, str]:
    """The three, in YAML."""
    a, b = learned(A, steps), learned(B, steps)
    return {
        "negation": f"{{kind: negation, energy: {b}, away_from: {a}, weight: {WEIGHT}}}",
        "conjunction": f"{{kind: conjunction, energies: [{a}, {b}]}}",
        "disjunction": f"{{kind: disjunction, energies: [{a}, {b}]}}",
    }


def problem(energy: str, seed: int, cache: Path, samples: int = SAMPLES, steps: int = 800) -> Problem:
    """A composition, built: what is learned is trained, or read from the cache."""
    text = f"""
version: 1
name: composition
seed: {seed}
energy: {energy}
unsafe: {{anywhere: {{kind: ball, center: [0, 0], radius: 1}}}}
constraints: [{{set: anywhere, beta: 0.99}}]
sampler: {{kind: langevin, samples: {samples}, steps: {steps}, step_size: 0.0005, init: {{kind: gaussian, mean: [0, 0], std: 2.5}}}}
"""
    return build(loads(text), progress=Silent(), cache=cache)


def sampled(built: Problem) -> Tensor:
    """The unfiltered cloud after all steps, in data units, [n, 2]."""
    key = Key(built.scenario.seed)
    sampler = built.sampler(filtered=False)
    state = sampler.init(start(built, key))
    for k in range(built.scenario.sampler.steps):
        state, _ = sampler.step(key.fold("chain", k), state)
    return built.coordinates.saved(state.x).double()


def grid(points: int = 801) -> Tensor:
    """A square that holds all of it, as points."""
    g = torch.linspace(-12, 12, points, dtype=torch.float64)
    return torch.cartesian_prod(g, g)


@torch.no_grad()
def law(energy: Energy, x: Tensor) -> Tensor:
    """The probability of each grid point."""
    return (-energy(x)).softmax(0)


def near(x: Tensor, p: Tensor, centres: Iterable[list[float]]) -> list[float]:
    """The mass within NEAR of each centre."""
    return [float(p[(x - torch.tensor(c, dtype=x.dtype)).norm(dim=1) < NEAR].sum()) for c in centres]


def facts(kind: str, x: Tensor, p: Tensor) -> dict[str, float]:
    """What is claimed of one composition, of points x with masses p."""
    if kind == "conjunction":
        return {"mean radius": float((p * x.norm(dim=1)).sum())}
    if kind == "negation":
        return {"near B": sum(near(x, p, B)), "near A": sum(near(x, p, A))}
    shares = near(x, p, A + B)
    return {"least share": min(shares), "largest share": max(shares)}


def exact() -> dict[str, Energy]:
    """The compositions of the energies themselves."""
    a, b = GaussianMixture(A, STD), GaussianMixture(B, STD)
    return {"negation": Negation(b, a, WEIGHT), "conjunction": WeightedSum([a, b]), "disjunction": GaussianMixture(A + B, STD)}


def measure(seeds: int = 5) -> list[dict[str, object]]:
    """A row a composition, a seed and a number."""
    x = grid()
    found: list[dict[str, object]] = []

    def add(seed: int | None, kind: str, how: str, values: dict[str, float], seconds: float = 0.0) -> None:
        for what, value in values.items():
            found.append(
                {"composition": kind, "seed": seed, "how": how, "what": what, "value": value, "seconds": round(seconds, 1)}
            )
            print(f"  {kind:12s} {how:8s} seed {seed!s:4s} {what:14s} {value:.6g}", flush=True)

    for kind, energy in exact().items():
        add(None, kind, "exact", facts(kind, x, law(energy, x)))
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            for kind, spec in compositions().items():
                began = time.perf_counter()
                built = problem(spec, seed, Path(folder))
                y = sampled(built)
                took = time.perf_counter() - began
                add(seed, kind, "law", facts(kind, x, law(built.energy, x)))
                add(seed, kind, "samples", facts(kind, y, torch.full((y.shape[0],), 1 / y.shape[0], dtype=y.dtype)), took)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    measure(parser.parse_args().seeds)


if __name__ == "__main__":
    main()
