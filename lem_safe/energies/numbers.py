"""Numbers of constructors: checked on entry, float64 afterwards. A tensor stays in its graph."""

import math
from collections.abc import Sequence
from typing import TypeVar

from jaxtyping import Float

from barriers.arrays import Tensor, torch

Number = TypeVar("Number", float, Tensor)


def vector(owner: str, name: str, values: Sequence[float] | Tensor) -> Float[Tensor, "d"]:
    """A float64 vector from a list of finite numbers."""
    try:
        tensor = torch.as_tensor(values, dtype=torch.float64)
    except (TypeError, ValueError):
        tensor = torch.empty(0, 0)
    if tensor.ndim != 1 or tensor.shape[0] == 0:
        raise ValueError(f"{owner}: {name} must be a list of numbers; got {values!r}")
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{owner}: {name} must be finite; got {values!r}")
    return tensor


def points(owner: str, name: str, values: Sequence[Sequence[float]] | Tensor) -> Float[Tensor, "k d"]:
    """A float64 table from a list of points of one dimension."""
    lengths = {len(point) for point in values}
    if len(values) == 0 or len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"{owner}: {name} must be a list of points with the same number of columns; got {values!r}"
        )
    return torch.stack([vector(owner, f"{name}[{i}]", point) for i, point in enumerate(values)])


def positive(owner: str, name: str, value: Number) -> Number:
    """The number itself where it is finite and > 0."""
    if not 0 < value < math.inf:
        raise ValueError(f"{owner}: {name} must be > 0; got {value:g}")
    return value if isinstance(value, Tensor) else float(value)


def finite(owner: str, name: str, value: Number) -> Number:
    """The number itself where it is finite."""
    if not -math.inf < value < math.inf:
        raise ValueError(f"{owner}: {name} must be finite; got {value:g}")
    return value if isinstance(value, Tensor) else float(value)
