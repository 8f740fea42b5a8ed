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
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lem_safe.energies import Energy, GaussianMixture, MixtureBased, Negation, WeightedSum
from lem_safe.energies.bounded import BoundedTrunk
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.reproduce.composition import CLOSE, MIDWAY, NEAR, ON_A_MIXTURE, PLAIN, STD, WEIGHT, A, B, Recipe
from lem_safe.runs.problem import Problem, build, start
from lem_safe.training import TrainingSettings
from lem_safe.training.checkpoint import describe

SAMPLES = 5000
HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "composition.md"
BLOCK = re.compile(r"(<!-- made by: python -m benchmarks\.composition -->\n).*?(<!-- end -->)", re.S)


RECIPES = {"on a mixture": ON_A_MIXTURE, "perceptron alone": PLAIN}


def learned(means: list[list[float]], recipe: Recipe, steps: int | None = None) -> str:
    """A trained energy as a scenario says it: a recipe of `lem-safe reproduce fig2`."""
    return json.dumps(
        {
            "kind": "trained",
            "data": {"kind": "gaussian_mixture", "means": means, "std": STD},
            "network": describe(recipe.network, recipe.network.kind),
            "loss": describe(recipe.loss, "calibrated"),
            "training": describe(recipe.training) | ({"steps": steps} if steps else {}),
        }
    )


def compositions(recipe: Recipe = ON_A_MIXTURE, steps: int | None = None) -> dict[str, str]:
    """The three, in YAML."""
    a, b = learned(A, recipe, steps), learned(B, recipe, steps)
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
sampler: {{kind: langevin, samples: {samples}, steps: {steps}, step_size: 0.0005,
  init: {{kind: gaussian, mean: [0, 0], std: 2.5}}}}
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


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of `measure`, a table a recipe, and what each says in a sentence."""
    return "\n".join(_of_recipe(name, rows) for name in dict.fromkeys(r["recipe"] for r in rows) if name)


def _of_recipe(name: str, rows: Sequence[dict[str, Any]]) -> str:
    mine = [r for r in rows if r["recipe"] in ("", name)]
    seeds = sorted({r["seed"] for r in mine} - {None})
    columns = [(kind, what) for kind, what in dict.fromkeys((r["composition"], r["what"]) for r in mine)]
    value = {(r["composition"], r["what"], r["how"], r["seed"]): r["value"] for r in mine}
    recipe = RECIPES[name]
    defaults = describe(TrainingSettings())
    text = [
        f"### {name[0].upper()}{name[1:]}",
        "",
        "```yaml",
        f"network: {_flow(describe(recipe.network, recipe.network.kind))}",
        f"loss: {_flow(describe(recipe.loss, 'calibrated'))}",
        f"training: {_flow({k: v for k, v in describe(recipe.training).items() if v != defaults[k]})}",
        "```",
        "",
        "| seed | how | " + " | ".join(f"{kind}: {what}" for kind, what in columns) + " |",
        "| --- | --- |" + " --: |" * len(columns),
    ]
    hows = [how for how in ("mixture", "law", "samples") if any(r["how"] == how for r in mine)]
    for seed, how in [(None, "exact"), *((seed, how) for seed in seeds for how in hows)]:
        numbers = [_cell(what, how, value[kind, what, how, seed]) for kind, what in columns]
        label = "trained" if how == "law" else how
        text.append(f"| {'' if seed is None else seed} | {label} | " + " | ".join(numbers) + " |")
    held = [
        seed
        for seed in seeds
        if all(held_by(what, value[kind, what, "samples", seed]) for kind, what in columns)
    ]
    return (
        "\n".join(text) + f"\n\nAll five claims hold for the samples of {len(held)} of {len(seeds)} seeds.\n"
    )


def _flow(fields: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in fields.items()) + "}"


CLAIMS: dict[str, Callable[[float], bool]] = {
    "near B": lambda share: share >= 0.98,
    "near A": lambda share: share == 0,
    "mean radius": lambda radius: abs(radius - 3.814) <= 0.1,
    "least share": lambda share: share >= 0.08,
    "largest share": lambda share: share <= 0.17,
}
"""What is claimed of the samples of each composition."""


def held_by(what: str, value: float) -> bool:
    """Whether a number is what is claimed; of some nothing is."""
    return CLAIMS.get(what, lambda _: True)(value)


def _cell(what: str, how: str, value: float) -> str:
    if what.startswith("near"):
        return (
            f"{round(SAMPLES * value):,}"
            if how == "samples"
            else f"{value:.2g}"
            if value < 0.001
            else f"{value:.5f}"
        )
    return f"{value:.3f}"


def write_page(rows: Sequence[dict[str, Any]], path: Path = PAGE) -> None:
    """The table between the page's markers."""
    path.write_text(
        BLOCK.sub(lambda m: m[1] + table(rows) + m[2], path.read_text(encoding="utf-8")), encoding="utf-8"
    )


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
