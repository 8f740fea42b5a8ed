"""Projection after the noise, particle by particle: y inside a set goes to its boundary, y − s∇s/‖∇s‖²
(SafeDiffuser-style; P.4).

It ignores β, and it changes the distribution: the mass that would be inside forms an atom on the boundary
(2.71 % on N(0,1), x ≤ 1, h = .01).
"""

import math
from collections.abc import Sequence
from typing import Literal

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import value_and_gradient
from barriers.filters.alone import alone
from barriers.filters.base import (
    FilterInfo,
    Promise,
    insides,
    per_cloud,
    refuse_batches,
    unlimited,
)
from barriers.filters.later_uniforms import Uniforms
from barriers.filters.nudge import left_along, nudged
from barriers.filters.whole import HERE, Whole
from barriers.sets.base import UnsafeSet

SWEEPS = 20


class Project:
    """Moves every particle that is inside a set to the nearest boundary, one set after another, until none is
    inside.
    """

    hook: Literal["step"] = "step"
    couples = False
    batched = True
    draws_later = True
    promise = Promise(
        "none",
        "P.4: particles that are inside are moved to the boundary, where they form an atom; overlapping or "
        "curved sets may leave some inside (shortfall)",
    )

    def __init__(self, sets: Sequence[UnsafeSet], whole: Whole = HERE):
        self.sets, self.limits, self.whole = tuple(sets), unlimited(len(sets)), whole

    def init(self, x: Float[Tensor, "*r n d"]) -> None:
        return None

    @alone
    def apply(
        self,
        x: Float[Tensor, "*r n d"],
        proposal: Float[Tensor, "*r n d"],
        step_size: float,
        uniforms: Uniforms,
        memory: None,
    ) -> tuple[Float[Tensor, "*r n d"], None, FilterInfo]:
        refuse_batches("project", x, proposal)
        y, clouds = proposal.flatten(0, -2), math.prod(proposal.shape[:-2])
        for _ in range(SWEEPS):
            before = y
            for unsafe in self.sets:
                s, ds = value_and_gradient(unsafe, y)
                lost = unsafe.contains(y) & (ds == 0).all(1)
                if bool(lost.any()):  # at a centre, or on an axis
                    y = _led_out(unsafe, y, lost, clouds)
                    s, ds = value_and_gradient(unsafe, y)
                past = (
                    4 * torch.finfo(y.dtype).eps * (1 + y.abs().amax(1))
                )  # one rounding past the boundary, so that it counts as outside
                move = (past - s)[:, None] * ds / ds.square().sum(1, keepdim=True).clamp(min=1e-12)
                y = torch.where(unsafe.contains(y)[:, None], y + move, y)
            if y is before or torch.equal(y, before):
                break
        y = y.reshape(proposal.shape)
        none = per_cloud(self.limits, x)
        return y, None, FilterInfo(none, none, self.whole.mean(insides(self.sets, y)))


def _led_out(
    unsafe: UnsafeSet, x: Float[Tensor, "n d"], lost: Bool[Tensor, "n"], clouds: int
) -> Float[Tensor, "n d"]:
    """Particles without a gradient moved out of the region in the direction of a gradient next to them, to
    where they first leave it.
    """

    def gradient(at: Tensor) -> Tensor:
        return value_and_gradient(unsafe, at)[1]

    direction = gradient(nudged(x, lost, gradient, clouds))
    led = lost & (direction != 0).any(1)
    y = x.clone()
    y[led] = left_along(unsafe.contains, x[led], direction[led])
    return y
