"""A user's function of paths [n, waypoints, coordinates] as one of rows [n, d]."""

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

from barriers.arrays import Tensor, nn
from barriers.sets.any_dtype import name_of
from lem_safe.data.path_names import names_of_shape
from lem_safe.errors import BadInput, Fault


class ShapedModule(nn.Module):
    """`inner`, called with rows in their shape."""

    def __init__(self, inner: nn.Module, shape: Sequence[int]):
        super().__init__()
        self.inner, self.shape = inner, tuple(shape)
        self.__name__ = name_of(inner)

    def forward(self, x: Tensor) -> Any:
        return self.inner(x.reshape(-1, *self.shape))


def shaped(function: Callable[[Any], Any], shape: Sequence[int] | None) -> Callable[[Any], Any]:
    """The same function of rows; itself where no shape is said."""
    if shape is None:
        return function
    if isinstance(function, nn.Module):
        return ShapedModule(function, shape)
    own = tuple(shape)

    def of_rows(x: Any) -> Any:
        return function(x.reshape(-1, *own))

    of_rows.__name__ = name_of(function)
    return of_rows


def checked_shape(shape: Any, who: str) -> tuple[int, ...] | None:
    """The shape of a path, [waypoints, coordinates] or [waypoints, agents, coordinates]; BadInput for what is
    none.
    """
    if shape is None:
        return None
    whole = isinstance(shape, Sequence) and all(
        isinstance(n, Integral) and not isinstance(n, bool) and int(n) > 0 for n in shape
    )
    if not whole or len(shape) not in (2, 3):
        example = "(waypoints, coordinates), as in shape=(32, 2)"
        raise BadInput(Fault(f"must be {example}; got {shape!r}", who, key="shape"))
    return tuple(int(n) for n in shape)


def path_columns(shape: Sequence[int]) -> tuple[str, ...]:
    """The names of the columns of paths of this shape, (waypoints, coordinates) or (waypoints, agents,
    coordinates), for sets that are told them: x1, y1, x2, y2, ... BadInput for what is no shape.

    >>> path_columns((2, 2))
    ('x1', 'y1', 'x2', 'y2')
    """
    checked = checked_shape(shape if shape is not None else (), "lem_safe.path_columns")
    return names_of_shape(checked or ())


def width(shape: Sequence[int]) -> int:
    """The number of columns."""
    return math.prod(shape)
