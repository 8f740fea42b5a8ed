"""A guard inside an EDM-like sampler: a preconditioned denoiser, and stochastic steps down a noise schedule.

The denoiser D(x, σ) of eight Gaussians is a network with EDM's scalings of its input and output. Each step
raises the noise a little and takes an Euler step to the next level; the guard decides which of these moves
are taken. Three filters are compared: gate refuses moves, step mirrors them at the boundary, and reject
keeps everybody out. All three hold at every level, since they ask nothing of the moves (G.2, D.4).

    python examples/edm.py [--steps N]
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

import lem_safe
from lem_safe.data.distributions import EightGaussians
from lem_safe.sets import Ball

PILLAR, BETA = Ball([2.0, 0.0], 0.8), 0.02
"""One of the eight modes, and the fraction of the samples tolerated in it."""
DATA = 1.5
"""The standard deviation of the data."""
LEVELS, LEAST, MOST, BEND = 40, 0.02, 20.0, 7.0
RAISED = 0.2
"""By how much of its size the noise is raised before each step."""


def schedule() -> Tensor:
    """The noise levels, from MOST down to LEAST, and 0."""
    ends = MOST ** (1 / BEND), LEAST ** (1 / BEND)
    return torch.cat([torch.linspace(*ends, LEVELS) ** BEND, torch.zeros(1)])


class Denoiser(nn.Module):
    """E[data | x] of x = data + σ·noise, with σ [n, 1]."""

    def __init__(self, width: int = 128):
        super().__init__()
        layers = [nn.Linear(3, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor, σ: Tensor) -> Tensor:
        total = (σ.square() + DATA**2).sqrt()
        out = self.net(torch.cat([x / total, σ.log() / 4], 1))
        return DATA**2 / total.square() * x + σ * DATA / total * out


def train(rows: Tensor, steps: int) -> Denoiser:
    """Least squares on clean rows, weighted as the network's output is."""
    net = Denoiser()
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(steps):
        x, σ = rows[torch.randint(len(rows), (512,))], (-0.5 + 1.4 * torch.randn(512, 1)).exp()
        weight = (σ.square() + DATA**2) / (σ * DATA).square()
        optimiser.zero_grad()
        (weight * (net(x + σ * torch.randn_like(x), σ) - x).square()).mean().backward()
        optimiser.step()
    return net


@torch.no_grad()
def sample(net: Denoiser, x: Tensor, take: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The particles x of noise MOST, level by level; take: which of the proposals are taken."""
    levels = schedule()
    for σ, after in zip(levels[:-1], levels[1:], strict=True):
        raised = σ * (1 + RAISED)
        noisy = x + (raised**2 - σ**2).sqrt() * torch.randn_like(x)
        slope = (noisy - net(noisy, raised.expand(len(x), 1))) / raised
        x = take(x, noisy + (after - raised) * slope)
    return x


class Result(NamedTuple):
    """The fraction inside of each sampler, and whether each guarded one passed its audit."""

    fractions: dict[str, float]
    passed: dict[str, bool]


def main(steps: int = 3000, particles: int = 2000, seed: int = 0) -> Result:
    """Trains, samples without and with each guard, and audits."""
    torch.manual_seed(seed)
    net = train(EightGaussians().load(seed).values.float(), steps)
    start = MOST * torch.randn(particles, 2)
    start[PILLAR.contains(start)] += 2 * MOST  # from a start within the budget
    free = sample(net, start, lambda x, proposal: proposal)
    fractions, passed = {"no guard": PILLAR.contains(free).double().mean().item()}, {}
    for kind, more in {"gate": {}, "step": {"step_size": LEAST**2}, "reject": {}}.items():
        guard = lem_safe.guard({"pillar": PILLAR}, beta=BETA, kind=kind, seed=seed, **more)
        x = sample(net, start, guard)
        report = guard.report(x)  # the audit: of these samples, and of every call
        fractions[kind], passed[kind] = float(guard.fractions[-1, 0]), report.passed
        print(f"{kind}: {str(report).splitlines()[0]}")
    print(", ".join(f"{kind} {share:.1%}" for kind, share in fractions.items()) + " inside the pillar")
    return Result(fractions, passed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000, help="steps of training")
    main(**vars(parser.parse_args()))
