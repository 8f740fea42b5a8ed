"""Modules of one kind, held so that they are found, moved and saved with their owner."""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar, cast

from barriers.arrays import nn

Member = TypeVar("Member", bound=nn.Module)


class Members(nn.ModuleList, Generic[Member]):
    """A module list typed by its members: iterating it gives sets, or energies, with their methods."""

    def __init__(self, members: Iterable[Member]):
        super().__init__(members)

    def __iter__(self) -> Iterator[Member]:
        # only the constructor adds members
        return cast(Iterator[Member], super().__iter__())
