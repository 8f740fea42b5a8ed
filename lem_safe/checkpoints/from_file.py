"""What every kind of energy that is read from a file says of itself before it is read."""

from abc import ABC, abstractmethod

from barriers.coordinates import Coordinates
from lem_safe.energies.base import Energy


class FromFile(ABC):
    """The description of an energy in a file; BadInput wherever the file cannot be used."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns' names."""

    @property
    def dimension(self) -> int:
        return len(self.columns)

    @abstractmethod
    def load(self) -> Energy:
        """The energy over data units, frozen."""

    @property
    @abstractmethod
    def coordinates(self) -> Coordinates | None:
        """The whitened coordinates that the energy was learned in; None for one over data units."""
