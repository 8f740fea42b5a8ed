"""Some clouds of a batch: taken out, worked on, put back. Records are named tuples of tensors with the clouds
as their first axis; where there is one number of each, these may be in numpy.
"""

from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Int

from barriers.arrays import Tensor, torch

Record = TypeVar("Record", bound=tuple[Any, ...])


def some(record: Record, which: Int[Tensor, "q"]) -> Record:
    """The clouds with these indices, in ascending order."""
    if len(which) == len(record[0]):
        return record
    return type(record)(*(_taken(part, which) for part in record))


def put_back(record: Record, which: Int[Tensor, "q"], new: Record) -> Record:
    """The record with these clouds, in ascending order, replaced by those of another one."""
    if len(which) == len(record[0]):
        return new
    return type(record)(*(_placed(part, which, own) for part, own in zip(record, new, strict=True)))


def mixed(chosen: Bool[Tensor, "*r"], one: Any, other: Any) -> Any:
    """`one` for the chosen clouds, `other` for the rest; each None, a tensor, or a tuple or dict of these."""
    if bool(chosen.all()):
        return one
    if one is None or not bool(chosen.any()):
        return other
    if isinstance(one, Tensor):
        return torch.where(chosen.reshape(-1, *[1] * (one.dim() - 1)), one, other)
    if isinstance(one, dict):
        return {name: mixed(chosen, part, other[name]) for name, part in one.items()}
    return type(one)(*(mixed(chosen, a, b) for a, b in zip(one, other, strict=True)))


def _taken(part: Any, which: Tensor) -> Any:
    return part[which.numpy()] if isinstance(part, np.ndarray) else part.index_select(0, which)


def _placed(part: Any, which: Tensor, own: Any) -> Any:
    if isinstance(part, Tensor):
        return part.index_copy(0, which, own)
    whole = part.copy()
    whole[which.numpy()] = own
    return whole
