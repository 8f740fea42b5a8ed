"""Everything within r of any of m protected points (rows of a table): s = minⱼ ‖x − pⱼ‖ − r.

The nearest point is found exactly and without gradients: in blocks, squared distances by one float64 matrix product a block
propose a few candidates a row, which are then measured by differences. Derivatives see one point a row.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import Doc

from barriers.derivatives import Jet
from barriers.sets.base import UnsafeSet, matrix, positive
from barriers.specification import Context

PAIRS = 1 << 22
"""Row–point pairs looked at together."""
CANDIDATES = 4
"""Points proposed a row: rounding in the product could only mislead among more equally near ones than this."""


class NearPoints(UnsafeSet):
    """Everything within `radius` of any protected row."""

    clearance = True
    smooth = False
    example: ClassVar[dict[str, object]] = {
        "kind": "near_points", "points": [[-0.5, 0.4], [0.6, 0.3], [0.8, -0.6], [-0.2, -0.7]], "radius": 0.4,
    }  # fmt: skip
    points: Tensor

    def __init__(
        self,
        points: Annotated[list[list[float]] | Path, Doc("The protected rows, written out or as a .npy, .npz (x) or .csv file.")],
        radius: Annotated[float, Gt(0), Doc("How near is unsafe, in the data's units.")],
        columns: Annotated[Sequence[str], Context("columns")],
    ):
        super().__init__()
        rows = _read(Path(points), columns) if isinstance(points, str | Path) else points
        self.register_buffer("points", matrix("NearPoints", "points", rows))
        self.radius = positive("NearPoints", "radius", radius)
        self.dimension = self.points.shape[1]
        self.exact = len(self.points) == 1

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self._norm(self._offset(x)) - self.radius

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self._offset(x.double()).square().sum(-1) <= self.radius**2

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        offset = self._offset(x)
        ρ = self._norm(offset)
        return Jet(ρ - self.radius, offset / ρ[:, None], (x.shape[1] - 1) / ρ)

    def _norm(self, offset: Tensor) -> Tensor:
        """‖offset‖, smoothed within 1e-6 radii of a point, so that derivatives stay finite there."""
        return (offset.square().sum(-1) + torch.finfo(offset.dtype).eps * 1e-2 * self.radius**2).sqrt()

    def _offset(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """x minus its nearest protected point."""
        with torch.no_grad():
            flat = x.detach().double().reshape(-1, x.shape[-1])
            rows = max(PAIRS // min(len(self.points), PAIRS), 64)
            nearest = torch.cat([self._nearest(block) for block in flat.split(rows)]) if len(flat) else flat
        return x - nearest.to(x.dtype).reshape(x.shape)

    def _nearest(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The nearest point of each row, over blocks of points."""
        best, where = x.new_full((len(x),), float("inf")), torch.zeros_like(x)
        for points in self.points.double().split(PAIRS // 64):
            middle = points.mean(0)
            p, q = points - middle, x - middle
            proposed = torch.addmm(p.square().sum(1), q, p.T, alpha=-2).topk(min(CANDIDATES, len(p)), largest=False).indices
            square = (x[:, None] - points[proposed]).square().sum(-1)
            least, k = square.min(1)
            chosen = points[proposed.gather(1, k[:, None])[:, 0]]
            where = torch.where((least < best)[:, None], chosen, where)
            best = torch.minimum(best, least)
        return where


def _read(path: Path, columns: Sequence[str]) -> Tensor:
    """The rows of a file; a .csv with a header is read by column name."""
    import numpy as np

    try:
        if path.suffix == ".csv":
            header = [name.strip() for name in path.read_text().split("\n", 1)[0].split(",")]
            named = set(columns) <= set(header)
            rows = np.loadtxt(
                path, delimiter=",", skiprows=int(named), ndmin=2, usecols=[header.index(c) for c in columns] if named else None
            )
        elif path.suffix in (".npy", ".npz"):
            loaded = np.load(path, allow_pickle=False)
            rows = loaded if isinstance(loaded, np.ndarray) else loaded["x"]
        else:
            raise ValueError("the name must end in .npy, .npz or .csv")
        return torch.as_tensor(np.asarray(rows, dtype=np.float64))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"NearPoints: points must be a readable table of numbers; {path}: {error}") from error
