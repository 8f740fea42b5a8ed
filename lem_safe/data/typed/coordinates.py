"""The map of a sampler's points to the rows of a table, in the place of an affine one.

Rows in data units are the numbers that an audit of the written file knows them by: categories are codes of
their texts (or what rules take them for), dates microseconds since 1970, missing cells NaN.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.tables import CellKind
from lem_safe.data.typed.codec import Codec
from lem_safe.data.typed.stretches import stretch_of

MIDDLE = 0.5


class RowCoordinates(Coordinates):
    """x = D(z) of a codec. kinds: what rules take the columns of categories for; text by default. wanted: the
    places of the columns that `counted` is asked about; all by default. held: values that are given of
    ordered columns, by place, in the place of whose latent numbers stand those of `Stretch` (E.30).
    """

    affine = False

    def __init__(
        self,
        codec: Codec,
        kinds: Mapping[str, CellKind] | None = None,
        wanted: Collection[int] | None = None,
        held: Mapping[int, float] | None = None,
    ):
        d = codec.dimension
        super().__init__(
            torch.zeros(d, dtype=torch.float64), torch.eye(d, dtype=torch.float64), torch.float64
        )
        self.codec, self.kinds, self.wanted, self.held = codec, dict(kinds or {}), wanted, dict(held or {})
        if made := [j for j in self.held if codec.fields[j].formula or codec.fields[j].base]:
            raise ValueError(f"column '{codec.columns[made[0]]}' is made from others and cannot be held")
        self.stretches = {
            codec.moving.index(j): stretch_of(codec.fields[j], value) for j, value in self.held.items()
        }
        self._tables = codec.tables(self.kinds)

    @property
    def width(self) -> int:
        return len(self.codec.fields)

    def forward(self, z: Float[Tensor, "*n D"]) -> Float[Tensor, "*n d"]:
        return self._as_counted(self.codec.values(self._latent(z), self.held)).to(z.dtype)

    def inverse(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n D"]:
        rows = self.placed(x.double().cpu())
        z = self.codec.latent(rows, torch.full_like(rows, MIDDLE)).to(x)
        z[..., list(self.stretches)] = 0
        return z

    def saved(self, z: Float[Tensor, "*n D"]) -> Float[Tensor, "*n d"]:
        return self._as_counted(self.rows(z))

    def counted(self, z: Float[Tensor, "*n D"]) -> Float[Tensor, "*n d"]:
        return self._as_counted(self.codec.rows(self._latent(z), self.wanted, self.held))

    def rows(self, z: Float[Tensor, "*n D"]) -> Float64[Tensor, "*n d"]:
        """The rows as they are written, categories by place."""
        return self.codec.rows(self._latent(z), held=self.held)

    def about(self, columns: Collection[int]) -> "RowCoordinates":
        """The same map, for a region that is about these columns alone."""
        return RowCoordinates(self.codec, self.kinds, frozenset(columns), self.held)

    def holding(self, values: Mapping[int, float]) -> "RowCoordinates":
        """The same map where ordered columns have these values, by their place."""
        return RowCoordinates(self.codec, self.kinds, self.wanted, values)

    def seen(self, rows: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Rows that hold the places of categories, in data units."""
        return self._as_counted(rows)

    def placed(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Rows in data units, with the places of categories; ValueError for a value that none of them has."""
        columns = list(x.unbind(-1))
        for j, table in self._tables.items():
            order = table.argsort()
            at = torch.searchsorted(table[order], columns[j].contiguous()).clamp(max=len(table) - 1)
            place = order[at]
            wrong = (table[place] != columns[j]) & ~columns[j].isnan()
            if bool(wrong.any()):
                raise ValueError(
                    f"column '{self.codec.columns[j]}' holds a value that is none of its categories"
                )
            columns[j] = torch.where(columns[j].isnan(), torch.nan, place.to(x))
        return torch.stack(columns, -1)

    def written(self, x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
        """The same of an array."""
        return self.placed(torch.from_numpy(np.asarray(x, dtype=np.float64))).numpy()

    def facts(self, columns: Sequence[str]) -> dict[str, object]:
        """What whoever reads a file of rows has to know of its columns, as JSON."""
        pairs = zip(columns, self.codec.fields, strict=True)
        return {
            "missing": "keep" if any(field.gaps for field in self.codec.fields) else "error",
            "columns": [
                {"name": name, "kind": field.kind, "missing": field.mark if field.gaps else None}
                for name, field in pairs
            ],
        }

    @property
    def words(self) -> tuple[str, ...]:
        """The columns of categories."""
        return tuple(self.codec.columns[j] for j in self._tables)

    def pinned(self, columns: Mapping[int, float], dtype: torch.dtype) -> "RowCoordinates":
        return self

    def anchored(self, rows: Float[Tensor, "N d"], dtype: torch.dtype) -> "RowCoordinates":
        return self

    def _latent(self, z: Tensor) -> Tensor:
        """Points with the latent numbers of held columns."""
        if not self.stretches:
            return z
        columns = list(z.double().unbind(-1))
        for i, stretch in self.stretches.items():
            columns[i] = stretch.at(columns[i])
        return torch.stack(columns, -1)

    def _as_counted(self, rows: Tensor) -> Tensor:
        if not self._tables:
            return rows
        columns = list(rows.unbind(-1))
        for j, table in self._tables.items():
            v = columns[j].detach()
            numbers = table.to(v.device)[v.nan_to_num(0.0).long()]
            columns[j] = torch.where(v.isnan(), torch.nan, numbers)
        return torch.stack(columns, -1)
