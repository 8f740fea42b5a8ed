"""The energy of a call: examined where it is a user's own, and what it settles for the run."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from barriers.arrays import torch
from lem_safe.energies.base import Energy
from lem_safe.energies.own.function import FLOATS
from lem_safe.energies.own.own_energy import OwnEnergy
from lem_safe.energies.own.own_score import OwnScore
from lem_safe.errors import BadInput, Fault
from lem_safe.programming.energies import energy as energy_of
from lem_safe.programming.regions import dimension_of
from lem_safe.programming.starts import WHO, Start
from lem_safe.runs.given import device_of

NAMES = {str(dtype).removeprefix("torch."): dtype for dtype in FLOATS}


class Sampled(NamedTuple):
    """What is sampled. energy: None where a specification says it. spec: as a file has it, a stand-in where
    the energy is an object. dtype: None where the scenario says. watched: whether U and ΔU are known to
    monitors.
    """

    energy: Energy | None
    spec: dict[str, Any]
    dtype: str | None
    device: str
    watched: bool = True

    @property
    def said(self) -> dict[str, Any]:
        """What the file of a run says of it."""
        if self.energy is None:
            return self.spec
        if isinstance(self.energy, OwnEnergy | OwnScore):
            return {"kind": "python", "name": self.energy.function.title}
        return {"kind": "python", "name": type(self.energy).__name__}


def sampled(
    energy: Any,
    start: Start,
    regions: Iterable[Any],
    columns: Sequence[str] | None,
    dtype: str | None,
    device: str | None,
) -> Sampled:
    """Raises BadInput for what cannot be sampled, by name."""
    if dtype is not None and dtype not in NAMES:
        raise BadInput(Fault(f"must be float32 or float64; got {dtype!r}", WHO, key="dtype"))
    if isinstance(energy, Mapping):
        return Sampled(None, dict(energy), dtype, device or "cpu")
    made = energy_of(energy)
    d = _dimension(made, start, regions, columns)
    stand_in = {"kind": "gaussian", "mean": [0.0] * d, "std": 1.0}
    if not isinstance(made, OwnEnergy | OwnScore):  # a run moves and casts its energy: this one is only lent
        return Sampled(copy.deepcopy(made), stand_in, dtype or "float32", device or "cpu")
    dtype, device = dtype or _dtype_of(made, start, d), device or str(made.function.device or "cpu")
    made.settle(start.points(d).to(device=device_of(device), dtype=NAMES[dtype]))
    watched = made.has_values and made.bends if isinstance(made, OwnEnergy) else False
    return Sampled(made, stand_in, dtype, device, watched)


def _dimension(made: Energy, start: Start, regions: Iterable[Any], columns: Sequence[str] | None) -> int:
    """d, from whatever tells; BadInput where nothing does."""
    told = [getattr(made, "dimension", None), start.dimension, len(columns) if columns else None]
    found = next((d for d in (*told, *map(dimension_of, regions)) if d is not None), None)
    if found is None:
        raise BadInput(
            Fault(
                "is not known: give rows to start at (init=rows), columns=, or "
                "lem_safe.energy(..., dimension=)",
                WHO,
                key="dimension",
            )
        )
    if start.rows is not None and start.rows.shape[1] != found:
        raise BadInput(Fault(f"has {start.rows.shape[1]} columns, the energy {found}", WHO, key="init"))
    return found


def _dtype_of(energy: OwnEnergy | OwnScore, start: Start, d: int) -> str:
    """What a function computes in: float64 where its own numbers are, else float32."""
    function = energy.function
    with torch.no_grad():
        found = function.dtype or function(start.points(d)[:4].float()).dtype
    return str(found if found in FLOATS else torch.float32).removeprefix("torch.")
