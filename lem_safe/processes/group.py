"""The processes that do something together: process 0 leads and tells the others what comes next."""

from abc import ABC, abstractmethod
from typing import Any

from lem_safe.processes.wire import Wire


class Group(ABC):
    """Process `rank` of `size`."""

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        return self.rank == 0

    @abstractmethod
    def device(self, name: str) -> str:
        """The device of this process, where one is asked for by its kind alone."""

    @abstractmethod
    def wire(self, size: int) -> Wire | None:
        """The wire of the first processes, as many as that; None in one that is not among them. All
        processes ask for the same one at the same time.
        """

    @abstractmethod
    def tell(self, word: Any) -> None:
        """Says something to all others, who `hear` it."""

    @abstractmethod
    def hear(self) -> Any:
        """What process 0 says next, however long that takes; JobEnded where the job has ended instead."""


class Alone(Group):
    """The only process there is."""

    rank, size = 0, 1

    def device(self, name: str) -> str:
        return name

    def wire(self, size: int) -> None:
        raise AssertionError("one process asks nobody")

    def tell(self, word: Any) -> None:
        """Nobody hears it."""

    def hear(self) -> Any:
        raise AssertionError("nobody speaks to the only process")


ALONE = Alone()
