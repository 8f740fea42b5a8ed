"""The paper's three compositions as scenarios, built and sampled like any other."""

import json
from pathlib import Path

from torch import Tensor

from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.reproduce.composition import ON_A_MIXTURE, PLAIN, STD, WEIGHT, A, B, Recipe
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.starting import start
from lem_safe.training.checkpoint import describe

SAMPLES = 5000
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
