"""An occupancy map of the plane: an image whose dark cells are unsafe.

Cell centres carry the Euclidean distance to the nearest cell of the other kind, minus half a cell, negative
in unsafe cells; between centres it is interpolated bilinearly, and the set is where that is at most 0. So
walls lie midway between centres, and corners are cut by less than half a cell. Outside the image everything
is free, at the border's distance plus the distance to the border; with `off_map: occupied` everything there
is unsafe.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Len, Lt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, autodiff_jet
from barriers.sets.base import UnsafeSet, vector
from barriers.sets.exact import ULP, integers, settle
from barriers.sets.grid_map import YAML_SUFFIXES, State, drawn, picture, ros_map
from barriers.squares import squared_norm

Map = Annotated[
    list[str] | Path,
    Doc(
        "A ROS map_server YAML file, a picture (PNG, PGM, PBM, BMP, TIFF, GIF), or rows of text from "
        "the top, '#' unsafe and '.' free."
    ),
]
LowerCorner = Annotated[
    list[float] | None,
    Len(2, 2),
    Doc("The lower left corner of the map [x, y]; a map_server file contains it."),
]
UpperCorner = Annotated[
    list[float] | None,
    Len(2, 2),
    Doc("The upper right corner of the map [x, y]; a map_server file contains it."),
]
Threshold = Annotated[
    float | None,
    Gt(0),
    Lt(1),
    Doc("A pixel of a picture that is darker than this is unsafe (0 is black, 1 is white); 0.5 by default."),
]
Unknown = Annotated[
    State | None,
    Doc("How unknown cells of a map_server file are treated; as occupied by default."),
]
OffMap = Annotated[State, Doc("How points outside the map are treated.")]


class Occupancy(UnsafeSet):
    """The occupied part of a map: the dark part of an image over the rectangle from `lower` to `upper`, or
    the occupied cells of a ROS map_server YAML file. It has two columns; with more, use `columns`.
    """

    exact = False
    smooth = False
    example: ClassVar[dict[str, object]] = {
        "kind": "occupancy",
        "map": ["........", ".###....", ".###..#.", "......#.", "..####..", "........"],
        "lower": [-2.0, -1.5],
        "upper": [2.0, 1.5],
    }
    distance: Tensor
    lower: Tensor
    cell: Tensor

    def __init__(
        self,
        map: Map,
        lower: LowerCorner = None,
        upper: UpperCorner = None,
        threshold: Threshold = None,
        unknown: Unknown = None,
        off_map: OffMap = "free",
    ):
        super().__init__()
        dark, lower, upper = _cells(map, lower, upper, threshold, unknown)
        low, high = _corners(lower, upper)
        if not dark.any():
            raise ValueError("Occupancy: map must have an unsafe cell; this one has none")
        self.beyond = off_map == "occupied"
        if self.beyond and dark.all():
            raise ValueError(
                "Occupancy: with off_map: occupied, map must have a free cell; this one has none"
            )
        rows, across = dark.shape
        size = (high - low) / torch.tensor([across, rows], dtype=torch.float64)
        self.register_buffer("distance", _signed_distance(dark, size, self.beyond))
        self.register_buffer("lower", low - size / 2)
        self.register_buffer("cell", size)
        # A position in cells has an error of an ulp of the map's coordinates over its cell size; that of the
        # level is this share of the largest distance.
        reach = (torch.maximum(low.abs(), high.abs()) / size).max() + max(dark.shape) + 4
        self.rounding = float(16 * ULP * reach * self.distance.abs().max())
        self.steepest = _steepest(self.distance, size)
        self.dimension = 2

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        size, last = self.cell.to(x.dtype), torch.tensor(self.distance.shape, device=x.device).flip(0) - 1
        lower = self.lower.to(x.dtype)
        inside = torch.minimum(torch.maximum(x, lower), lower + last * size)
        at = (inside - lower) / size
        corner = torch.minimum(at.detach().floor().clamp(min=0), (last - 1).to(x.dtype))
        (i, j), (u, v) = corner.nan_to_num(nan=0.0).long().unbind(-1), (at - corner).unbind(-1)
        s = self.distance.to(x.dtype)
        below = s[j, i] * (1 - u) + s[j, i + 1] * u
        above = s[j + 1, i] * (1 - u) + s[j + 1, i + 1] * u
        square = squared_norm(x - inside)
        off = square > 0
        away = torch.where(off, torch.where(off, square, 1.0).sqrt(), 0.0)
        return below * (1 - v) + above * v + (-away if self.beyond else away)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        x = x.double()
        level = self(x)
        return settle(x, level <= -self.rounding, level <= self.rounding, self._exactly)

    def _exactly(self, rows: Float[Tensor, "k d"]) -> np.ndarray:
        """The same interpolation, times the size of a cell in both directions; constant off the map."""
        X, lower, size, s = integers(rows, self.lower, self.cell, self.distance)
        last = np.array([s.shape[1] - 1, s.shape[0] - 1], dtype=object)
        o = X - lower
        on = ((o >= 0) & (o <= last * size)).all(1)
        corner = np.where(on[:, None], np.minimum(o // size, last - 1), 0)
        (i, j), (u, v) = corner.astype(np.int64).T, (o - corner * size).T
        (w, h) = size
        below = s[j, i] * (w - u) + s[j, i + 1] * u
        above = s[j + 1, i] * (w - u) + s[j + 1, i + 1] * u
        inside = below * (h - v) + above * v <= 0
        return inside | ~on if self.beyond else on & inside

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)


def _corners(lower: list[float], upper: list[float]) -> tuple[Float[Tensor, "2"], Float[Tensor, "2"]]:
    """The map's corners; ValueError where they are not two points of the plane, lower first."""
    low, high = vector("Occupancy", "lower", lower), vector("Occupancy", "upper", upper)
    if len(low) != 2 or len(high) != 2 or not (low < high).all():
        raise ValueError(
            f"Occupancy: lower and upper must be points [x, y], lower first; got {lower!r} and {upper!r}"
        )
    return low, high


def _signed_distance(
    dark: Bool[Tensor, "rows across"], size: Float[Tensor, "2"], beyond: bool
) -> Float[Tensor, "rows+2 across+2"]:
    """The distance of each cell's centre to the nearest of the other kind, less half a cell, negative in
    unsafe cells; from the bottom row up, with one more cell around the map, unsafe where `beyond` is.
    """
    sampling = (float(size[1]), float(size[0]))
    filled = torch.nn.functional.pad(dark, (1, 1, 1, 1), value=beyond).flip(0).numpy()
    signed = torch.as_tensor(_both_distances(filled.tobytes(), filled.shape, sampling).copy())
    return signed - min(sampling) / 2 * signed.sign()


@lru_cache(maxsize=4)
def _both_distances(
    filled: bytes, shape: tuple[int, int], sampling: tuple[float, float]
) -> Float[np.ndarray, "rows across"]:
    """The distance of each cell to the nearest of the other kind, negative in filled ones; of a map, which is
    made into a region several times, computed once.
    """
    from scipy.ndimage import distance_transform_edt

    cells = np.frombuffer(filled, dtype=bool).reshape(shape)
    found: np.ndarray = distance_transform_edt(~cells, sampling) - distance_transform_edt(cells, sampling)
    return found


def _steepest(distance: Float[Tensor, "rows across"], size: Float[Tensor, "2"]) -> float:
    """The largest slope of the interpolation: within a cell each partial derivative lies between those along
    its two sides, and off the map the distance to the border is added, which is steep across it alone.
    """
    along = (distance.diff(dim=1).abs() / size[0], distance.diff(dim=0).abs() / size[1])
    within = torch.hypot(
        torch.maximum(along[0][:-1], along[0][1:]), torch.maximum(along[1][:, :-1], along[1][:, 1:])
    )
    border = max(float(side.max()) for side in (*along[0][[0, -1]], *along[1][:, [0, -1]].T))
    return max(float(within.max()), (1 + border**2) ** 0.5)


def _cells(
    map: list[str] | Path,
    lower: list[float] | None,
    upper: list[float] | None,
    threshold: float | None,
    unknown: State | None,
) -> tuple[Bool[Tensor, "rows across"], list[float], list[float]]:
    """Which cells are occupied, from the top row down, and the map's corners; ValueError for keys that
    contradict each other.
    """
    server = not isinstance(map, list) and Path(map).suffix.lower() in YAML_SUFFIXES
    if server and (lower is not None or upper is not None or threshold is not None):
        raise ValueError(
            "Occupancy: a map_server file has an origin, a resolution and thresholds of its own: "
            "leave out lower, upper and threshold"
        )
    if server:
        found = ros_map(Path(str(map)))
        cells = found.occupied(unknown or "occupied")
        return cells, list(found.origin), found.upper(*cells.shape)
    if lower is None or upper is None:
        raise ValueError("Occupancy: needs lower and upper, the corners of the map")
    if unknown is not None:
        raise ValueError(
            "Occupancy: unknown is for a map_server YAML file, which tells unknown cells apart; leave it out"
        )
    if isinstance(map, list):
        if threshold is not None:
            raise ValueError("Occupancy: threshold is for a picture; rows of text have none: leave it out")
        return drawn(map), lower, upper
    return picture(Path(map), 0.5 if threshold is None else threshold), lower, upper
