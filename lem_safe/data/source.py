"""The source of training rows: it has columns, and a fingerprint of its content."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float64

from barriers.arrays import Tensor, torch
from lem_safe.data.typed.codec import Codec


@dataclass(frozen=True)
class Dataset:
    """n rows in the data's own units, with the names of the columns; `dropped` rows missed a value and are
    not among them. codec: of a table with columns of other types than numbers, what its values stand for.
    components: how many principal components of the rows an energy is learned in; None for all columns.
    """

    values: Float64[Tensor, "n d"]
    columns: tuple[str, ...]
    dropped: int = 0
    codec: Codec | None = None
    components: int | None = None


class DataSource(ABC):
    """A scenario's `data:`. Loading may raise BadInput; so may `columns`, where they are in a file."""

    example: ClassVar[dict[str, object]]
    """A specification of a member, without a file where possible, for the law tests."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, as identifiers."""

    @property
    def dimension(self) -> int:
        return len(self.columns)

    @property
    def path_shape(self) -> tuple[int, ...] | None:
        """Of rows that are paths: [waypoints, coordinates], or [waypoints, agents, coordinates]."""
        return None

    @abstractmethod
    def load(self, seed: int) -> Dataset:
        """The rows; random choices use `seed`."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of everything the rows depend on except the seed: parameters, and the content of files."""


def digest(*parts: str | bytes) -> str:
    """One sha256, in hex, of several pieces, including their boundaries."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        h.update(len(data).to_bytes(8, "little") + data)
    return h.hexdigest()


def generator(name: str, seed: int) -> torch.Generator:
    """The random stream of one named source: equal seeds of other sources give other numbers."""
    return torch.Generator().manual_seed(int(digest(name, str(seed))[:15], 16))
