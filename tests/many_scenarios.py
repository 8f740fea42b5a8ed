"""Scenarios of a few steps of many particles."""

from typing import Any

from lem_safe.keys import BLOCK
from lem_safe.registry import loads

SCENARIO = """
version: 1
name: many
energy: {{kind: gaussian_mixture, means: [[2, 0], [0, 2], [-2, 0]], std: 0.5}}
unsafe:
  pillar: {{kind: ball, center: [2, 0], radius: 0.8}}
  strip: {{kind: half_space, normal: [0, 1], offset: 2}}
constraints:
  - {{set: pillar, beta: 0.03}}
  - {{set: strip, beta: 0.05}}
sampler: {{samples: {samples}, steps: {steps}, step_size: {step_size}, init: {init}, {sampler}}}
filter: {{{filter}}}
monitors: {{every: 3, samples: 100}}
{more}
"""
INIT = "{kind: gaussian, mean: [0, 0.5], std: 0.6}"


def scenario(
    filter: str = "kind: gate",
    sampler: str = "kind: langevin",
    samples: int = BLOCK + 700,
    steps: int = 6,
    step_size: float = 0.05,
    more: str = "",
) -> Any:
    text = SCENARIO.format(
        filter=filter,
        sampler=sampler,
        samples=samples,
        steps=steps,
        step_size=step_size,
        more=more,
        init=INIT,
    )
    return loads(text)
