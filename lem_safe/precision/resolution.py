"""Whether a floating-point format can represent a run: its distribution, and the rows that it starts at
(A.12).

Numbers near c are ulp(c) apart. Where a column has spread s there, its structure below a relative size
ulp(c)/s is lost: samples lie on a grid, and a chain whose steps are not much longer than ulp(c) rounds them.
A count of such samples has an error of about .4 ulp(c)/s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64

from barriers.arrays import Tensor, torch
from barriers.sets import UnsafeSet
from lem_safe.energies import Energy

Format = Literal["float32", "float64"]

SHARE = 1e-4
"""Relative to a column's spread: the largest spacing with which float32 is chosen, or float64 accepted."""
HARMLESS = 1e-3
"""Relative to a column's spread: the largest spacing with which float32 is kept where a scenario
requests it.
"""
MOVED = 0.1
"""Relative to a step's noise: the largest spacing of the numbers of a chain over data units; rounding then
adds 1e-3 to its variance.
"""
TWENTIETH, FEWEST = 20, 10
"""A local spread is measured over a twentieth of the rows, and over at least ten."""
SINGULAR = 1e-10
"""The smallest eigenvalue of a correlation matrix that is inverted."""
NOISE = 64
"""Values within this many float64 units are one value that was computed twice."""
BLOCK = 1 << 16
ENERGY = "the energy"


class Extent(NamedTuple):
    """Values of a column near `at` have the spread `spread`; `of` names their source, in words."""

    column: int
    at: float
    spread: float
    of: str


@dataclass(frozen=True)
class Extents:
    """The narrowest places of a distribution, which a format must resolve, and its columns as a whole."""

    local: tuple[Extent, ...] = ()
    whole: tuple[Extent, ...] = ()

    def __add__(self, other: "Extents") -> "Extents":
        return Extents(self.local + other.local, self.whole + other.whole)

    def local_only(self) -> "Extents":
        """The extents of a start, which influences the choice of a format but excludes none: particles are
        counted where they are.
        """
        return Extents(self.local)


class Unfit(NamedTuple):
    """Why a format is unfit: the spacing relative to what it should resolve (infinite where rows change
    membership), and a sentence.
    """

    share: float
    why: str


def of_normal(mean: Sequence[float], std: Sequence[float], of: str) -> Extents:
    """The extents of a normal distribution with independent columns; a column without spread has none."""
    found = tuple(
        Extent(j, abs(m) + 2 * s, s, of) for j, (m, s) in enumerate(zip(mean, std, strict=True)) if s > 0
    )
    return Extents(found, found)


def of_rows(rows: Float64[Tensor, "N d"], of: str) -> Extents:
    """The extents of rows: in each column the twentieth of them that is narrowest for its size, as the
    standard deviation of a normal distribution.

    Equal values have no spread: a float represents them exactly or not, whatever is around them.
    """
    local, whole = [], []
    n = len(rows)
    k = min(n - 1, max(n // TWENTIETH, FEWEST))
    for j, column in enumerate(rows.T if k > 0 else ()):
        v = column.sort().values
        width, size = v[k:] - v[:-k], torch.maximum(v[k:].abs(), v[:-k].abs())
        share = torch.where(width > NOISE * torch.finfo(v.dtype).eps * size, size / width, 0.0)
        i = int(share.argmax())
        if float(share[i]) > 0:
            local.append(Extent(j, float(size[i]), float(width[i]) / (2.5 * k / (n - 1)), of))
            whole.append(Extent(j, float(v.abs().median()), float(v.std()), of))
    return Extents(tuple(local), tuple(whole))


def of_joint(rows: Float64[Tensor, "N d"], of: str) -> Extents:
    """The conditional extents of rows: the spread of each column given the others, 1/√(Σ⁻¹)_jj, Σ their
    covariance.

    A region may depend on differences of columns, which are no wider. Empty for columns that determine each
    other.
    """
    moving = rows.std(0).nonzero()[:, 0] if len(rows) > 1 else rows.new_empty(0, dtype=torch.long)
    if not 1 < len(moving) < len(rows):
        return Extents()
    some = rows[:, moving]
    correlation = torch.corrcoef(some.T)
    if not bool(correlation.isfinite().all()) or float(torch.linalg.eigvalsh(correlation)[0]) < SINGULAR:
        return Extents()
    given = some.std(0) * torch.linalg.inv(correlation).diagonal() ** -0.5
    middle = some.abs().median(0).values
    return Extents(
        tuple(
            Extent(int(j), float(m), float(s), f"{of}, given the other columns")
            for j, m, s in zip(moving, middle, given, strict=True)
        )
    )


def of_energy(energy: Energy) -> Extents:
    """The extents of an analytic energy: its centre, and 1/√|∂²U/∂x_j²| there; for a mixture,
    of every part.
    """
    return sum((_of_places(*found) for found in energy.places()), Extents())


def _of_places(points: Float64[Tensor, "k n d"], bends: Float64[Tensor, "k n d"] | None) -> Extents:
    """In each column of each part, the point that lies farthest out for the spread around it."""
    if bends is None:
        return sum((of_rows(rows, ENERGY) for rows in points), Extents())
    bends = torch.where(bends.isfinite(), bends.abs(), 0.0)
    i = (points.abs() * bends.sqrt()).argmax(1, keepdim=True)
    at, bend = points.gather(1, i)[:, 0].abs(), bends.gather(1, i)[:, 0]
    spread = bend**-0.5
    columns = torch.arange(points.shape[2]).expand_as(bend)
    numbers = (value[bend > 0].tolist() for value in (columns, at + 2 * spread, spread))
    found = tuple(Extent(j, size, width, ENERGY) for j, size, width in zip(*numbers, strict=True))
    return Extents(found, found)


def unfit(
    format_: Format,
    extents: Extents,
    columns: Sequence[str],
    noise: float | None = None,
    limit: float = SHARE,
) -> Unfit | None:
    """The worst extent that a format cannot resolve; None where spacings are at most `limit` of every spread.

    noise: the length √(2h) of a step's noise, where a chain moves over data units.
    """
    worst: Unfit | None = None
    for extent in extents.local if format_ == "float32" else extents.whole:
        apart = spacing(extent.at, format_)
        name = columns[extent.column]
        numbers = (
            f"{extent.of}: {name} is near {extent.at:.7g} with a spread of {extent.spread:.3g}, "
            f"where {format_} numbers are {apart:.3g} apart"
        )
        found = [Unfit(apart / extent.spread, numbers)] if apart > limit * extent.spread else []
        if noise is not None and apart > MOVED * noise:
            found.append(Unfit(apart / noise, f"{numbers}, and a step's noise is {noise:.3g}"))
        worst = max([*found, *([worst] if worst else [])], key=lambda u: u.share, default=None)
    return worst


def changing_sides(
    rows: Float64[Tensor, "N d"], regions: Mapping[str, UnsafeSet], columns: Sequence[str]
) -> Unfit | None:
    """Rows that are inside a region but outside of it as float32, or the reverse; None where
    there are none.
    """
    for name, region in regions.items():
        for at, block in enumerate(rows.double().split(BLOCK)):
            single = block.float().double()
            inside = region.contains(block)
            moved = (inside != region.contains(single)).nonzero()[:, 0]
            if len(moved):
                i = int(moved[0])
                where = ("inside", "outside") if bool(inside[i]) else ("outside", "inside")
                j = _decisive(region, block[i], single[i])
                return Unfit(
                    float("inf"),
                    f"row {at * BLOCK + i + 1} of the start is {where[0]} {name}, and as float32 "
                    f"{where[1]}: {columns[j]} "
                    f"{float(block[i, j])!r} becomes {float(single[i, j])!r}",
                )
    return None


def _decisive(region: UnsafeSet, row: Float64[Tensor, "d"], single: Float64[Tensor, "d"]) -> int:
    """The column that alone changes a row's membership as float32; where it takes several, the one that moves
    most.
    """
    each = row.repeat(len(row), 1)
    each.diagonal().copy_(single)
    alone = (region.contains(each) != region.contains(row[None])).nonzero()[:, 0]
    return int(alone[0]) if len(alone) else int((single - row).abs().argmax())


def spacing(size: float, format_: Format) -> float:
    """The distance of neighbouring numbers of a format near `size`; infinite beyond its largest."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(np.spacing(np.dtype(format_).type(size)))
    return found if np.isfinite(found) else float("inf")
