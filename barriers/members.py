"""Modules of one kind, held so that they are found, moved and saved with what they belong to."""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar, cast

from torch import nn

Member = TypeVar("Member", bound=nn.Module)


class Members(nn.ModuleList, Generic[Member]):
    """A module list that remembers the kind of what it holds: iterating it gives sets, or energies, with the
    methods that these have.
    """

    def __init__(self, members: Iterable[Member]):
        super().__init__(members)

    def __iter__(self) -> Iterator[Member]:
        # nothing but the constructor puts anything in
        return cast(Iterator[Member], super().__iter__())
