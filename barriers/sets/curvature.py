"""Curvature of a path: the Menger curvature of three waypoints in a row, 1/R of the circle through them.

With the steps u and v at a waypoint, of lengths a and b, the longer one M and the shorter one m, and the turn
θ between their directions û and v̂:

κ = 4·area/(a b ‖u + v‖) = 2 sin θ/‖u + v‖,   2 sin θ = ‖v̂ − û‖‖v̂ + û‖     where cos θ > −m/M
κ = 2/M                                                                        beyond     (B.14)

A sharper turn between the same steps makes the circle smaller, until at cos θ = −m/M its diameter is the
longer step. Beyond, the circle through the three points grows again, up to a line where the path turns back
on itself; κ stays at its largest value there, as a vehicle would have to turn at least that tightly.
Waypoints that coincide are one waypoint, so that a pause does not hide a turn.

s is the least of (1 − κR)·m·min(M/R, 2)/4. Its slope is at most 1, reached at m ≪ M = 2R (by search over
triples of all sizes and angles, in the tests), so it never exceeds the distance: for equal steps h ≪ R it is
(1/R − κ)h²/4, and the distance (1/R − κ)h²/√6. Next to a pause it is 0, as the least motion turns a pause
around.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, float64_jet
from barriers.sets.base import UnsafeSet, of_sign, positive
from barriers.sets.exact import ULP, integers, settle
from barriers.sets.lengths import length
from barriers.sets.waypoints import AGENTS, SIZE, placed, times
from barriers.specification import Context
from barriers.squares import squared_norm

LIFT = 1e-14
"""Added to squared lengths, as a share of R², so that derivatives stay finite where waypoints coincide."""
ROUNDINGS = 16
"""Membership in float64 is trusted beyond this many roundings per coordinate; integers decide the rest."""

SMALLEST = 1e-280
"""Steps below this, or above its inverse, are left to integers."""


class Curvature(UnsafeSet):
    """Every path that turns more tightly than `above` = 1/R anywhere: the circle through three waypoints in a
    row has a radius below R, or the path turns back.
    """

    exact = False
    smooth = False
    example: ClassVar[dict[str, object]] = {"kind": "curvature", "above": 1.1}
    example_columns = 6

    def __init__(
        self,
        columns: Annotated[Sequence[str], Context("columns")],
        above: Annotated[
            float, Gt(0), Doc("The largest curvature that is allowed, 1/R, per unit of length of the data.")
        ],
        size: Annotated[int, Ge(2), Doc(SIZE)] = 2,
        agents: Annotated[int, Ge(1), Doc(AGENTS)] = 1,
    ):
        super().__init__()
        if size < 2:
            raise ValueError(f"Curvature: size must be at least 2, as on a line nothing turns; got {size}")
        self.times = times("Curvature", columns, size, agents, 3, "a curvature")
        self.above, self.size, self.agents = positive("Curvature", "above", above), size, agents
        self.dimension = len(columns)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        s = self.levels(x.double()).flatten(-2).amin(-1)
        return of_sign(s, self.contains(x)).to(x.dtype)

    def levels(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n t a"]:
        """The level at every waypoint with one before and one after it."""
        u, v, chord = (part * self.above for part in self._triples(x))  # in units of R
        a, b, c = (_lifted(part) for part in (u, v, chord))
        û, v̂ = u / a[..., None], v / b[..., None]
        cos, longer, shorter = (û * v̂).sum(-1), torch.maximum(a, b), torch.minimum(a, b)
        turned = cos * longer <= -shorter
        sharp = _lifted(v̂ - û) * _lifted(v̂ + û) / torch.where(turned, 1.0, c)
        κ = torch.where(turned, 2 / longer, sharp)
        return (1 - κ) * (shorter - LIFT**0.5) * longer.clamp(max=2) / (4 * self.above)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        x = x.detach().double()
        u, v, chord = self._triples(x)
        a, b, c = (length(part) for part in (u, v, chord))
        longer, shorter, moves = torch.maximum(a, b), torch.minimum(a, b), (a != 0) & (b != 0)
        û, v̂, ε = _direction(u), _direction(v), ROUNDINGS * (self.size + 8) * ULP
        sine, limit, back = length(v̂ - û) * length(v̂ + û), self.above * c, self.above * longer
        off, side = ε * (1 + limit), (û * v̂).sum(-1) + shorter / torch.where(moves, longer, 1.0)
        turned, gentle = side < -ε, side > ε
        over = torch.where(turned, back < 2 - ε, torch.where(gentle, sine > limit + off, False))
        within = torch.where(turned, back > 2 + ε, torch.where(gentle, sine < limit - off, False))
        known = (shorter > SMALLEST) & (longer < 1 / SMALLEST) & ((c == 0) | (c > SMALLEST))
        surely, possibly = moves & known & over, moves & ~(known & within)
        surely, possibly = (part.flatten(-2).any(-1) for part in (surely, possibly))
        return settle(x, surely, possibly, self._exactly) | ~torch.isfinite(x).all(-1)  # no number is no pass

    def _exactly(self, rows: Float[Tensor, "r d"]) -> np.ndarray:
        X, K, one = integers(rows, self.above, 1.0)
        paths = placed(X, self.agents, self.size).transpose(0, 2, 1, 3)
        return np.array([any(_tight(path, int(K), int(one)) for path in agents) for agents in paths])

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return float64_jet(self, x)

    def _triples(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """u, v and u + v at every waypoint but the first and last, each [*n, T − 2, A, k]; u is the last step
        before it that moved.
        """
        w = placed(x, self.agents, self.size)
        steps = w[..., 1:, :, :] - w[..., :-1, :, :]
        moved = (steps.detach() != 0).any(-1)
        t = torch.arange(steps.shape[-3], device=x.device)[:, None].expand(moved.shape)
        last = (
            torch.where(moved, t, 0).cummax(-2).values[..., :-1, :, None].expand(steps[..., 1:, :, :].shape)
        )
        return steps.gather(-3, last), steps[..., 1:, :, :], w[..., 2:, :, :] - w.gather(-3, last)


def _lifted(v: Float[Tensor, "*n k"]) -> Float[Tensor, "*n"]:
    return (squared_norm(v) + LIFT).sqrt()


def _direction(v: Float[Tensor, "*n k"]) -> Float[Tensor, "*n k"]:
    """v/‖v‖, without over- or underflow; 0 of 0."""
    shares = v / v.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(v.dtype).tiny)
    return shares / shares.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(v.dtype).tiny)


def _tight(path: np.ndarray, K: int, one: int) -> bool:
    """Whether an agent's path [T, k], in units of 1/one, turns more tightly than K/one anywhere, in
    integers.
    """
    u = None
    for v in path[1:] - path[:-1]:
        b2 = int(v @ v)
        if b2 == 0:
            continue
        if u is not None:
            a2, dot, chord2 = int(u @ u), int(u @ v), int((u + v) @ (u + v))
            if dot + min(a2, b2) <= 0:
                if 4 * one**4 > K * K * max(a2, b2):
                    return True
            elif 4 * (a2 * b2 - dot * dot) * one**4 > K * K * a2 * b2 * chord2:
                return True
        u = v
    return False
