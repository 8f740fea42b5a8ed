"""Everything within r of any of m protected points (rows of a table): s = minⱼ ‖x − pⱼ‖ − r.

The nearest point is found exactly and without gradients, then derivatives use one point per row. In few
dimensions, on the CPU, by a k-d tree; else in blocks: one float64 matrix product per block bounds the
distance to it, and only blocks that could contain the nearest point, rounding included, are measured by
differences.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, array_of
from barriers.sets.base import UnsafeSet, matrix, positive
from barriers.sets.exact import ULP, integers, settle
from barriers.sets.point_files import read_points
from barriers.specification import Context
from barriers.squares import squared_norm
from barriers.tables import DECIMAL, HEADER, SEPARATOR, Decimal, Separator, TableFormat

TREE = 10
"""Up to this many dimensions a tree is faster than checking every point."""
ROWS, POINTS = 512, 1024
"""The size of a block of distances computed together; it fits a cache."""
DEPTH = 64
"""A bound on the rounding of a distance in a tree: each level adds one."""


class NearPoints(UnsafeSet):
    """Everything within `radius` of any protected row."""

    clearance = True
    smooth = False
    example: ClassVar[dict[str, object]] = {
        "kind": "near_points",
        "points": [[-0.5, 0.4], [0.6, 0.3], [0.8, -0.6], [-0.2, -0.7]],
        "radius": 0.4,
    }
    points: Tensor

    def __init__(
        self,
        points: Annotated[
            list[list[float]] | Path,
            Doc("The protected rows, written out or as a file: .npy, .npz (x) or text (.csv, .tsv, ...)."),
        ],
        radius: Annotated[float, Gt(0), Doc("A row is unsafe within this distance, in the data's units.")],
        columns: Annotated[Sequence[str], Context("columns")],
        header: Annotated[bool | None, Doc(HEADER)] = None,
        separator: Annotated[Separator | None, Doc(SEPARATOR)] = None,
        decimal: Annotated[Decimal | None, Doc(DECIMAL)] = None,
    ):
        super().__init__()
        form = TableFormat(header, separator, decimal)
        rows = read_points(Path(points), columns, form) if isinstance(points, str | Path) else points
        self.register_buffer("points", matrix("NearPoints", "points", rows))
        self.radius = positive("NearPoints", "radius", radius)
        self.dimension = self.points.shape[1]
        self.exact = len(self.points) == 1
        self.tree = _tree(self.points)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self._norm(self.offset(x)) - self.radius

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        x, squared = x.double(), self.radius**2
        q = squared_norm(self.offset(x))
        error = (x.shape[-1] + DEPTH) * ULP * squared
        return settle(x, q <= squared - error, q <= squared + error, self._exactly)

    def _exactly(self, rows: Float[Tensor, "k d"]) -> np.ndarray:
        """For each row, every point whose float64 distance may be at most r, compared exactly."""
        points = self.points.double().cpu()
        reach = (1 + (rows.shape[1] + DEPTH) * ULP) * self.radius
        answer = np.zeros(len(rows), dtype=bool)
        for start in range(0, len(rows), ROWS):
            block = rows[start : start + ROWS]
            near = torch.cdist(block, points, compute_mode="donot_use_mm_for_euclid_dist") <= reach
            i, j = near.nonzero().T
            X, p, r = integers(block[i], points[j], self.radius)
            np.logical_or.at(answer, start + array_of(i), ((X - p) ** 2).sum(1) <= r**2)
        return answer

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        offset = self.offset(x)
        ρ = self._norm(offset)
        return Jet(ρ - self.radius, offset / ρ[:, None], (x.shape[1] - 1) / ρ)

    def offset(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """x minus its nearest protected point."""
        with torch.no_grad():
            # A distance that overflows has no nearest point; such rows are equally far from all of them.
            flat = x.detach().double().reshape(-1, x.shape[-1]).nan_to_num(nan=0.0).clamp(-1e150, 1e150)
            if self.tree is not None and not x.is_cuda:
                nearest = torch.as_tensor(self.tree.query(array_of(flat))[1])
            else:
                nearest = torch.cat(
                    [flat.new_zeros(0).long(), *(self._nearest(block) for block in flat.split(ROWS))]
                )
        return x - self.points[nearest].to(x.dtype).reshape(x.shape)

    def _norm(self, offset: Tensor) -> Tensor:
        """‖offset‖, smoothed within 1e-6 radii of a point, so that derivatives stay finite there."""
        number = torch.finfo(offset.dtype)
        return (squared_norm(offset) + max(number.eps * 1e-2 * self.radius**2, number.tiny)).sqrt()

    def _nearest(self, x: Float[Tensor, "n d"]) -> Tensor:
        """The index of the nearest point of each row, over blocks of points."""
        blocks = self.points.double().split(POINTS)
        bounds = torch.stack([_least(x, points) for points in blocks])
        best = x.new_full((len(x),), float("inf"))
        where = torch.zeros(len(x), dtype=torch.long, device=x.device)
        # Each bound has an error of at most its block's share of `_slack`, so only these blocks can contain a
        # nearest point.
        for i, possible in enumerate(bounds <= bounds.amin(0) + 2 * self._slack(x)):
            rows = possible.nonzero()[:, 0]
            distance, k = torch.cdist(x[rows], blocks[i], compute_mode="donot_use_mm_for_euclid_dist").min(1)
            nearer = distance < best[rows]
            best[rows[nearer]], where[rows[nearer]] = distance[nearer], k[nearer] + i * POINTS
        return where

    def _slack(self, x: Tensor) -> Tensor:
        """A bound on the rounding of `_least`: of a dot product of d terms, and of two sums."""
        reach = (self.points.double() - x[:1]).norm(dim=1).max() + (x - x[:1]).norm(dim=1)
        return 10 * (x.shape[1] + 4) * torch.finfo(x.dtype).eps * reach.square()


def _least(x: Float[Tensor, "n d"], points: Float[Tensor, "m d"]) -> Float[Tensor, "n"]:
    """The smallest squared distance to some points, by one matrix product around their mean."""
    middle = points.mean(0)
    p, q = points - middle, x - middle
    return torch.addmm(squared_norm(p), q, p.T, alpha=-2).amin(1) + squared_norm(q)


def _tree(points: Tensor) -> Any:
    if points.shape[1] > TREE:
        return None
    from scipy.spatial import cKDTree

    return cKDTree(points.numpy())
