"""A guard inside the integrator of a flow-matching model.

A network learns the velocity that carries noise to a pinwheel along straight lines. Its flow has no noise, so
a particle that is refused waits where it is, and is asked again with the next velocity. Between two calls
nothing is looked at: a step that jumps over a region is not seen, so the steps are short beside it.

    python examples/flow_matching.py [--steps N]
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

import lem_safe
from lem_safe.data.distributions import Pinwheel
from lem_safe.sets import Constraint

STEPS, BETA = 200, 0.01
"""Steps of the integrator, and the fraction of the samples tolerated in the region."""


def level(x: Tensor) -> Tensor:
    """Negative right of a line that rises to the right: the region is given by a function alone."""
    return 1.0 + 0.3 * x[:, 1] - x[:, 0]


WALL = Constraint(level)


class Velocity(nn.Module):
    """The velocity at x [n, 2] and time t [n, 1] between 0 and 1."""

    def __init__(self, width: int = 128):
        super().__init__()
        layers = [nn.Linear(3, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.net(torch.cat([x, t], 1))


def train(rows: Tensor, steps: int) -> Velocity:
    """Least squares on the direction from noise to data, at a random place between them."""
    net = Velocity()
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(steps):
        end, t = rows[torch.randint(len(rows), (512,))], torch.rand(512, 1)
        begin = torch.randn_like(end)
        optimiser.zero_grad()
        (net((1 - t) * begin + t * end, t) - (end - begin)).square().mean().backward()
        optimiser.step()
    return net


@torch.no_grad()
def sample(net: Velocity, x: Tensor, take: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The particles x of noise, carried from time 0 to 1; take: which of the moves are taken."""
    for k in range(STEPS):
        x = take(x, x + net(x, torch.full((len(x), 1), k / STEPS)) / STEPS)
    return x


class Result(NamedTuple):
    """The samples with a guard, and the fraction inside without one."""

    x: Tensor
    unguarded: float


def main(steps: int = 3000, particles: int = 2000, seed: int = 0) -> Result:
    """Trains, samples without and with a guard, and audits."""
    torch.manual_seed(seed)
    net = train(Pinwheel().load(seed).values.float(), steps)
    start = torch.randn(particles, 2)
    start = torch.where(WALL.contains(start)[:, None], -start.abs(), start)  # left of the wall
    free = WALL.contains(sample(net, start, lambda x, proposal: proposal)).double().mean().item()

    guard = lem_safe.guard({"wall": WALL}, beta=BETA, seed=seed)
    x = sample(net, start, guard)

    report = guard.report(x)  # the audit: of these samples, and of every call
    print(f"behind the wall: {free:.1%} without a guard, {guard.fractions[-1, 0]:.1%} with one")
    print(report)
    return Result(x, free)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000, help="steps of training")
    main(**vars(parser.parse_args()))
