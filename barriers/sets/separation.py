"""Several agents that come too near to one another.

A row holds T times of A agents, [T, A, k]. With r_t the position of one agent of a pair relative to the
other, and every agent moving straight from one waypoint to the next in the same time,

s(x) = min over pairs, t and τ ∈ [0, 1] of (‖r_t + τ(r_{t+1} − r_t)‖ − below)/√2     (B.15)

‖r‖² is a quadratic in τ, so its least τ is known: −r_t·e/‖e‖², e = r_{t+1} − r_t, kept within [0, 1]. A path
that moves by δ changes r anywhere by at most √2‖δ‖: s is a bound of the distance, and with `between: points`
the distance itself outside.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.derivatives import Jet, autodiff_jet
from barriers.sets.base import UnsafeSet, of_sign, positive
from barriers.sets.exact import ULP, integers, settle
from barriers.sets.waypoints import SIZE, Between, placed, times
from barriers.specification import Context
from barriers.squares import squared_norm

LOST = 1e-150
"""More than an underflow of a square changes a length of up to 1."""


class Separation(UnsafeSet):
    """Every joint path of several agents on which two of them come nearer than `below` at the same time, also
    on the way between two waypoints.
    """

    exact = False
    smooth = False
    example: ClassVar[dict[str, object]] = {"kind": "separation", "below": 0.7, "agents": 2, "size": 1}
    first: Tensor
    second: Tensor

    def __init__(
        self,
        columns: Annotated[Sequence[str], Context("columns")],
        below: Annotated[float, Gt(0), Doc("The smallest distance that is allowed between two agents.")],
        agents: Annotated[
            int,
            Ge(2),
            Doc(
                "How many agents there are; the columns are, time after time, the coordinates of the first "
                "agent, of the second, and so on."
            ),
        ],
        size: Annotated[int, Ge(1), Doc(SIZE)] = 2,
        between: Annotated[
            Between,
            Doc(
                "segments: agents that move straight between their waypoints must stay apart there too; "
                "points: only the waypoints count."
            ),
        ] = "segments",
    ):
        super().__init__()
        if agents < 2:
            raise ValueError(f"Separation: agents must be at least 2, as one has no distance; got {agents}")
        self.times = times("Separation", columns, size, agents, 1, "a distance")
        self.below, self.size, self.agents = positive("Separation", "below", below), size, agents
        self.dimension, self.between = len(columns), between
        self.joined = between == "segments" and self.times > 1
        """Whether segments are checked."""
        self.clearance = not self.joined
        self.exact = self.times == 1 and agents == 2
        first, second = zip(*combinations(range(agents), 2), strict=True)
        self.register_buffer("first", torch.tensor(first))
        self.register_buffer("second", torch.tensor(second))

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return of_sign(self.levels(x).amin(-1), self.contains(x))

    def levels(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n l"]:
        """The level of every pair at every time, or on every segment."""
        number = torch.finfo(x.dtype)
        tiny = max(number.eps * 1e-2 * self.below**2, number.tiny)
        nearest = self._nearest(self.relative(x))[0]
        return ((squared_norm(nearest) + tiny).sqrt() - self.below).flatten(-2) / 2**0.5

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        x = x.detach().double()
        r = self.relative(x)
        most = r.abs().amax(-1)
        most = torch.maximum(most[..., :-1, :], most[..., 1:, :]) if self.joined else most
        scale = most.clamp(min=self.below)
        nearest, size = self._nearest(r, scale[..., None])
        ρ, below = squared_norm(nearest).sqrt(), self.below / scale
        off = 8 * (self.size + 8) * ULP * (size + below) + LOST
        surely, possibly = (part.flatten(-2).any(-1) for part in (ρ < below - off, ~(ρ >= below + off)))
        return settle(x, surely, possibly, self._exactly) | ~torch.isfinite(x).all(-1)  # no number is no pass

    def _exactly(self, rows: Float[Tensor, "n d"]) -> np.ndarray:
        X, below = integers(rows, self.below)
        r, bound = self.relative(X), int(below) ** 2
        a, b = (r[:, :-1], r[:, 1:]) if self.joined else (r, r)
        e = b - a
        a2, b2, e2, along = ((p * q).sum(-1) for p, q in ((a, a), (b, b), (e, e), (a, e)))
        ahead, beyond = along >= 0, along + e2 <= 0
        apart = np.where(ahead, a2, np.where(beyond, b2, 0))
        at_ends, between = apart < bound, a2 * e2 - along**2 < bound * e2
        near = np.where(ahead | beyond, at_ends, between).astype(bool)
        return np.asarray(near.any((1, 2)))

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)

    def relative(self, x: Any) -> Any:
        """The position of the second agent of each pair relative to the first: [*n, T, pairs, k]."""
        w = placed(x, self.agents, self.size)
        first, second = (
            (self.first, self.second)
            if isinstance(x, Tensor)
            else (self.first.cpu().numpy(), self.second.cpu().numpy())
        )
        return w[..., second, :] - w[..., first, :]

    @property
    def looked(self) -> str:
        """What of a path is checked, in words."""
        return "segments, exactly" if self.joined else "points"

    def stretch(self, coordinates: Coordinates) -> Float[Tensor, "l"]:
        """By how much the level of every pair at every time changes at most where z moves by 1."""
        maps = self.relative(coordinates.matrix.double().T).permute(1, 2, 3, 0)
        return torch.linalg.matrix_norm(maps, 2).flatten() / 2**0.5

    def _nearest(self, r: Tensor, scale: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
        """The nearest relative position of every pair on every segment, and the size of the numbers that
        enter it, in units of `scale`.
        """
        if not self.joined:
            r = r / scale
            return r, r.detach().abs().sum(-1)
        a, b = r[..., :-1, :, :] / scale, r[..., 1:, :, :] / scale
        e = b - a
        square = squared_norm(e)
        moves = square > 0
        τ = torch.where(moves, -(a * e).sum(-1) / torch.where(moves, square, 1.0), 0.0).clamp(0, 1)
        at = torch.where((τ == 1)[..., None], b, a + τ[..., None] * e)
        return at, (a.detach().abs() + b.detach().abs()).sum(-1)
