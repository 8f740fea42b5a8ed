"""Scenario texts that tests load, break and mutate."""

GOOD = """\
version: 1
name: two_balls
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  near: {kind: ball, center: [2, 0], radius: 0.8}
  wall: {kind: half_space, normal: [1, 0], offset: 3}
  both: {any: [near, wall]}
constraints:
  - {set: both, beta: 0.03}
sampler: {kind: langevin, samples: 100, steps: 10, step_size: 1e-2}
filter: {kind: gate}
"""

THREE_MODES = """\
version: 1
name: three_modes
energy: {kind: gaussian_mixture, means: [[1, 0], [-1, 0], [0, 1]], std: 0.5}
unsafe:
  disc: {kind: ball, center: [1, 0], radius: 0.6}
  right: {kind: half_space, normal: [1, 0], offset: 0.8}
constraints: [{set: disc, beta: 0.05}, {set: right, beta: 0.07}]
sampler: {kind: langevin, samples: 400, steps: 120, step_size: 0.01,
  init: {kind: gaussian, mean: [-1, 0], std: 0.3}}
filter: FILTER
"""
"""Two regions over one mode of three; FILTER is to be replaced."""


def changed(old: str, new: str, text: str = GOOD) -> str:
    """The good scenario with one piece replaced; the piece must be there."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
    return text.replace(old, new)


CORNER = """\
version: 1
name: corner
seed: {seed}
energy: {{kind: gaussian, mean: [0, 0], std: 1}}
unsafe:
  right: {{kind: half_space, normal: [1, 0], offset: 0.5}}
  top: {{kind: half_space, normal: [0, 1], offset: 0.5}}
constraints: [{{set: right, beta: {beta}}}, {{set: top, beta: 0.25}}]
sampler: {{kind: mala, samples: {samples}, steps: {steps}, step_size: 0.5, init: {init}}}
filter: {filter}
audit: {audit}
"""
"""Two half-planes that overlap in a corner, to be formatted."""
AWAY = "{kind: gaussian, mean: [-1, -1], std: 0.3}"
"""A start outside both."""
