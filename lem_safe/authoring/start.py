"""Where the particles of a new scenario begin: outside its region, so that what promises every step can keep
it from the first one on. Of a table's own rows they start where few enough of these are inside.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from barriers.coordinates import Coordinates
from barriers.sets import UnsafeSet, pull
from barriers.specification import SpecificationError
from lem_safe.authoring.beginnings import spec
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import make, regions, tables

SPREADS, MARGIN = (0.2, 0.05, 0.01), 3.0
"""Standard deviations of a start that is chosen, the first that fits, in those of the table; and over how
many times that it must be clear.
"""
FEW = 0.4
"""Share of a table's rows that may be inside for particles to start at the others."""
REACH = (0.0, 1.0, 2.0, 3.0, 4.5, 6.0)
"""How far from 0 starts are looked for."""


def start(
    energy: Mapping[str, Any],
    region: Mapping[str, Any],
    filter_kind: str,
    beta: float,
    columns: Sequence[str] | None,
    path: Path,
) -> tuple[dict[str, Any], bool]:
    """Where particles begin so that few enough are inside, and whether such a place was found or is not
    needed.

    Of places clear of the region the one of lowest energy, or of a table's rows the one nearest to their
    mean.
    """
    usual = {"kind": "data"} if energy["kind"] == "trained" else {"kind": "standard"}
    if energy["kind"] == "checkpoint":  # its file may not be there yet
        return usual, True
    try:
        rows = _rows(energy, path) if energy["kind"] == "trained" else None
        d = rows.shape[1] if rows is not None else len(columns) if columns else 2
        (unsafe,) = regions(
            {"keep_out": dict(region)}, tuple(columns or (f"x{i}" for i in range(d)))
        ).values()
        if rows is not None:
            _must_admit(spec("filter", filter_kind, d), unsafe, rows, beta)
        share = 1.0 if rows is None else float(unsafe.contains(rows).double().mean())
        if share <= beta / 2:
            return usual, True
        if share <= FEW:
            return {**usual, "outside": True}, True
        places, scale = (
            (rows, rows.std(0)) if rows is not None else (_around(d), torch.ones(d, dtype=torch.float64))
        )
        height = (
            ((places - places.mean(0)) / scale).square().sum(1)
            if rows is not None
            else make("energies", energy).double()(places)
        )
    except Unsuited:
        raise
    except (SpecificationError, BadInput, ValueError, OSError):  # `starter` says what is wrong, with its key
        return usual, True
    outside = ~unsafe.contains(places)
    places = places[outside][height[outside].argsort()][:500]
    noise = scale * torch.randn(500, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for spread in SPREADS:
        for place in map(_rounded, places, repeat(scale)):
            if not bool(unsafe.contains(place + MARGIN * spread * noise).any()):
                std = spread if rows is None else [_short(spread * v) for v in scale.tolist()]
                return {"kind": "gaussian", "mean": place.tolist(), "std": std}, True
    return usual, False


def _must_admit(filter_: Mapping[str, Any], unsafe: UnsafeSet, rows: Tensor, beta: float) -> None:
    """Refuses a filter that needs derivatives which the region has no more in whitened coordinates, where a
    trained energy is sampled.
    """
    factor, info = torch.linalg.cholesky_ex(torch.atleast_2d(rows.T.cov()))
    if int(info) != 0:  # columns that determine one another: the run says how they are learned
        return
    whitened = Coordinates(rows.mean(0), factor)
    try:
        tables().admits(filter_, [pull(unsafe, whitened)], [beta], 1e-2)
    except ValueError as error:
        message = (
            f"these choices do not go together: over whitened data '{filter_['kind']}' cannot keep the "
            f"region: {error}"
        )
        raise Unsuited(Fault(message, key="filter.kind")) from error


class Unsuited(BadInput):
    """Choices that do not go together, which the check of the scenario cannot see, as it reads no data."""


def _rows(energy: Mapping[str, Any], path: Path) -> Tensor:
    """What the energy is to be learned from, in data units."""
    source = dict(energy["data"])
    if "path" in source:
        source["path"] = path.parent / source["path"]
    rows: Tensor = make("data", source).load(0).values.double()
    return rows


def _around(d: int) -> Tensor:
    """0 and points on each axis and along the diagonals."""
    ways = torch.cat(
        [torch.eye(d), -torch.eye(d), torch.ones(1, d) / d**0.5, -torch.ones(1, d) / d**0.5]
    ).double()
    return torch.cat([r * ways for r in REACH])


def _rounded(place: Tensor, scale: Tensor) -> Tensor:
    """A place to a hundredth of the spread or better, which far from the origin takes more digits than near
    it.
    """
    digits = [2 - math.floor(math.log10(s)) if s > 0 else 6 for s in scale.tolist()]
    return torch.tensor(
        [round(v, k) for v, k in zip(place.tolist(), digits, strict=True)], dtype=torch.float64
    )


def _short(value: float) -> float:
    return float(f"{value:.3g}")
