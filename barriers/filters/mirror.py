"""The step filter without a surrogate: particles that may not enter a set are mirrored at its boundary (D.4,
D.5).

Each set has an allowance of ⌊βn⌋ particles. In a run that starts below it, the allowance grows at the barrier
rate: from the initial fraction L₀,

    L_{k+1} = β − e^{−αh}(β − L_k),        at most n·L_{k+1} particles inside, rounded to the nearest integer
    and
        never above ⌊βn⌋.

A proposal that enters no set is taken. Those that enter a set are taken in random order while it has room, as
by the gate (G.1); the others move to their mirror image, y − 2s∇s/‖∇s‖², or, where that lies inside a set
too, back to their previous place (D.2). Membership is what counts, so nothing is smoothed, all of the
tolerance is used, and the boundary has neither a gap nor an atom: at a plane, with a locally flat energy, the
distribution is the KL projection itself (D.5). From a start over a limit the shallowest particles are moved
outwards, by at most `reach` per step, until the count follows L.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.budget import budget
from barriers.columns import where_true
from barriers.derivatives import value_and_gradient
from barriers.filters.admission import granted, highest
from barriers.filters.alone import alone
from barriers.filters.base import FilterInfo, Promise, insides, refuse_derivatives
from barriers.filters.gate import MEMORY
from barriers.filters.later_uniforms import Uniforms
from barriers.filters.nudge import nudged
from barriers.filters.one_mirror import MirrorMemory, OneMirror, multiplier
from barriers.filters.whole import HERE, Whole
from barriers.sets.base import UnsafeSet
from barriers.small import numbers_of, squares
from barriers.squares import FEW, squared_norm

SWEEPS = 3
"""How many times a point is mirrored, once for each set that still contains it, before its particle returns
instead.
"""


class MirrorStep(OneMirror):
    """Keeps the count inside each set within ⌊βn⌋ at every step, for the actual particles, by mirroring those
    that may not enter.
    """

    hook: Literal["step"] = "step"
    couples = True
    batched = True
    draws_later = True
    promise = Promise(
        "every step, this cloud",
        "D.4: from a start within budget the count inside each set never exceeds ⌊βn⌋, by induction (with "
        "a smoothing: D.3, B_φ ≥ 0 at every step; with limit: hard D.8, the count again); an unsafe start "
        "recovers at rate α",
    )

    def __init__(
        self,
        sets: Sequence[UnsafeSet],
        betas: Sequence[float],
        rate: float = 5.0,
        reach: float = math.inf,
        whole: Whole = HERE,
    ):
        if any(not 0 <= β < 1 for β in betas):
            raise ValueError(f"step filter: beta must lie in [0, 1); got {list(betas)}")
        if not rate > 0:
            raise ValueError(f"step filter: rate must be > 0; got {rate:g}")
        if not reach > 0:
            raise ValueError(f"step filter: reach must be > 0; got {reach:g}")
        self.sets, self.betas, self.rate, self.reach = tuple(sets), tuple(betas), rate, reach
        self.limits, self.whole = torch.tensor(self.betas, dtype=torch.float64), whole

    def returning(self) -> "ReturningStep":
        """The same filter for a sampler whose moves are taken completely or not at all."""
        return ReturningStep(self.sets, self.betas, self.rate, self.reach, self.whole)

    def init(self, x: Float[Tensor, "*r n d"]) -> MirrorMemory:
        inside = insides(self.sets, x)
        zero = torch.zeros(*x.shape[:-2], len(self.sets), dtype=torch.float64, device=x.device)
        return MirrorMemory(inside, self.whole.mean(inside), zero, zero)

    @alone
    def apply(
        self,
        x: Float[Tensor, "*r n d"],
        proposal: Float[Tensor, "*r n d"],
        step_size: float,
        uniforms: Uniforms,
        memory: MirrorMemory,
    ) -> tuple[Float[Tensor, "*r n d"], MirrorMemory, FilterInfo]:
        refuse_derivatives("step (without a smoothing)", x, proposal)
        if x.device.type == "cpu" and not self.whole.spread and x.numel():
            own = self._of_one if x.dim() == 2 else self._of_each
            found = own(x, proposal, step_size, uniforms, memory)
            if found is not None:
                return found
        was, would, y = memory.inside, insides(self.sets, proposal), proposal
        L, room = self._room(memory.allowed, was, step_size)
        enters, refused = would & ~was, ~granted(was, would, room, uniforms, self.whole)
        if bool(refused.any()):
            parts = (x, y, refused, was, would)
            flat = parts if x.dim() == 2 else (part.flatten(0, x.dim() - 2) for part in parts)
            turned, now = self._turned_back(*flat)
            y, would = turned.reshape(x.shape), now.reshape(was.shape)
        tried, let_in, held = self.whole.count(enters, enters & ~refused[..., None], would)
        if bool((held > room).any()):  # of a cloud that started over a limit
            y, would = self._led_out(y, would, room)
            (held,) = self.whole.count(would)
        entering = (1 - MEMORY) * memory.entering + MEMORY * tried.double()
        admitted = (1 - MEMORY) * memory.admitted + MEMORY * let_in.double()
        share = torch.where(entering > 0, admitted / entering, 1.0)
        n, over = self.whole.size(x), (held - room).clamp(min=0).double()
        info = FilterInfo(held.double() / n, multiplier(share), over / n)
        return y, MirrorMemory(would, L, entering, admitted), info

    def _room(
        self, allowed: Tensor, was: Tensor, step_size: float
    ) -> tuple[Float[Tensor, "*r m"], Int[Tensor, "*r m"]]:
        """L, and how many particles each set of each cloud may hold: n·L rounded, at most ⌊βn⌋; from a start
        above that at least this many, and never more than now.
        """
        n, β = self.whole.size(was), self.limits.to(allowed)
        L = β - math.exp(-self.rate * step_size) * (β - allowed)
        most = torch.tensor([budget(β, n) for β in self.betas], device=L.device)
        below = torch.minimum(most, (n * L).round().long())
        if bool((β >= L).all()):
            return L, below
        above = torch.maximum(most, torch.minimum(self.whole.count(was)[0], (n * L).floor().long()))
        return L, torch.where(β >= L, below, above)

    def _turned_back(
        self,
        x: Float[Tensor, "n d"],
        y: Float[Tensor, "n d"],
        refused: Bool[Tensor, "n"],
        was: Bool[Tensor, "n m"],
        would: Bool[Tensor, "n m"],
    ) -> tuple[Float[Tensor, "n d"], Bool[Tensor, "n m"]]:
        """The refused particles at their mirror images where these enter no set, the others in place."""
        rows = where_true(refused)
        z, now = self._images(*(part.index_select(0, rows) for part in (x, y, was, would)))
        return y.index_copy(0, rows, z), would.index_copy(0, rows, now)

    def _images(
        self,
        here: Float[Tensor, "k d"],
        there: Float[Tensor, "k d"],
        was: Bool[Tensor, "k m"],
        would: Bool[Tensor, "k m"],
    ) -> tuple[Float[Tensor, "k d"], Bool[Tensor, "k m"]]:
        """The same of the refused particles alone, of which each enters a set."""
        z, now, before = there, would, ~was
        for _ in range(SWEEPS):
            new = now & before
            if not bool(new.any()):
                break
            for k, unsafe in enumerate(self.sets):
                hit = where_true(new[:, k])
                if len(hit) == len(z):
                    z = mirrored(unsafe, z)
                elif len(hit):
                    z = z.index_copy(0, hit, mirrored(unsafe, z.index_select(0, hit)))
            now = insides(self.sets, z)
        fine = _is_near(z, there, here) & ~(now & before).any(1)
        if bool(fine.all()):
            return z, now
        return torch.where(fine[:, None], z, here), torch.where(fine[:, None], now, was)

    def _led_out(self, y: Tensor, inside: Tensor, room: Tensor) -> tuple[Tensor, Tensor]:
        """Every cloud that started over a limit, led out of it."""
        if y.dim() == 2:
            return self._led_out_of_one(y, inside, room)
        led = [self._led_out(*cloud) for cloud in zip(y, inside, room, strict=True)]
        return torch.stack([y for y, _ in led]), torch.stack([inside for _, inside in led])

    def _led_out_of_one(
        self, y: Float[Tensor, "n d"], inside: Bool[Tensor, "n m"], room: Int[Tensor, "m"]
    ) -> tuple[Float[Tensor, "n d"], Bool[Tensor, "n m"]]:
        """From a start over a limit: the shallowest of the excess particles, moved outwards by twice their
        depth or by `reach`, if that enters no set.
        """
        for k, unsafe in enumerate(self.sets):
            excess = int(self.whole.count(inside[:, k, None])[0] - room[k])
            if excess <= 0:
                continue
            rows = inside[:, k].nonzero()[:, 0]
            rows = rows[highest(unsafe(y[rows]), excess, self.whole)]
            at = _with_a_direction(unsafe, y[rows])
            s, ds = value_and_gradient(unsafe, at)
            δ = -2 * s[:, None] * ds / ds.square().sum(1, keepdim=True).clamp(min=1e-30)
            length = δ.norm(dim=1, keepdim=True)
            z = at + δ * (self.reach / length.clamp(min=1e-30)).clamp(max=1.0)
            now = insides(self.sets, z)
            fine = ~(now & ~inside[rows]).any(1) & torch.isfinite(z).all(1)
            y = y.index_copy(0, rows, torch.where(fine[:, None], z, y[rows]))
            inside = inside.index_copy(0, rows, torch.where(fine[:, None], now, inside[rows]))
        return y, inside


class ReturningStep(MirrorStep):
    """The same allowance, but refused particles stay in place: for moves whose mirror images were not tested,
    such as Metropolis moves and swaps (G.3).
    """

    def _images(self, here: Tensor, there: Tensor, was: Tensor, would: Tensor) -> tuple[Tensor, Tensor]:
        return here, was


@np.errstate(all="ignore")
def _is_near(
    z: Float[Tensor, "k d"], there: Float[Tensor, "k d"], here: Float[Tensor, "k d"]
) -> Bool[Tensor, "k"]:
    """Whether an image is finite, and no further from the proposal than twice the particle is, as it always
    is at one plane.
    """
    rows = numbers_of(z) if z.shape[1] <= FEW else None
    if rows is None:
        near = squared_norm(z - there) <= 4 * squared_norm(here - there)
        return near & torch.isfinite(z).all(1)
    proposal, before = there.numpy(force=True), here.numpy(force=True)
    not_far = squares((rows - proposal).T) <= 4 * squares((before - proposal).T)
    return torch.from_numpy(not_far & np.isfinite(rows).all(1))


def _with_a_direction(unsafe: UnsafeSet, x: Float[Tensor, "k d"]) -> Float[Tensor, "k d"]:
    """x, with particles at which the set has no gradient, such as the centre of a ball, moved by a distance
    of the size of rounding.
    """

    def gradient(at: Tensor) -> Tensor:
        return value_and_gradient(unsafe, at)[1]

    return nudged(x, (gradient(x) == 0).all(1), gradient)


def mirrored(unsafe: UnsafeSet, y: Float[Tensor, "k d"]) -> Float[Tensor, "k d"]:
    """The mirror image of points at the boundary of a set, y − 2s∇s/‖∇s‖²; the points themselves where the
    gradient is 0.
    """
    s, ds = value_and_gradient(unsafe, y)
    few = numbers_of(y) if y.shape[1] <= FEW else None
    if few is None:
        return (y - (2 * s)[:, None] * ds / squared_norm(ds).clamp(min=1e-30)[:, None]).detach()
    return torch.from_numpy(_image(few, s.numpy(force=True), ds.numpy(force=True)))


@np.errstate(all="ignore")
def _image(
    y: Float[np.ndarray, "k d"], s: Float[np.ndarray, "k"], ds: Float[np.ndarray, "k d"]
) -> Float[np.ndarray, "k d"]:
    """The same image, of few particles."""
    lengths = np.maximum(squares(ds.T), 1e-30)
    found: np.ndarray = y - (2 * s)[:, None] * ds / lengths[:, None]
    return found
