"""The layout of paths: a row is T times, A agents and k coordinates, [T, A, k], row by row; a path of one
agent is [T, k].
"""

from collections.abc import Sequence
from typing import Any, Literal

Between = Literal["segments", "points"]
SIZE = "How many coordinates a waypoint has; it must divide the number of columns."
AGENTS = (
    "How many agents move together; the columns are then, time after time, the coordinates of the "
    "first agent, of the second, and so on."
)


def times(owner: str, columns: Sequence[str], size: int, agents: int, fewest: int, reason: str) -> int:
    """T, the number of waypoints; ValueError where the columns are not whole waypoints, or fewer than
    `fewest`, which `reason` needs.
    """
    for name, value in (("size", size), ("agents", agents)):
        if value < 1:
            raise ValueError(f"{owner}: {name} must be at least 1; got {value}")
    whole = size * agents
    if not columns or len(columns) % whole:
        of = f"{agents} agents with {size} coordinates each" if agents > 1 else f"{size} coordinates"
        raise ValueError(
            f"{owner}: {len(columns)} columns are not whole waypoints of {of}; size"
            f"{' times agents' * (agents > 1)} must divide the number of columns"
        )
    found = len(columns) // whole
    if found < fewest:
        raise ValueError(
            f"{owner}: {reason} needs at least {fewest} waypoints; {len(columns)} columns are {found} of "
            f"{whole} columns each"
        )
    return found


def placed(x: Any, agents: int, size: int) -> Any:
    """The positions of a batch of rows, a tensor or an array of integers: [*n, T, A, k]."""
    return x.reshape(*x.shape[:-1], -1, agents, size)
