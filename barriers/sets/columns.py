"""A set on chosen coordinates: s(x) = s_inner(x_J), a cylinder. Distances remain distances, since x moves
within J only.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from annotated_types import MinLen
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, Scalar
from barriers.sets.algebra import complement
from barriers.sets.backticks import place_of
from barriers.sets.base import UnsafeSet
from barriers.sets.rule_error import RuleError
from barriers.sets.soft import soften
from barriers.specification import Context


class Columns(UnsafeSet):
    """`set`, applied to the named columns in the order given."""

    example: ClassVar[dict[str, object]] = {
        "kind": "columns",
        "columns": ["x1", 0],
        "set": {"kind": "ball", "center": [0.2, 0.1], "radius": 0.7},
    }
    index: Tensor

    def __init__(
        self,
        columns: Annotated[list[str | int], MinLen(1), Doc("Names of columns, or their positions from 0.")],
        set: Annotated[UnsafeSet, Doc("A region over only these columns.")],
        among: Annotated[Sequence[str], Context("columns")],
    ):
        super().__init__()
        index = [_position(c, among) for c in columns]
        repeated = next((c for c, i in zip(columns, index, strict=True) if index.count(i) > 1), None)
        if repeated is not None:
            raise ValueError(f"Columns: columns must be named once each; got {repeated!r} twice")
        if set.dimension not in (None, len(index)):
            raise ValueError(
                f"Columns: set has {set.dimension} dimensions, columns names {len(index)}; they must agree"
            )
        self.register_buffer("index", torch.tensor(index))
        self.inner, self.dimension, self.among = set, len(among), tuple(among)
        self.exact, self.clearance, self.smooth = set.exact, set.clearance, set.smooth

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.inner(x[..., self.index])

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.inner.contains(x[..., self.index])

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        inner = self.inner.jet(x[..., self.index])
        gradient = torch.zeros_like(x).index_copy(1, self.index, inner.gradient)
        return Jet(inner.value, gradient, inner.laplacian)

    def around(self, inner: UnsafeSet) -> "Columns":
        """Another set on the same columns."""
        return Columns([int(i) for i in self.index], inner, self.among)


def _position(column: str | int, among: Sequence[str]) -> int:
    if isinstance(column, str):
        try:
            return place_of(column, among)
        except RuleError as bad:
            raise ValueError(f"Columns: {bad.what}{bad.why}") from None
    if not 0 <= column < len(among):
        raise ValueError(f"Columns: position must be from 0 to {len(among) - 1}; got {column}")
    return int(column)


@complement.register
def _complement_of_columns(unsafe: Columns) -> UnsafeSet:
    return unsafe.around(complement(unsafe.inner))


@soften.register
def _soft_columns(unsafe: Columns, width: Scalar) -> UnsafeSet:
    return unsafe.around(soften(unsafe.inner, width))
