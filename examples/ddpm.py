"""A guard inside a diffusion model's reverse steps (DDPM), in plain torch.

A small network learns the noise in two moons at 100 noise levels. Sampling runs the levels backwards; the
guard stands between the proposed particles and those that are taken, at every level. It asks nothing of
the proposals, so its count holds although the kernel changes from level to level (G.2); that the samples
follow the KL projection of the moons is not promised (docs/guarded-generators.md).

    python examples/ddpm.py [--steps N]
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

import lem_safe
from lem_safe.data.distributions import TwoMoons
from lem_safe.sets import Ball

PILLAR, BETA = Ball([-0.2, 0.85], 0.4), 0.01
"""A part of the upper moon, and the fraction of the samples tolerated in it."""
LEVELS = 100
NOISE = torch.linspace(1e-3, 0.1, LEVELS)
"""The variance that each level adds."""
KEPT = (1 - NOISE).cumprod(0)
"""How much of a row's variance is left at each level."""


class Denoiser(nn.Module):
    """The noise in x [n, 2] at a level t [n]."""

    def __init__(self, width: int = 128):
        super().__init__()
        layers = [nn.Linear(2 + 8, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        phase = t[:, None] / LEVELS * torch.tensor([1.0, 2.0, 4.0, 8.0]) * torch.pi
        return self.net(torch.cat([x, phase.sin(), phase.cos()], 1))


def train(rows: Tensor, steps: int) -> Denoiser:
    """Least squares on the noise of noisy rows."""
    net = Denoiser()
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(steps):
        x, t = rows[torch.randint(len(rows), (512,))], torch.randint(LEVELS, (512,))
        noise = torch.randn_like(x)
        noisy = KEPT[t].sqrt()[:, None] * x + (1 - KEPT[t]).sqrt()[:, None] * noise
        optimiser.zero_grad()
        (net(noisy, t) - noise).square().mean().backward()
        optimiser.step()
    return net


@torch.no_grad()
def sample(net: Denoiser, x: Tensor, take: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The particles x of pure noise, denoised level by level; take: which of the proposals are taken."""
    for t in reversed(range(LEVELS)):
        noise = net(x, torch.full((len(x),), t))
        mean = (x - NOISE[t] / (1 - KEPT[t]).sqrt() * noise) / (1 - NOISE[t]).sqrt()
        proposal = mean + (NOISE[t].sqrt() * torch.randn_like(x) if t else 0)
        x = take(x, proposal)
    return x


def outside(x: Tensor) -> Tensor:
    """The particles with those inside drawn again: the promise starts from a start within the budget."""
    while bool((inside := PILLAR.contains(x)).any()):
        x = torch.where(inside[:, None], torch.randn_like(x), x)
    return x


class Result(NamedTuple):
    """The samples with a guard, and the fraction inside without one."""

    x: Tensor
    unguarded: float


def main(steps: int = 3000, particles: int = 2000, seed: int = 0) -> Result:
    """Trains, samples without and with a guard, and audits."""
    torch.manual_seed(seed)
    net = train(TwoMoons().load(seed).values.float(), steps)
    start = outside(torch.randn(particles, 2))
    free = PILLAR.contains(sample(net, start, lambda x, proposal: proposal)).double().mean().item()

    guard = lem_safe.guard({"pillar": PILLAR}, beta=BETA, seed=seed)
    x = sample(net, start, guard)

    report = guard.report(x)  # the audit: of these samples, and of every call
    print(f"inside the pillar: {free:.1%} without a guard, {guard.fractions[-1, 0]:.1%} with one")
    print(report)
    return Result(x, free)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000, help="steps of training")
    main(**vars(parser.parse_args()))
