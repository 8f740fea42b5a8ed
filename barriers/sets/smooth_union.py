"""A union with its seams filled: {−w log Σ e^{−sᵢ/w} ≤ 0}, the soft union of `soft` as a set of its own.

It contains the plain union, and is contained in the union grown by w log k.
"""

from typing import Annotated, ClassVar

from annotated_types import Gt, MinLen
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, needs_torch
from barriers.derivatives import Jet
from barriers.sets.algebra import AnyOf
from barriers.sets.base import NotSmooth, UnsafeSet, positive
from barriers.sets.soft import SoftExtremum


class SmoothUnion(UnsafeSet):
    """The union of `sets`, with the seams between them smoothed over `width`."""

    exact = False
    smooth = True
    example: ClassVar[dict[str, object]] = {
        "kind": "smooth_union",
        "width": 0.2,
        "sets": [
            {"kind": "ball", "center": [-0.5, 0.0], "radius": 0.6},
            {"kind": "ball", "center": [0.5, 0.3], "radius": 0.5},
        ],
    }

    def __init__(
        self,
        sets: Annotated[
            list[UnsafeSet], MinLen(1), Doc("The sets of the union; each must be twice differentiable.")
        ],
        width: Annotated[
            float,
            Gt(0),
            Doc("The width over which the seam between two sets is smoothed, in the data's units."),
        ],
    ):
        super().__init__()
        rough = next((s for s in sets if not s.smooth), None)
        if rough is not None:
            raise NotSmooth(
                f"SmoothUnion: every set must be twice differentiable, which {type(rough).__name__} is "
                "not; use `any`"
            )
        hard = AnyOf(sets)
        self.melted, self.dimension = (
            SoftExtremum(hard, sets, positive("SmoothUnion", "width", width), -1),
            hard.dimension,
        )

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.melted(x)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        needs_torch("a level that decides")
        return ~(self.melted(x.double()) > 0)  # NaN counts as inside

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return self.melted.jet(x)
