"""Plain runs of torchebm and ebmkit: their own denoising loss, network and Langevin, as their documentation
writes it.

Both are optional: `pip install --no-deps torchebm ebmkit`. A peer gets the same whitened rows, noise, width
and depth, batch, Adam at its usual 1e-3, and as many CPU seconds of training as ours took; then the same
starts, step size and number of steps.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Task(NamedTuple):
    """What a peer is given. rows [n, 2] and start [k, 2]: whitened; seconds: of CPU time, for training."""

    rows: Tensor
    start: Tensor
    sigma: float
    hidden: tuple[int, ...]
    batch_size: int
    seconds: float
    step_size: float
    steps: int
    seed: int


class Made(NamedTuple):
    """The samples, where Langevin took the starts; the version; how many optimiser steps fitted into the
    seconds.
    """

    x: Tensor
    version: str
    steps: int


def torchebm(task: Task) -> Made:
    """torchebm.losses.DenoisingScoreMatching on an MLP, torchebm.samplers.LangevinDynamics."""
    from importlib.metadata import version

    from torchebm.core import BaseModel
    from torchebm.losses import DenoisingScoreMatching
    from torchebm.samplers import LangevinDynamics

    class MLP(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            widths, layers = (task.rows.shape[1], *task.hidden), []
            for i, o in zip(widths, widths[1:], strict=False):
                layers += [nn.Linear(i, o), nn.SiLU()]
            self.net = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x).squeeze(-1)

    torch.manual_seed(task.seed)
    energy = MLP()
    loss, optimizer = (
        DenoisingScoreMatching(model=energy, noise_scale=task.sigma),
        torch.optim.Adam(energy.parameters(), lr=1e-3),
    )
    began, steps = time.process_time(), 0
    while time.process_time() - began < task.seconds:
        optimizer.zero_grad()
        loss(task.rows[torch.randint(len(task.rows), (task.batch_size,))]).backward()
        optimizer.step()
        steps += 1
    energy.requires_grad_(False)
    sampler = LangevinDynamics(energy, step_size=task.step_size, noise_scale=1.0)
    return Made(sampler.sample(x=task.start, n_steps=task.steps), version("torchebm"), steps)


def ebmkit(task: Task) -> Made:
    """ebm.DenoisingScoreMatching on ebm.nets.MLPEnergy by ebm.Trainer, ebm.LangevinDynamics."""
    from importlib.metadata import version

    import ebm

    torch.manual_seed(task.seed)
    energy = ebm.nets.MLPEnergy(dim=task.rows.shape[1], hidden=task.hidden)
    trainer = ebm.Trainer(energy, ebm.DenoisingScoreMatching(sigma=task.sigma), lr=1e-3)
    began, chunk = time.process_time(), 20
    while time.process_time() - began < task.seconds:
        trainer.fit(task.rows, steps=chunk, batch_size=task.batch_size, verbose=False)
    sampler = ebm.LangevinDynamics(step_size=task.step_size, steps=task.steps)
    return Made(sampler.sample(energy, task.start), version("ebmkit"), trainer.step_count)


PEERS: dict[str, Callable[[Task], Made]] = {"torchebm": torchebm, "ebmkit": ebmkit}
