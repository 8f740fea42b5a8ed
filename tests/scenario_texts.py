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


def changed(old: str, new: str, text: str = GOOD) -> str:
    """The good scenario with one piece replaced; the piece must be there."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
    return text.replace(old, new)
