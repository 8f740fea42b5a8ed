"""A combined error of five axes that exceeds its limit once in 100,000 draws: counting sees nothing. Subset
simulation estimates the probability from far fewer evaluations, and says that it is an estimate; here the
exact value is known, and stands beside it. A filter keeps every sample of a generator below the limit.

Expected verdict: passed.

    python rare_and_unsafe.py
"""

from typing import Any

import torch
from scipy.stats import chi2
from torch import Tensor

import lem_safe
from lem_safe.keys import Key
from lem_safe.normalization.subset_simulation import SubsetEstimate, metropolis, subset_simulation

AXES, LIMIT = 5, 5.56  # how many errors there are, in standard deviations, and what is unsafe
SAMPLES, LEVEL, MOVES = 5000, 2000, 4  # of the generator; of each level, and the steps between two of them


def energy(x: Tensor) -> Tensor:
    """U(x) in nats of rows [n, 5]: independent errors. Put yours here."""
    return x.square().sum(-1) / 2


def margin(x: Tensor) -> Tensor:
    """What is left up to the limit: unsafe where it is negative. Put yours here."""
    return LIMIT - x.norm(dim=-1)


def generate(samples: int = SAMPLES, seed: int = 0, **options: Any) -> lem_safe.Run:
    """Samples under a filter that lets none in, beside those without it. options: others of lem_safe.sample,
    such as out="runs/mine" for a report.
    """
    return lem_safe.sample(
        energy,
        {"too_far": lem_safe.Constraint(margin, smooth=True)},
        beta=1e-5,
        filter="reject",
        sampler="mala",
        init=Key(seed).fold("init").normal(torch.empty(samples, AXES)),
        steps=300,
        step_size=0.6,
        seed=seed,
        monitors={"every": 50, "samples": 1000},
        name="rare_and_unsafe",
        **options,
    )


def estimate(seed: int = 0, n: int = LEVEL, moves: int = MOVES) -> SubsetEstimate:
    """The probability of a negative margin, from n independent samples and chains within ever nearer
    levels.
    """
    key = Key(seed)
    start = key.fold("start").normal(torch.empty(n, AXES, dtype=torch.float64))  # or samples of your model
    move = metropolis(lem_safe.energy(energy, dimension=AXES).value_and_gradient, step_size=0.4)
    return subset_simulation(key.fold("levels"), start, margin, move, moves=moves)


def exact() -> float:
    """The probability itself, which is known for these errors: the square of their length has a χ²
    distribution.
    """
    return float(chi2.sf(LIMIT**2, AXES))


def main() -> None:
    print(generate().report)
    print(f"\nsubset simulation  {estimate()}\nexact              {exact():.3g}")


if __name__ == "__main__":
    main()
