"""The time of a step of several runs, turn about, where some steps are more work than others.

The same runs are taken several times, from their start: of each round of steps the least processor time of
all takes, which is what the machine did not add, and of these the mean over the rounds, which is the work.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class Chain(Protocol):
    """Whatever takes steps."""

    def advance(self) -> None:
        """Takes one."""


Begun = Callable[[], Mapping[str, Sequence[Chain]]]
"""The runs of each side, at their start."""


def per_step(begun: Begun, warm: int, steps: int, rounds: int, takes: int) -> dict[str, float]:
    """Seconds of each side for a step of all its runs. warm: steps before the first that is timed."""
    each = [_take(begun(), warm, steps, rounds) for _ in range(takes)]
    least = {side: map(min, zip(*(take[side] for take in each), strict=True)) for side in each[0]}
    return {side: sum(seconds) / (rounds * steps) for side, seconds in least.items()}


def fitting(chain: Chain, seconds: float) -> int:
    """How many steps take about so long, after two that are not timed."""
    for _ in range(2):
        chain.advance()
    began = time.process_time()
    chain.advance()
    return max(1, round(seconds / max(time.process_time() - began, 1e-6)))


def _take(sides: Mapping[str, Sequence[Chain]], warm: int, steps: int, rounds: int) -> dict[str, list[float]]:
    """The processor time of every round of each side."""
    for chains in sides.values():
        _advanced(chains, warm)
    taken: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, chains in sides.items():
            began = time.process_time()
            _advanced(chains, steps)
            taken[side].append(time.process_time() - began)
    return taken


def _advanced(chains: Sequence[Chain], steps: int) -> None:
    for chain in chains:
        for _ in range(steps):
            chain.advance()
