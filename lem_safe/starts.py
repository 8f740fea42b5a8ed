"""The rows that a run's particles start at, where `init` names rows: those an energy was trained on, those of a file, or one point."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from lem_safe.data import Dataset
from lem_safe.data.tables import read_fitting
from lem_safe.faults import BadInput, Fault


def rows_of(init: Mapping[str, Any], columns: Sequence[str], data: Dataset | None) -> Float64[Tensor, "N d"] | None:
    """The rows in data units, in the order of the file; None where particles are drawn from a normal distribution.

    A normal distribution without spread is one row. Raises BadInput for rows that are not there or have other columns.
    """
    rows = _rows(init, columns, data)
    if rows is not None and rows.shape[1] != len(columns):
        raise BadInput(Fault(f"init has {rows.shape[1]} columns where the energy has {len(columns)}", key="sampler.init"))
    return rows


def _rows(init: Mapping[str, Any], columns: Sequence[str], data: Dataset | None) -> Tensor | None:
    if init["kind"] == "standard":
        return None
    if init["kind"] == "gaussian":
        still = not bool(torch.as_tensor(init["std"]).any())
        return torch.tensor([init["mean"]], dtype=torch.float64) if still else None
    if init["kind"] == "data":
        if data is None:
            raise BadInput(
                Fault("init 'data' needs a trained energy; this one is analytic and has no rows", key="sampler.init.kind")
            )
        return data.values.double()
    return torch.from_numpy(read_fitting(Path(init["path"]), columns, init.get("header")).values)
