"""The start of a run's particles: at the rows that `init` names, from an energy's training data or from a
file; or drawn, with some columns constant.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float64

from barriers.arrays import Tensor, torch
from barriers.tables import TableFormat
from lem_safe.data import Dataset
from lem_safe.data.tables import read_fitting
from lem_safe.errors import BadInput, Fault


def rows_of(
    init: Mapping[str, Any], columns: Sequence[str], data: Dataset | None
) -> Float64[Tensor, "N d"] | None:
    """The rows in data units, in file order; None where particles are drawn from a normal distribution.

    Raises BadInput for rows that do not exist or have other columns.
    """
    rows = _rows(init, columns, data)
    if rows is not None and rows.shape[1] != len(columns):
        raise BadInput(
            Fault(f"init has {rows.shape[1]} columns where the energy has {len(columns)}", key="sampler.init")
        )
    return rows


def form_of(init: Mapping[str, Any]) -> TableFormat:
    """What a scenario says of its file of starts."""
    keys = ("header", "separator", "decimal", "missing")
    return TableFormat(**{key: init[key] for key in keys if init.get(key) is not None})


def still(init: Mapping[str, Any], dimension: int) -> dict[int, float]:
    """The columns in which a normal start has no spread, with the value of all particles there; empty for
    other starts.
    """
    if init["kind"] != "gaussian":
        return {}
    std = torch.tensor(init["std"], dtype=torch.float64).expand(dimension).tolist()
    return {j: float(m) for j, (m, s) in enumerate(zip(init["mean"], std, strict=True)) if s == 0}


def drawn(init: Mapping[str, Any], noise: Float64[Tensor, "n d"]) -> Float64[Tensor, "n d"]:
    """Draws of a normal distribution in data units."""
    mean, std = (torch.tensor(init[key], dtype=torch.float64) for key in ("mean", "std"))
    return mean + std * noise


def _rows(init: Mapping[str, Any], columns: Sequence[str], data: Dataset | None) -> Tensor | None:
    if init["kind"] in ("standard", "gaussian"):
        return None
    if init["kind"] == "data":
        if data is None:
            raise BadInput(
                Fault(
                    "init 'data' needs a trained energy; this one is analytic and has no rows",
                    key="sampler.init.kind",
                )
            )
        return data.values.double()
    return torch.from_numpy(read_fitting(Path(init["path"]), columns, form=form_of(init)).values)
