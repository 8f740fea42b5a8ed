"""The start of the particles of a new scenario: outside its region, so that a promise about every step can
hold from the first one on. A table's own rows are used where few enough of these are inside.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.sets import UnsafeSet, pull
from barriers.specification import SpecificationError
from lem_safe.authoring.beginnings import spec
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import make, regions, tables

SPREADS, MARGIN = (0.2, 0.05, 0.01), 3.0
"""Candidate standard deviations of a start, relative to the table's, of which the first that fits is used;
and how many of them must be clear of the region.
"""
FEW = 0.4
"""Share of a table's rows that may be inside for particles to start at the others."""
REACH = (0.0, 1.0, 2.0, 3.0, 4.5, 6.0)
"""How far from 0 starts are searched."""


def start(
    energy: Mapping[str, Any],
    region: Mapping[str, Any],
    filter_kind: str,
    beta: float,
    columns: Sequence[str] | None,
    path: Path,
) -> tuple[dict[str, Any], bool]:
    """A start with few enough particles inside, and whether one was found or is not needed.

    Of the places clear of the region the one of lowest energy is used, or of a table's rows the one nearest
    to their mean.
    """
    usual = {"kind": "data"} if energy["kind"] == "trained" else {"kind": "standard"}
    if energy["kind"] in ("checkpoint", "exported"):  # its file may not exist yet
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
        places = _around(energy, d) if rows is None else _among(rows)
    except Unsuited:
        raise
    except (SpecificationError, BadInput, ValueError, OSError):  # `starter` reports it, with its key
        return usual, True
    found = _clear(unsafe, places)
    if found is None:
        return usual, False
    place, spread = found
    std = spread if rows is None else [_short(spread * v) for v in places.scale.tolist()]
    return {"kind": "gaussian", "mean": place.tolist(), "std": std}, True


class _Places(NamedTuple):
    """Where particles might begin, the spread of each column there, and what is lowest where they had better
    begin.
    """

    x: Float[Tensor, "n d"]
    scale: Float[Tensor, "d"]
    height: Float[Tensor, "n"]


def _clear(unsafe: UnsafeSet, places: _Places) -> tuple[Float[Tensor, "d"], float] | None:
    """The lowest place from which a start is clear of the region, and the first of SPREADS that any place
    leaves clear; None where none is.
    """
    outside, d = ~unsafe.contains(places.x), len(places.scale)
    lowest = places.x[outside][places.height[outside].argsort()][:500]
    generator = torch.Generator().manual_seed(0)
    noise = places.scale * torch.randn(500, d, generator=generator, dtype=torch.float64)
    for spread in SPREADS:
        for place in map(_rounded, lowest, repeat(places.scale)):
            if not bool(unsafe.contains(place + MARGIN * spread * noise).any()):
                return place, spread
    return None


def _must_admit(filter_: Mapping[str, Any], unsafe: UnsafeSet, rows: Tensor, beta: float) -> None:
    """Refuses a filter that needs derivatives which the region does not have in whitened coordinates, where a
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
    """Choices that do not go together, which the check of the scenario cannot detect, as it reads no data."""


def _rows(energy: Mapping[str, Any], path: Path) -> Tensor:
    """The rows that the energy is to be learned from, in data units."""
    source = dict(energy["data"])
    if "path" in source:
        source["path"] = path.parent / source["path"]
    rows: Tensor = make("data", source).load(0).values.double()
    return rows


def _among(rows: Float[Tensor, "n d"]) -> _Places:
    """The rows of a table, lowest near their mean."""
    scale = rows.std(0)
    return _Places(rows, scale, ((rows - rows.mean(0)) / scale).square().sum(1))


def _around(energy: Mapping[str, Any], d: int) -> _Places:
    """0 and points on each axis and along the diagonals, with their energies."""
    ways = torch.cat(
        [torch.eye(d), -torch.eye(d), torch.ones(1, d) / d**0.5, -torch.ones(1, d) / d**0.5]
    ).double()
    x = torch.cat([r * ways for r in REACH])
    return _Places(x, torch.ones(d, dtype=torch.float64), make("energies", energy).double()(x))


def _rounded(place: Tensor, scale: Tensor) -> Tensor:
    """A place rounded to a hundredth of the spread or better, which takes more digits far from the origin."""
    digits = [2 - math.floor(math.log10(s)) if s > 0 else 6 for s in scale.tolist()]
    return torch.tensor(
        [round(v, k) for v, k in zip(place.tolist(), digits, strict=True)], dtype=torch.float64
    )


def _short(value: float) -> float:
    return float(f"{value:.3g}")
