"""What the rows of a table are truncated by: regions in which there can be none (E.31)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import MinLen
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.sets import Cells, Field, UnsafeSet, build_sets
from barriers.sets.derived import beside
from barriers.specification import SpecificationError
from lem_safe.data.source import digest
from lem_safe.data.typed import Codec, about, coordinates_of, kinds_of
from lem_safe.energies.row_truncation import Holds

PLAIN = (
    "is for rows of a table: use data: {kind: file} with network: {kind: mixture_base}, and say of one "
    "column what it is, as in columns: {NAME: {kind: number}}"
)
"""What is said of a truncated fit to anything else."""
ADDED = "Added from the scenario: "


class Untold(SpecificationError):
    """A region that cannot truncate rows."""


@dataclass(frozen=True)
class Truncation:
    """Regions of the scenario in which no row of the data can be, because of how the data came about."""

    example: ClassVar[dict[str, object]] = {"by": ["negative"]}

    by: Annotated[
        list[str],
        MinLen(1),
        Doc(
            "Regions in which no row can be, by name. Each has to be constrained with beta: 0, and the "
            "density is fitted to what remains outside of them."
        ),
    ]
    unsafe: Annotated[dict[str, Any] | None, Doc(f"{ADDED}what these regions are.")] = None
    derived: Annotated[dict[str, str] | None, Doc(f"{ADDED}its derived names.")] = None
    columns: Annotated[list[str] | None, Doc(f"{ADDED}its names of the columns.")] = None

    def told(self, columns: Sequence[str]) -> str:
        """Everything that the fit depends on, as a text. columns: the names that the data give them."""
        parts = [self.by, self.unsafe, self.derived, list(self.columns or columns)]
        return json.dumps(parts, sort_keys=True, default=_content)

    def holds(self, codec: Codec) -> Holds:
        """Which points of a table's latent coordinates are rows outside of all these regions; Untold where
        they are none of the scenario's.
        """
        sets, columns = self._regions(codec), self._named(codec)
        told = coordinates_of(codec, columns, self._unsafe, self.derived)
        told = about(told, self.by, columns, self._unsafe, self.derived)

        def holds(z: Float[Tensor, "n D"]) -> Bool[Tensor, "n"]:
            return _outside(told.counted(z.double()), sets)

        return holds

    def refused(self, codec: Codec, rows: Float[Tensor, "n d"]) -> str | None:
        """Why rows of the table cannot have been truncated so; None where all are outside the regions."""
        columns = self._named(codec)
        told = coordinates_of(codec, columns, self._unsafe, self.derived).seen(rows.double())
        for name, region in zip(self.by, self._regions(codec), strict=True):
            if many := int(region.contains(told).sum()):
                return (
                    f"{many:,} of {len(rows):,} rows are inside '{name}', which then does not truncate them: "
                    f"leave these rows or '{name}' out"
                )
        return None

    @property
    def _unsafe(self) -> Mapping[str, Any]:
        return self.unsafe or {}

    def _named(self, codec: Codec) -> list[str]:
        return list(self.columns or codec.columns)

    def _regions(self, codec: Codec) -> list[UnsafeSet]:
        columns = self._named(codec)
        if missing := [name for name in self.by if name not in self._unsafe]:
            raise Untold(f"no region of the scenario that this energy is of is called '{missing[0]}'")
        kinds = kinds_of(codec, columns, self._unsafe, self.derived)
        cells = Cells(kinds, "known", beside(self.derived, columns))
        built = build_sets(self._unsafe, columns, {Field: _of_energy}, cells)
        return [built[name] for name in self.by]


def _outside(x: Tensor, regions: list[UnsafeSet]) -> Bool[Tensor, "n"]:
    inside = torch.zeros(len(x), dtype=torch.bool)
    for region in regions:
        inside |= region.contains(x)
    return ~inside


def _content(value: Any) -> str:
    """What a file holds that a region names."""
    if isinstance(value, Path):
        return digest(value.read_bytes()) if value.is_file() else str(value)
    raise Untold(f"regions that truncate rows are written out; got {type(value).__name__}")


def _of_energy(spec: Any, path: tuple[str | int, ...]) -> Field:
    raise Untold(f"'{path[0]}' is a region of an energy, which cannot truncate rows; write a rule")
