"""What the numbers of a run must resolve, from its scenario and its files: where the mass is, its spread, and
where particles start.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxtyping import Float64

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.sets import UnsafeSet
from lem_safe.checkpoints import FromFile
from lem_safe.data import Dataset
from lem_safe.energies import Energy
from lem_safe.keys import Key
from lem_safe.precision.resolution import (
    Extents,
    Format,
    Unfit,
    changing_sides,
    of_energy,
    of_joint,
    of_normal,
    of_rows,
    unfit,
)
from lem_safe.samplers import SAMPLERS
from lem_safe.samplers.initial_points import drawn, rows_of, still
from lem_safe.training.trained import Trained

QUICK = 20_000_000
"""The largest number of values of a table examined before anything runs; a larger one is examined when it is
trained on.
"""
DRAWS = 64
"""Rows examined of a start that has no spread in some columns."""


class Needs(NamedTuple):
    """A run's distribution, the noise of a step over data units (None elsewhere), and whether rows of the
    start change membership as float32.
    """

    extents: Extents
    noise: float | None
    sides: Unfit | None

    def unfit(self, format_: Format, columns: Sequence[str], limit: float) -> Unfit | None:
        """Why a format cannot represent it, with spacings up to `limit` of a spread allowed."""
        if format_ == "float32" and self.sides is not None:
            return self.sides
        return unfit(format_, self.extents, columns, self.noise, limit)


def needs_of(
    resolved: Mapping[str, Any],
    columns: Sequence[str],
    regions: Mapping[str, UnsafeSet],
    energy: Energy | Sequence[Trained | FromFile],
    numbers: float = math.inf,
) -> Needs:
    """The needs of a resolved scenario, whose energy is analytic or has these learned parts.

    numbers: the largest number of values of the start that is compared with the regions. Raises BadInput
    where a file cannot be used.
    """
    sampler, learned = resolved["sampler"], () if isinstance(energy, Energy) else energy
    init, data, extents = sampler["init"], None, Extents()
    for part in learned:
        found, rows = _of_part(part, resolved["seed"], of_interest=data is None and init["kind"] == "data")
        extents, data = extents + found, data or rows
    if isinstance(energy, Energy):
        extents += of_energy(energy)
    if init["kind"] == "gaussian":
        std = torch.tensor(init["std"], dtype=torch.float64).expand(len(columns))
        extents += of_normal(init["mean"], std.tolist(), "the start").local_only()
    start = _start(init, columns, data)
    if start is not None and init["kind"] == "file":
        extents += of_rows(_evenly_spaced(start, QUICK), "the start").local_only()
    # Whitened coordinates are of size 1; a flow has no noise, and a metric's noise has the energy's own
    # scale.
    own_scale = sampler.get("metric") is not None or not SAMPLERS[sampler["kind"]].unit_noise
    elsewhere = bool(learned) or own_scale
    noise = None if elsewhere else math.sqrt(2 * sampler["step_size"])
    return Needs(
        extents,
        noise,
        None if start is None else changing_sides(_evenly_spaced(start, numbers), regions, columns),
    )


def _of_part(part: Trained | FromFile, seed: int, *, of_interest: bool) -> tuple[Extents, Dataset | None]:
    """The extents of a learned energy, and its rows; for one over data units, images, only where these are
    used.
    """
    if isinstance(part, FromFile):
        return _of_map(part.coordinates), None
    if not (part.network.whitens or of_interest):
        return Extents(), None
    rows = part.data.load(seed)
    some = _evenly_spaced(rows.values, QUICK)
    if rows.components is not None:  # the columns determine each other
        return of_rows(some, "the data"), rows
    return of_rows(some, "the data") + of_joint(some, "the data"), rows


def _start(
    init: Mapping[str, Any], columns: Sequence[str], data: Dataset | None
) -> Float64[Tensor, "N d"] | None:
    """The rows that particles start at; draws of a start that has no spread in some column."""
    if not still(init, len(columns)):
        return rows_of(init, columns, data)
    return drawn(init, Key(0).normal(torch.empty(DRAWS, len(columns), dtype=torch.float64)))


def _of_map(coordinates: Coordinates | None) -> Extents:
    """The extents of an energy learned in whitened coordinates, from its map; empty for one
    over data units.
    """
    if coordinates is None or coordinates.identity:
        return Extents()
    if not coordinates.affine:
        spread = coordinates.matrix.norm(dim=1).tolist()
        return of_normal(coordinates.offset.tolist(), spread, "the energy")
    middle, given = coordinates.offset.tolist(), 1 / coordinates.inverse_matrix.norm(dim=0)
    joint = of_normal(middle, given.tolist(), "the energy, given the other columns")
    return of_normal(middle, coordinates.matrix.norm(dim=1).tolist(), "the energy") + joint.local_only()


def _evenly_spaced(rows: Tensor, numbers: float) -> Tensor:
    """Rows of a table, evenly spaced where it holds more numbers than that."""
    return rows[:: max(1, math.ceil(rows.numel() / numbers))].double()
