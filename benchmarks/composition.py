"""The paper's compositions with energies that are learned once and then only composed: counts of samples,
over five seeds.

    python -m benchmarks.composition [--seeds 5] [--table] [--results FILE] [--page FILE] [--cache DIR]

A = (±3, ±3), B = (0, ±4), (±4, 0), std .3. Both are trained; each composition is built from a scenario like
any other and sampled by unadjusted Langevin from N(0, 2.5² I). With exact energies U_B − .35 U_A holds .99495
within 1.5 of B's centres and 6e-15 near A's, and U_A + U_B has the mean radius 3.814, 98 % of it midway
between neighbouring centres: the rows called `exact` are quadrature of that, those called `trained` (`law`
in the results) quadrature of the learned energies.
"""

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.composition_page import PAGE, write_page
from benchmarks.composition_scenarios import RECIPES, compositions, problem, sampled
from lem_safe.energies import Energy, GaussianMixture, MixtureBased, Negation, WeightedSum
from lem_safe.energies.bounded import BoundedTrunk
from lem_safe.reproduce.composition import CLOSE, MIDWAY, NEAR, STD, WEIGHT, A, B

HERE = Path(__file__).resolve().parent


def grid(points: int = 801) -> Tensor:
    """A square that holds all of it, as points."""
    g = torch.linspace(-12, 12, points, dtype=torch.float64)
    return torch.cartesian_prod(g, g)


@torch.no_grad()
def law(energy: Energy, x: Tensor) -> Tensor:
    """The probability of each grid point."""
    return (-energy(x)).softmax(0)


def without_network(energy: Energy) -> Energy:
    """The same composition of the fitted mixtures alone."""
    bare = copy.deepcopy(energy)
    for part in bare.modules():
        if isinstance(part, MixtureBased):
            part.trunk = BoundedTrunk(part.trunk.inner, 1e-9)
    return bare


def near(x: Tensor, p: Tensor, centres: Iterable[list[float]]) -> list[float]:
    """The mass within NEAR of each centre."""
    return [float(p[(x - torch.tensor(c, dtype=x.dtype)).norm(dim=1) < NEAR].sum()) for c in centres]


def facts(kind: str, x: Tensor, p: Tensor) -> dict[str, float]:
    """What is claimed of one composition, of points x with masses p."""
    if kind == "conjunction":
        there = (torch.cdist(x, torch.tensor(MIDWAY, dtype=x.dtype)) < CLOSE).any(1)
        return {"mean radius": float((p * x.norm(dim=1)).sum()), "midway": float(p[there].sum())}
    if kind == "negation":
        return {"near B": sum(near(x, p, B)), "near A": sum(near(x, p, A))}
    shares = near(x, p, A + B)
    return {"least share": min(shares), "largest share": max(shares)}


def exact() -> dict[str, Energy]:
    """The compositions of the energies themselves."""
    a, b = GaussianMixture(A, STD), GaussianMixture(B, STD)
    return {
        "negation": Negation(b, a, WEIGHT),
        "conjunction": WeightedSum([a, b]),
        "disjunction": GaussianMixture(A + B, STD),
    }


def measure(
    seeds: int = 5,
    keep: Callable[[list[dict[str, object]]], None] = lambda rows: None,
    cache: Path | None = None,
) -> list[dict[str, object]]:
    """A row a composition, a seed and a number; `keep` is given all rows so far after every seed. cache: of
    energies trained before.
    """
    x = grid()
    found: list[dict[str, object]] = []

    def add(
        recipe: str, seed: int | None, kind: str, how: str, values: dict[str, float], seconds: float = 0.0
    ) -> None:
        for what, value in values.items():
            row = {
                "recipe": recipe,
                "composition": kind,
                "seed": seed,
                "how": how,
                "what": what,
                "value": value,
            }
            found.append(row | {"seconds": round(seconds, 1)})
            print(f"  {recipe:16s} {kind:12s} {how:8s} seed {seed!s:4s} {what:14s} {value:.6g}", flush=True)

    for kind, energy in exact().items():
        add("", None, kind, "exact", facts(kind, x, law(energy, x)))
    for name, recipe in RECIPES.items():
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                for kind, spec in compositions(recipe).items():
                    began = time.perf_counter()
                    built = problem(spec, seed, cache or Path(folder))
                    y = sampled(built)
                    took = time.perf_counter() - began
                    if any(isinstance(part, MixtureBased) for part in built.energy.modules()):
                        add(
                            name, seed, kind, "mixture", facts(kind, x, law(without_network(built.energy), x))
                        )
                    add(name, seed, kind, "law", facts(kind, x, law(built.energy, x)))
                    add(
                        name,
                        seed,
                        kind,
                        "samples",
                        facts(kind, y, torch.full((y.shape[0],), 1 / y.shape[0], dtype=y.dtype)),
                        took,
                    )
            keep(found)
    return found


def main() -> None:
    from benchmarks.__main__ import record, write

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--table", action="store_true", help="measure nothing: write the page from the results"
    )
    parser.add_argument("--results", type=Path, default=HERE / "results.json")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument(
        "--cache", type=Path, help="a folder of trained energies, to train none of this recipe twice"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()

    def keep(rows: list[dict[str, object]]) -> None:
        write(arguments.results, {"composition": record(rows, time.perf_counter() - began)})
        write_page(rows, arguments.page)

    if arguments.table:
        write_page(
            json.loads(arguments.results.read_text(encoding="utf-8"))["benchmarks"]["composition"]["rows"],
            arguments.page,
        )
    else:
        measure(arguments.seeds, keep, arguments.cache)


if __name__ == "__main__":
    main()
