"""The smallest multiple of a change with which nothing is violated, by bisection.

A small cloud is tried with several multiples at once, side by side: which of them bisection would have tried
follows from their results, so the answer is that of trying one after the other.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

HALVINGS, PRECISION = 30, 1e-3
FACTOR = 8.0
"""From a multiple that is too small to the next one tried."""
FIRST = 2
"""So many rungs are tried first, where not all of them are: most often it is one of these."""
EACH = 4
"""One in so many of the trials that are possible at once takes as long as a call: no more are guessed."""
LEVELS = 5
"""The largest number of halvings that are decided at once, by 2^LEVELS − 1 trials."""


class Trials(NamedTuple):
    """Of each multiple tried: whether anything is violated, and by how much at most."""

    violated: list[bool]
    worst: list[float]


Search = Generator[list[float], Trials, float]
"""What is to be tried next, is told the results, and returns what was found."""


def smallest(tried: Callable[[Sequence[float]], Trials], most: float, at_once: int) -> float:
    """What `search` finds, with these results."""
    going = search(most, at_once)
    multiples = next(going)
    while True:
        try:
            multiples = going.send(tried(multiples))
        except StopIteration as end:
            return float(end.value)


def search(most: float, at_once: int) -> Search:
    """The smallest multiple ≤ most without a violation; where there is none, the best of 1, 8, 64, ..., most.

    At most max(at_once, 1) are tried together.
    """
    ladder, over = _ladder(most), dict[float, bool]()
    low, best, least = 0.0, ladder[0], float("inf")
    high: float | None = None
    ahead = _beside(ladder)
    first = next((n for n in (len(ladder), FIRST) if n + len(ahead) <= at_once), 0)
    ahead = ahead if first else ()
    for rungs in _together(ladder, first or FIRST, max(at_once, 1)):
        found = yield [*rungs, *ahead]
        over.update(zip(ahead, found.violated[len(rungs) :], strict=True))
        for c, out, worst in zip(rungs, found.violated, found.worst, strict=False):
            if not out:
                high = c
                break
            best, least = (c, worst) if worst < least else (best, least)
            low = c
        ahead = ()
        if high is not None:
            break
    if high is None:
        return best
    levels, halvings = min(LEVELS, max(1, (at_once // EACH + 1).bit_length() - 1)), 0
    while halvings < HALVINGS and high - low > PRECISION * high:
        middle = (low + high) / 2
        if middle not in over:
            middles = _middles(low, high, levels)
            found = yield middles
            over.update(zip(middles, found.violated, strict=True))
        low, high = (middle, high) if over[middle] else (low, middle)
        halvings += 1
    return high


@lru_cache(maxsize=16)
def _ladder(most: float) -> tuple[float, ...]:
    rungs = [min(1.0, most)]
    while rungs[-1] < most:
        rungs.append(min(FACTOR * rungs[-1], most))
    return tuple(rungs)


def _together(ladder: tuple[float, ...], first: int, at_once: int) -> Iterator[tuple[float, ...]]:
    """The rungs that are tried together, one part of the ladder after the other."""
    begin, end = 0, min(first, at_once)
    while begin < len(ladder):
        yield ladder[begin:end]
        begin, end = end, end + at_once


def _middles(low: float, high: float, levels: int) -> list[float]:
    """What so many halvings of an interval can try, as a tree: those of the lower half of the one at place k
    begin at 2k + 1, those of the upper half at 2k + 2.
    """
    intervals, middles = [(low, high)], list[float]()
    for _ in range(levels):
        halves = [(a, b, (a + b) / 2) for a, b in intervals]
        middles += [c for _, _, c in halves]
        intervals = [half for a, b, c in halves for half in ((a, c), (c, b))]
    return middles


@lru_cache(maxsize=16)
def _beside(ladder: tuple[float, ...]) -> tuple[float, ...]:
    """What is tried where the first rung or a little more is the smallest: most often, that is so."""
    rung, middles = ladder[0], [ladder[0] / 2]
    while rung - middles[-1] > PRECISION * rung:
        middles.append((middles[-1] + rung) / 2)
    high = ladder[min(1, len(ladder) - 1)]
    while high - rung > PRECISION * high:
        high = (rung + high) / 2
        middles.append(high)
    return tuple(middles)
