"""Rows to latent points and back: r = D(x), x = (z, c).

z holds one number for each column that has one, c one code for each column that has a choice of codes, in the
order of the columns. D depends on nothing else, so a rule about rows is a rule about x (E.23). Columns with a
formula are computed from the others as they are written (E.28).
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64

from barriers.arrays import Tensor, torch
from barriers.tables import CellKind, Coder, Holding, kind_of_cells
from lem_safe.data.typed.computed import KINDS, Computed
from lem_safe.data.typed.fields import Field

NOTHING: Mapping[int, float] = {}
"""What is held where nothing is said of it."""


class Codec:
    """The fields of a table, in the order of its columns. d columns, k latent numbers, and one code for each
    of `sizes`; D = k + len(sizes).
    """

    def __init__(self, fields: Iterable[Field]):
        self.fields = tuple(fields)
        self.moving = [j for j, field in enumerate(self.fields) if field.moves]
        self.choosing = [j for j, field in enumerate(self.fields) if field.coded]
        self._z = {j: i for i, j in enumerate(self.moving)}
        self._c = {j: len(self.moving) + i for i, j in enumerate(self.choosing)}
        self.computed = Computed(self.fields)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many codes each column has that has a choice."""
        return tuple(self.fields[j].codes for j in self.choosing)

    @property
    def numbers(self) -> int:
        """k, how many latent numbers there are."""
        return len(self.moving)

    @property
    def dimension(self) -> int:
        """D."""
        return len(self.moving) + len(self.choosing)

    def continuous(self, column: str) -> bool:
        """Whether a column's values follow latent numbers alone: its own, or those of its inputs."""
        return all(
            self.fields[j].formula or (self.fields[j].moves and not self.fields[j].coded)
            for j in self.computed.inputs([self.columns.index(column)])
        )

    # Points to rows

    def values(self, x: Float[Tensor, "n D"], held: Mapping[int, float] = NOTHING) -> Float64[Tensor, "n d"]:
        """The rows before rounding, differentiable in the latent numbers. held: as of `rows`."""
        every = range(len(self.fields))
        made = [self._held(x, held[j]) if j in held else self._unrounded(x, j) for j in every]
        return torch.stack(self.computed.complete(made, every, rounded=False), -1)

    def rows(
        self,
        x: Float[Tensor, "n D"],
        wanted: Collection[int] | None = None,
        held: Mapping[int, float] = NOTHING,
    ) -> Float64[Tensor, "n d"]:
        """The rows as they are written: numbers on their grid and within their range; with `wanted`, these
        columns alone, and NaN in the others. held: columns, by place, that have these values whatever their
        latent numbers are; what is computed from them is computed from these.
        """
        x = x.detach()
        asked = range(len(self.fields)) if wanted is None else wanted
        needed = self.computed.inputs(asked)
        made = [self._blank(x)] * len(self.fields)
        for j in needed:
            made[j] = self._held(x, held[j]) if j in held else self._rounded(x, j)
        found = self.computed.complete(made, needed, rounded=True)
        return torch.stack([v if j in asked else self._blank(x) for j, v in enumerate(found)], -1)

    def _rounded(self, x: Tensor, j: int) -> Float64[Tensor, "n"]:
        """The cells of one column, but for what others have a part in."""
        field, found = self.fields[j], self._unrounded(x, j)
        return found if field.base or field.formula else field.rounded(found)

    def _unrounded(self, x: Tensor, j: int) -> Float64[Tensor, "n"]:
        """The same before rounding; of a computed column nothing."""
        field = self.fields[j]
        return self._blank(x) if field.formula else field.values(*self._of(x, j))

    def _held(self, x: Tensor, value: float) -> Float64[Tensor, "n"]:
        return torch.full(x.shape[:-1], value, dtype=torch.float64, device=x.device)

    def _blank(self, x: Tensor) -> Float64[Tensor, "n"]:
        return self._held(x, torch.nan)

    def latent(
        self, rows: Float64[Tensor, "n d"], uniforms: Float64[Tensor, "n d"]
    ) -> Float64[Tensor, "n D"]:
        """A point of each row; ranks among equal values, and numbers that do not matter, by the uniforms."""
        cells = list(rows.unbind(-1))
        own = [self.computed.relative(j, cells) for j in range(len(self.fields))]
        made = [field.latent(own[j], uniforms[:, j]) for j, field in enumerate(self.fields)]
        z, c = [made[j][0] for j in self.moving], [made[j][1] for j in self.choosing]
        return torch.stack([*z, *c], 1) if self.dimension else rows.new_zeros(len(rows), 0)

    def _of(self, x: Tensor, j: int) -> tuple[Tensor | None, Tensor | None]:
        """The latent number and the code of a column; where it has neither, zeros in place of a code."""
        z = x[..., self._z[j]] if j in self._z else None
        c = x[..., self._c[j]] if j in self._c else None
        return z, (x.new_zeros(x.shape[:-1]) if z is None and c is None else c)

    # What rules and files see

    def holding(self, column: int) -> Holding:
        """What a column holds, for rules that leave it open."""
        field = self.fields[column]
        if field.kind == "category":
            return Holding(kind_of_cells(field.labels))
        return Holding(KINDS[field.kind], True)

    def tables(self, kinds: Mapping[str, CellKind]) -> dict[int, Float64[Tensor, "labels"]]:
        """By column, the numbers that rules know its categories by; ValueError where one is not what rules
        take the column for.
        """
        made = {}
        for j, field in enumerate(self.fields):
            if field.kind == "category":
                coder = Coder(kinds.get(field.name, "text"), field.labels)
                found, bad = coder.codes(field.labels)
                if bad.any():
                    label = field.labels[int(bad.argmax())]
                    raise ValueError(
                        f"column '{field.name}': '{label[:40]}' is not {coder.kind}, as a rule takes it"
                    )
                made[j] = torch.from_numpy(found)
        return made

    def cells(self, rows: Float64[np.ndarray, "n d"]) -> list[list[str]]:
        """The cells of rows as a file holds them, column by column."""
        return [_texts(field, rows[:, j]) for j, field in enumerate(self.fields)]

    # As JSON

    def to_json(self) -> str:
        return json.dumps([field.to_dict() for field in self.fields])

    @classmethod
    def from_json(cls, text: str) -> "Codec":
        """The codec that `to_json` described; KeyError, TypeError or ValueError for anything else."""
        return cls(Field.from_dict(given) for given in json.loads(text))


def _texts(field: Field, values: Sequence[float] | np.ndarray) -> list[str]:
    """The cells of one column, each different value written once."""
    unique, at = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
    texts = np.array([field.text(float(v)) for v in unique], dtype=object)
    return list(texts[at.reshape(-1)])
