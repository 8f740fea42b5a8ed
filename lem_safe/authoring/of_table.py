"""What a new scenario begins with where its table has columns of other types than numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from barriers.arrays import torch
from lem_safe.authoring.derived_line import in_formulas
from lem_safe.authoring.from_rows import FEW, region_of
from lem_safe.data.sources import FileTable
from lem_safe.data.typed import Codec


class Typed(NamedTuple):
    """A table with columns of every type: what they are, the rows, and whether cells are missing."""

    codec: Codec
    rows: np.ndarray
    gaps: bool

    @property
    def data(self) -> dict[str, Any]:
        """What a scenario says of the data beside its path."""
        return {"missing": "keep"} if self.gaps else {}

    def region(self) -> dict[str, Any]:
        """A rule that a few per cent of the rows break: about a column of numbers, else a rare category."""
        fields = self.codec.fields
        numbers = [j for j, field in enumerate(fields) if field.kind in ("number", "integer")]
        complete = [j for j in numbers if not np.isnan(self.rows[:, j]).any()]
        if complete:
            names = [_in_rules(self.codec.columns, j) for j in complete]
            return region_of("rule", self.rows[:, complete], names) or {}
        j = next((j for j, field in enumerate(fields) if field.kind == "category"), 0)
        field, name = fields[j], _in_rules(self.codec.columns, j)
        if field.kind != "category":
            return {"kind": "rule", "where": f"{name} is missing" if field.gaps else f"{name} > '9000-01-01'"}
        shares = [float((self.rows[:, j] == k).mean()) for k in range(len(field.labels))]
        rare = min(range(len(shares)), key=lambda k: abs(shares[k] - FEW))
        return {"kind": "rule", "where": f"{name} == {field.labels[rare]!r}"}


ENERGY = {"network": {"kind": "mixture_base", "hidden": 32, "depth": 2}, "training": {"steps": 300}}
SAMPLER = {"samples": 1000, "steps": 60, "step_size": 0.05}


def typed_rows(path: Path, columns: Sequence[str] | None, header: bool | None) -> Typed | None:
    """The table in a file where one of its columns holds something else than numbers; None otherwise."""
    chosen = None if columns is None else list(columns)
    if FileTable(path, chosen, header).holds_words is False:
        return None
    source = FileTable(path, chosen, header, missing="keep")
    codec = source.codec
    assert codec is not None
    rows = torch.Tensor.numpy(source.load(0).values)
    return Typed(codec, rows, any(field.gaps for field in codec.fields))


def _in_rules(columns: Sequence[str], j: int) -> str:
    """A column as a rule names it."""
    return in_formulas(columns, j) or f"`{columns[j]}`"
