"""The names of the columns of a path: waypoint by waypoint, x1, y1, x2, y2, ..."""

from collections.abc import Sequence

AXES = "xyz"


def names_of_shape(shape: Sequence[int]) -> tuple[str, ...]:
    """The columns' names of [waypoints, coordinates] or [waypoints, agents, coordinates]: x1, y1, x2, y2,
    ...; of several agents x1_1, y1_1, x1_2, ..., the waypoint first. Beyond three coordinates c1_1, c2_1,
    ..., c1_2.
    """
    waypoints, agents, size = shape[0], shape[1] if len(shape) == 3 else None, shape[-1]
    letters = list(AXES[:size]) if size <= len(AXES) else [f"c{k + 1}_" for k in range(size)]
    each = [""] if agents is None else [f"_{a + 1}" for a in range(agents)]
    return tuple(f"{letter}{t + 1}{agent}" for t in range(waypoints) for agent in each for letter in letters)
