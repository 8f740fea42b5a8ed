"""What a guard adds to a loop of one's own: 10,000 particles under Langevin steps of a network's energy.

    python -m benchmarks guard
    python -m benchmarks.guard [--steps N] [--rounds N]

The loop is plain torch, with the gradient by autograd, of an MLP with three layers of 128; the same loop
with the same noise is run without a guard and with one of each kind, in one process on one core, turn about,
a few steps each: processor time, of each the least of several rounds. Two dimensions, float32, one ball, at
most 5 % of the particles in it.
"""

import argparse
import json
import time
from typing import Any

import torch
from torch import Tensor, nn

import lem_safe
from lem_safe.sets import Ball

PARTICLES, STEP_SIZE, BETA = 10_000, 0.01, 0.05
PILLAR = Ball([1.0, 0.0], 0.5)
KINDS: dict[str, dict[str, Any]] = {
    "gate": {},
    "reject": {},
    "tilt": {"multipliers": [1.0]},
    "step": {"step_size": STEP_SIZE},
}
WARM = 30
"""Steps before the first that is timed."""


class Loop:
    """One chain, its noise from a generator of its own."""

    def __init__(self, net: nn.Module, kind: str | None):
        self.net, self.generator = net, torch.Generator().manual_seed(0)
        self.x = torch.randn(PARTICLES, 2, generator=self.generator) * 0.5 - torch.tensor([1.0, 0.0])
        self.x[PILLAR.contains(self.x)] -= 1.0
        self.guard = None
        if kind is not None:
            self.guard = lem_safe.guard({"pillar": PILLAR}, beta=BETA, kind=kind, seed=0, **KINDS[kind])

    def advance(self) -> None:
        """One step, guarded where there is a guard."""
        x = self.x
        noise = torch.randn(x.shape, generator=self.generator)
        proposal = x - STEP_SIZE * self._gradient(x) + (2 * STEP_SIZE) ** 0.5 * noise
        self.x = proposal if self.guard is None else self.guard(x, proposal)

    def _gradient(self, x: Tensor) -> Tensor:
        z = x.detach().requires_grad_()
        U = self.net(z).sum() + 0.5 * z.square().sum()
        return torch.autograd.grad(U, z)[0]


def network() -> nn.Module:
    """Three hidden layers of 128."""
    torch.manual_seed(0)
    widths, layers = [2, 128, 128, 128], []
    for k, out in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(k, out), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear(128, 1)).requires_grad_(False)


def measure(steps: int = 10, rounds: int = 12) -> list[dict[str, Any]]:
    """One row per kind: milliseconds per step of the loop without and with a guard, and their ratio."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        net = network()
        loops = {kind: Loop(net, kind) for kind in (None, *KINDS)}
        for loop in loops.values():
            for _ in range(WARM):
                loop.advance()
        least = dict.fromkeys(loops, float("inf"))
        for _ in range(rounds):
            for kind, loop in loops.items():
                began = time.process_time()
                for _ in range(steps):
                    loop.advance()
                least[kind] = min(least[kind], (time.process_time() - began) / steps)
    finally:
        torch.set_num_threads(threads)
    return [
        {
            "filter": kind,
            "without_ms": round(1e3 * least[None], 3),
            "with_ms": round(1e3 * least[kind], 3),
            "ratio": round(least[kind] / least[None], 3),
        }
        for kind in KINDS
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=12)
    print(json.dumps(measure(**vars(parser.parse_args())), indent=1))
