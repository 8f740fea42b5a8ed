"""A guard inside the samplers of other libraries: torchebm's and ebmkit's Langevin dynamics of an energy of
their own.

Both take one step at a time, so the guard stands between two steps. Neither library is needed by lem-safe:
`pip install --no-deps torchebm ebmkit`; one that is not installed is named and left out.

    python examples/other_libraries.py [--steps N]
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

import lem_safe
from lem_safe.sets import Ball

PILLAR, BETA, STEP = Ball([1.0, 0.0], 0.5), 0.02, 0.02

Step = Callable[[Tensor], Tensor]


class Kept(NamedTuple):
    """How many particles were inside at most after any step, with the guard and without, of `particles`."""

    guarded: int
    unguarded: int
    particles: int


def energy(x: Tensor) -> Tensor:
    """U of a normal distribution around the pillar, [n]."""
    return 0.5 * (x - torch.tensor([1.0, 0.0]).to(x)).square().sum(dim=1)


def torchebm_step() -> Step:
    """One step of torchebm's LangevinDynamics."""
    from torchebm.core import BaseModel
    from torchebm.samplers import LangevinDynamics

    class Model(BaseModel):
        def forward(self, x: Tensor) -> Tensor:
            return energy(x)

    sampler = LangevinDynamics(Model(), step_size=STEP, noise_scale=1.0)
    return lambda x: sampler.sample(x=x, n_steps=1)


def ebmkit_step() -> Step:
    """One step of ebmkit's LangevinDynamics."""
    import ebm

    sampler = ebm.LangevinDynamics(step_size=STEP)
    return lambda x: sampler.step(energy, x)


LIBRARIES = {"torchebm": torchebm_step, "ebmkit": ebmkit_step}


def chain(step: Step, steps: int, particles: int) -> Kept:
    """The same sampler twice, with the guard and without, from the same start."""
    torch.manual_seed(0)
    start = torch.randn(particles, 2) * 0.3 - torch.tensor([1.5, 0.0])
    guard = lem_safe.guard({"pillar": PILLAR}, beta=BETA)
    x, free, most, freely = start, start, 0, 0
    for _ in range(steps):
        x = guard(x, step(x))  # the one line
        free = step(free)
        most = max(most, guard.counts["pillar"])
        freely = max(freely, int(PILLAR.contains(free).sum()))
    print(guard.report(x))
    return Kept(most, freely, particles)


def main(steps: int = 200, particles: int = 1000) -> dict[str, Kept]:
    """What was counted, by library."""
    found = {}
    for name, make in LIBRARIES.items():
        try:
            step = make()
        except ImportError:
            print(f"{name} is not installed: pip install --no-deps {name}")
            continue
        found[name] = chain(step, steps, particles)
        print(f"{name}: at most {found[name].guarded} inside; {found[name].unguarded} without the guard")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200)
    main(parser.parse_args().steps)
