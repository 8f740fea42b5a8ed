"""The mirror filter (D.4) of a single cloud in this process: the numbers that `MirrorStep` has of clouds side
by side, in fewer calls.
"""

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch
from barriers.budget import budget
from barriers.counting import counts_of
from barriers.filters.admission import granted_to_one
from barriers.filters.base import FilterInfo, insides_kept
from barriers.filters.gate import running, running_each
from barriers.filters.later_uniforms import Uniforms
from barriers.filters.side_by_side import entered
from barriers.remembered import keep_changed
from barriers.sets.base import UnsafeSet

RAREST = 1e-6
"""The smallest share of accepted entries that is distinguished from 0, where the multiplier would be
infinite.
"""


class MirrorMemory(NamedTuple):
    """Membership of each particle in each set, the allowed share of each tolerance, and running means of the
    attempted and the accepted entries.
    """

    inside: Bool[Tensor, "*r n m"]
    allowed: Float[Tensor, "*r m"]
    entering: Float[Tensor, "*r m"]
    admitted: Float[Tensor, "*r m"]


Applied = tuple[Tensor, MirrorMemory, FilterInfo]


class OneMirror(ABC):
    """`MirrorStep.apply` of a single cloud."""

    sets: tuple[UnsafeSet, ...]
    betas: tuple[float, ...]
    rate: float

    @abstractmethod
    def _images(self, here: Tensor, there: Tensor, was: Tensor, would: Tensor) -> tuple[Tensor, Tensor]: ...

    @abstractmethod
    def _led_out(self, y: Tensor, inside: Tensor, room: Tensor) -> tuple[Tensor, Tensor]: ...

    def _of_one(
        self,
        x: Float[Tensor, "n d"],
        y: Float[Tensor, "n d"],
        step_size: float,
        uniforms: Uniforms,
        memory: MirrorMemory,
    ) -> Applied | None:
        """The step that is taken; None of a cloud over a limit, whose room depends on how many are inside."""
        n, left = x.shape[0], math.exp(-self.rate * step_size)
        L = [β - left * (β - own) for β, own in zip(self.betas, memory.allowed.tolist(), strict=True)]
        if not all(own <= β for own, β in zip(L, self.betas, strict=True)):
            return None
        room = [min(budget(β, n), round(n * own)) for β, own in zip(self.betas, L, strict=True)]
        inside, was = insides_kept(self.sets, y), memory.inside.numpy(force=True)
        would = inside.numpy(force=True)
        enters = np.greater(would, was)
        tried = let_in = [0] * len(room)
        if enters.any():
            refused = ~granted_to_one(was, would, enters, room, uniforms)
            tried, let_in = counts_of(enters), counts_of(enters & ~refused[:, None])
            rows = np.flatnonzero(refused)
            if len(rows):
                y, inside = self._refused(rows, x, y, was, would)
                would = inside.numpy()
        held = counts_of(would)
        if any(has > may for has, may in zip(held, room, strict=True)):  # a cloud that started over a limit
            y, inside = self._led_out(y, inside, torch.tensor(room))
            held = counts_of(inside.numpy())
        return y, *_told(memory, inside, n, L, tried, let_in, held, room)

    def _of_each(
        self,
        x: Float[Tensor, "r n d"],
        y: Float[Tensor, "r n d"],
        step_size: float,
        uniforms: Uniforms,
        memory: MirrorMemory,
    ) -> Applied | None:
        """The same of clouds side by side; None where one of them is over a limit."""
        n, β = x.shape[1], np.array(self.betas)
        L = β - math.exp(-self.rate * step_size) * (β - memory.allowed.numpy(force=True))
        if not (β >= L).all():
            return None
        most = np.array([budget(own, n) for own in self.betas])
        room = np.minimum(most, np.round(n * L).astype(np.int64))
        found = entered(self.sets, x, y, memory.inside, room, uniforms, self._refused)
        if (found.held > room).any():
            return None
        entering, admitted = (part.numpy(force=True) for part in memory[2:])
        means = running_each(entering, found.tried), running_each(admitted, found.let_in)
        return found.y, *_of_clouds(found.inside, L, means, found.held, room)

    def _refused(
        self,
        rows: Int[np.ndarray, "k"],
        x: Tensor,
        y: Tensor,
        was: Bool[np.ndarray, "n m"],
        would: Bool[np.ndarray, "n m"],
    ) -> tuple[Tensor, Bool[Tensor, "n m"]]:
        """Where the particles are, and which are inside, after the moves in these rows were refused."""
        places, inside = torch.from_numpy(rows), would.copy()
        before, after = torch.from_numpy(was[rows]), torch.from_numpy(would[rows])
        z, now = self._images(x.index_select(0, places), y.index_select(0, places), before, after)
        inside[rows] = now.numpy()
        after = y.index_copy(0, places, z)
        keep_changed(y, after, rows)
        return after, torch.from_numpy(inside)


def multiplier(share: Float[Tensor, "*r m"]) -> Float[Tensor, "*r m"]:
    """−log of the share of entries that are accepted."""
    if share.device.type != "cpu":
        return share.clamp(min=RAREST).log().abs()
    return torch.from_numpy(_minus_log(share.numpy()))


def _minus_log(share: Float[np.ndarray, "*r m"]) -> Float[np.ndarray, "*r m"]:
    found: np.ndarray = np.absolute(np.log(np.maximum(share, RAREST)))
    return found


def _told(
    memory: MirrorMemory,
    inside: Bool[Tensor, "n m"],
    n: int,
    L: list[float],
    tried: list[int],
    let_in: list[int],
    held: list[int],
    room: list[int],
) -> tuple[MirrorMemory, FilterInfo]:
    """What is remembered and reported of these counts."""
    entering, admitted = running(memory.entering, tried), running(memory.admitted, let_in)
    share = [a / e if e > 0 else 1.0 for a, e in zip(admitted, entering, strict=True)]
    over = [max(h - r, 0) / n for h, r in zip(held, room, strict=True)]
    rows = np.array([L, entering, admitted, [h / n for h in held], share, over])
    rows[4] = _minus_log(rows[4])
    return _as_tensors(inside, rows)


def _of_clouds(
    inside: Bool[Tensor, "r n m"],
    L: Float[np.ndarray, "r m"],
    means: tuple[np.ndarray, np.ndarray],
    held: Int[np.ndarray, "r m"],
    room: Int[np.ndarray, "r m"],
) -> tuple[MirrorMemory, FilterInfo]:
    """The same of clouds side by side. means: of the attempted and of the accepted entries."""
    (entering, admitted), n = means, inside.shape[1]
    with np.errstate(all="ignore"):
        share = np.where(entering > 0, admitted / entering, 1.0)
    over = np.maximum(held - room, 0) / n
    rows = np.array([L, entering, admitted, held / n, _minus_log(share), over])
    return _as_tensors(inside, rows)


def _as_tensors(
    inside: Bool[Tensor, "*r n m"], rows: Float[np.ndarray, "6 *r m"]
) -> tuple[MirrorMemory, FilterInfo]:
    allowed, entries, let, mean, μ, excess = torch.from_numpy(rows).unbind()
    return MirrorMemory(inside, allowed, entries, let), FilterInfo(mean, μ, excess)
