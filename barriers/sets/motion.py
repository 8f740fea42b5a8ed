"""Speed and acceleration of a path: differences of its waypoints, at equal intervals of time dt.

speed          ‖x_{t+1} − x_t‖/dt                        ‖c‖ = √2
acceleration   ‖x_{t+1} − 2x_t + x_{t−1}‖/dt²            ‖c‖ = √6     (B.13)
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.sets.lengths import Lengths, length
from barriers.sets.waypoints import AGENTS, SIZE, placed, times
from barriers.specification import Context

DT = "The time from one waypoint to the next."


class Speed(Lengths):
    """Every path with a step faster than `above`, or slower than `below`: speed is the length of a step
    divided by `dt`.
    """

    order, coefficients = 1, (-1.0, 1.0)
    example: ClassVar[dict[str, object]] = {"kind": "speed", "above": 1.2, "size": 1}

    def __init__(
        self,
        columns: Annotated[Sequence[str], Context("columns")],
        above: Annotated[float | None, Gt(0), Doc("The highest speed that is allowed.")] = None,
        below: Annotated[
            float | None, Gt(0), Doc("The lowest speed that is allowed; a pause is slower than any.")
        ] = None,
        size: Annotated[int, Ge(1), Doc(SIZE)] = 2,
        dt: Annotated[float, Gt(0), Doc(DT)] = 1.0,
        agents: Annotated[int, Ge(1), Doc(AGENTS)] = 1,
    ):
        if above is None and below is None:
            raise ValueError("Speed: needs a limit; give above, below, or both")
        super().__init__("Speed", above, below, dt)
        if above is not None and below is not None and not below < above:
            raise ValueError(
                f"Speed: below must be less than above, or no path is safe; got below {below:g} and above "
                f"{above:g}"
            )
        self.times = times("Speed", columns, size, agents, 2, "a speed")
        self.size, self.agents, self.dimension = size, agents, len(columns)
        self.exact = self.times == 2 and agents == 1

    def vectors(self, x: Any) -> Any:
        w = placed(x, self.agents, self.size)
        return (w[..., 1:, :, :] - w[..., :-1, :, :]).reshape(*x.shape[:-1], -1, self.size)

    def terms(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n g"]:
        return length(self.vectors(x))

    def spread(self, active: Float[Tensor, "n g k"]) -> Float[Tensor, "n d"]:
        return _transposed(active, self.coefficients, self.agents)


class Acceleration(Lengths):
    """Every path with an acceleration above `above`: the second difference of three waypoints in a row,
    divided by `dt` squared.
    """

    order, coefficients = 2, (1.0, -2.0, 1.0)
    example: ClassVar[dict[str, object]] = {"kind": "acceleration", "above": 2.0, "size": 1}
    example_columns = 3

    def __init__(
        self,
        columns: Annotated[Sequence[str], Context("columns")],
        above: Annotated[float, Gt(0), Doc("The largest acceleration that is allowed.")],
        size: Annotated[int, Ge(1), Doc(SIZE)] = 2,
        dt: Annotated[float, Gt(0), Doc(DT)] = 1.0,
        agents: Annotated[int, Ge(1), Doc(AGENTS)] = 1,
    ):
        super().__init__("Acceleration", above, None, dt)
        self.times = times("Acceleration", columns, size, agents, 3, "an acceleration")
        self.size, self.agents, self.dimension = size, agents, len(columns)
        self.exact = self.times == 3 and agents == 1

    def vectors(self, x: Any) -> Any:
        steps = self._steps(x)
        return (steps[..., 1:, :, :] - steps[..., :-1, :, :]).reshape(*x.shape[:-1], -1, self.size)

    def terms(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n g"]:
        ρ = length(self._steps(x))
        return (ρ[..., 1:, :] + ρ[..., :-1, :]).flatten(-2)

    def spread(self, active: Float[Tensor, "n g k"]) -> Float[Tensor, "n d"]:
        return _transposed(active, self.coefficients, self.agents)

    def _steps(self, x: Any) -> Any:
        w = placed(x, self.agents, self.size)
        return w[..., 1:, :, :] - w[..., :-1, :, :]


def _transposed(
    active: Float[Tensor, "n g k"], coefficients: Sequence[float], agents: int
) -> Float[Tensor, "n d"]:
    """Each waypoint's share of the vectors that it is part of."""
    by_time = active.unflatten(1, (-1, agents))
    n, g, more = len(active), by_time.shape[1], len(coefficients) - 1
    total = active.new_zeros(n, g + more, agents, active.shape[-1])
    for i, c in enumerate(coefficients):
        total = total + torch.nn.functional.pad(c * by_time, (0, 0, 0, 0, i, more - i))
    return total.flatten(1)
