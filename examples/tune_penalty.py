"""Tune a penalty weight by differentiating through the sampler.

A penalty μφ that is added to the energy lowers the mass inside an unsafe region, but it is not known in
advance by how much: the weight has to be found. Here it is found by Newton's method. Every particle of an
unrolled Langevin run is a differentiable function of μ while the noise is held fixed. So one run gives the
fraction inside and, from the same fraction with a smoothed indicator, its derivative with respect to μ:

    log μ  ←  log μ − (fraction − target) / (∂ smooth fraction/∂ log μ)

The region is the ball around (2, 0) with radius .8, and the distribution is a ring of eight Gaussians; 10.2 %
of the unconstrained mass is inside, and the target is 3 %. The last line repeats the run with fresh noise. A
penalty bounds nothing (C.5): for a bound at every step use the filters `step` or `gate`.

    python examples/tune_penalty.py
"""

import argparse
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from barriers.filters import Penalty
from barriers.functionals import smooth_mass
from barriers.sets import Ball
from barriers.surrogates import Sigmoid
from lem_safe.energies import GaussianMixture, Unrolled
from lem_safe.keys import Key
from lem_safe.samplers import Langevin

STEP_SIZE = 0.01
ANGLES = torch.arange(8, dtype=torch.float64) * math.pi / 4
RING = GaussianMixture((2 * torch.stack([ANGLES.cos(), ANGLES.sin()], 1)).tolist(), std=0.5)
PILLAR = Ball([2.0, 0.0], 0.8)
SMOOTHING = 0.1
"""Width of the smoothed indicator whose derivative is used: so wide that many particles are on its ramp."""
LARGEST_FACTOR = 4.0
"""The largest factor by which one Newton step may change the weight."""
TOLERANCE = 0.01
"""The accepted relative difference between the fraction and the target."""


class Tuned(NamedTuple):
    """The weight, and the fraction inside with it: with the noise it was tuned on, and with fresh noise."""

    weight: float
    fraction: float
    fresh_fraction: float


def final_cloud(weight: Tensor, particles: int, steps: int, key: Key) -> Tensor:
    """The final cloud of a penalised run from equilibrium; differentiable in `weight`. The noise is a
    function of `key`.
    """
    penalty = Penalty(smooth_mass([PILLAR], [Sigmoid(0.3, margin=0.1)], [0.0]), [weight])
    sampler = Langevin(Unrolled(RING), STEP_SIZE, drift_filter=penalty)
    state = sampler.init(RING.sample(key.fold("start").generator(), particles))
    for k in range(steps):
        state, _ = sampler.step(key.fold(k), state)
    return state.x


def fraction(x: Tensor) -> float:
    """The counted fraction inside."""
    return float(PILLAR.contains(x).double().mean())


def tune(
    target: float = 0.03,
    iterations: int = 8,
    particles: int = 10_000,
    steps: int = 80,
    seed: int = 0,
    show: Callable[[str], None] = print,
) -> Tuned:
    """Newton's method on log μ, until the fraction is within TOLERANCE or after `iterations` steps."""
    log_weight, key = torch.zeros((), dtype=torch.float64), Key(seed)
    for i in range(iterations):
        log_weight = log_weight.detach().requires_grad_()
        weight = log_weight.exp()
        x = final_cloud(weight, particles, steps, key)
        (slope,) = torch.autograd.grad(torch.sigmoid(-PILLAR(x) / SMOOTHING).mean(), log_weight)
        miss = fraction(x) - target
        show(
            f"{i + 1:2d}  weight {weight.item():7.3f}  inside {fraction(x):.4f}  d inside / d log weight "
            f"{slope.item():+.4f}"
        )
        if abs(miss) <= TOLERANCE * target:
            break
        log_weight = log_weight - (miss / slope).clamp(-math.log(LARGEST_FACTOR), math.log(LARGEST_FACTOR))
    with torch.no_grad():
        weight = log_weight.exp()
        tuned, fresh = (fraction(final_cloud(weight, particles, steps, k)) for k in (key, Key(seed + 1)))
    noise = math.sqrt(2 * target * (1 - target) / particles)  # of the difference of two runs
    show(
        f"target {target:.4f}: weight {weight:.3f} leaves {tuned:.4f} inside; with fresh noise {fresh:.4f} "
        f"(± {noise:.4f})"
    )
    return Tuned(float(weight), tuned, fresh)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Tune a penalty weight by differentiating through the sampler."
    )
    parser.add_argument(
        "--target", type=float, default=0.03, help="the fraction that should be inside the region"
    )
    parser.add_argument("--iterations", type=int, default=8, help="the largest number of Newton steps")
    tune(**vars(parser.parse_args()))
