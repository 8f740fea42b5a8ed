"""A filter for several clouds at once, as the rows of one tensor [r·n, d]: what it promises of a cloud it
promises of each, and no budget, mean or multiplier is shared by two of them.

A filter whose class declares `batched` is given the clouds side by side, [r, n, d]; any other one is applied
to one cloud after the other. The numbers are the same either way.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, Self, TypeVar

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.filters.base import DriftFilter, FilterInfo, StepFilter, batched, draws_later
from barriers.filters.chains import AnyFilter, Both
from barriers.filters.later_uniforms import LaterUniforms

F = TypeVar("F", DriftFilter, StepFilter)


class _OverClouds(Generic[F]):
    """The common part of both hooks."""

    couples: bool

    def __init__(self, inner: F, clouds: int):
        self.inner: F = inner
        self.clouds, self.promise, self.couples = clouds, inner.promise, inner.couples

    @property
    def limits(self) -> Tensor:
        return self.inner.limits

    def init(self, x: Float[Tensor, "n d"]) -> Any:
        if batched(self.inner):
            return self.inner.init(self._apart(x))
        return {str(r): self.inner.init(cloud) for r, cloud in enumerate(self._apart(x))}

    def of(self, inner: F) -> Self:
        """Another filter for each of the clouds."""
        return type(self)(inner, self.clouds)

    def _apart(self, x: Tensor) -> Tensor:
        """[r·n, ...] as [r, n, ...]."""
        return x.reshape(self.clouds, -1, *x.shape[1:])

    def _each(
        self, apply: Callable[..., tuple[Tensor, Any, FilterInfo]], memory: Any, *parts: Any
    ) -> tuple[Tensor, Any, FilterInfo]:
        """One cloud after the other: the r-th of each of the parts, with the memory of cloud r."""
        found = [apply(*own, memory[str(r)]) for r, own in enumerate(zip(*parts, strict=True))]
        after = {str(r): kept for r, (_, kept, _) in enumerate(found)}
        return torch.cat([y for y, _, _ in found]), after, _stacked([info for _, _, info in found])


class DriftOverClouds(_OverClouds[DriftFilter]):
    """A drift filter for each of several clouds."""

    hook: Literal["drift"] = "drift"

    def apply(
        self, x: Float[Tensor, "n d"], drift: Float[Tensor, "n d"], memory: Any
    ) -> tuple[Float[Tensor, "n d"], Any, FilterInfo]:
        x, drift = self._apart(x), self._apart(drift)
        if not batched(self.inner):
            return self._each(self.inner.apply, memory, x, drift)
        u, after, info = self.inner.apply(x, drift, memory)
        return u.flatten(0, 1), after, info

    def surrogate(self, x: Float[Tensor, "n d"], info: FilterInfo) -> Float[Tensor, "r m"]:
        x = self._apart(x)
        if batched(self.inner):
            return self.inner.surrogate(x, info)
        infos = map(FilterInfo._make, zip(*info, strict=True))
        return torch.stack([self.inner.surrogate(own, i) for own, i in zip(x, infos, strict=True)])


class StepOverClouds(_OverClouds[StepFilter]):
    """A step filter for each of several clouds."""

    hook: Literal["step"] = "step"

    @property
    def draws_later(self) -> bool:
        return draws_later(self.inner)

    def apply(
        self,
        x: Float[Tensor, "n d"],
        proposal: Float[Tensor, "n d"],
        step_size: float,
        uniforms: Float[Tensor, "n"] | LaterUniforms,
        memory: Any,
    ) -> tuple[Float[Tensor, "n d"], Any, FilterInfo]:
        x, proposal = self._apart(x), self._apart(proposal)
        numbers: Any = uniforms if isinstance(uniforms, LaterUniforms) else self._apart(uniforms)
        if not batched(self.inner):
            return self._each(self.inner.apply, memory, x, proposal, [step_size] * self.clouds, numbers)
        y, after, info = self.inner.apply(x, proposal, step_size, numbers, memory)
        return y.flatten(0, 1), after, info


def over_clouds(chosen: AnyFilter | None, clouds: int) -> Any:
    """The filter for so many clouds, each by itself."""
    match chosen:
        case None:
            return None
        case Both():
            return Both(DriftOverClouds(chosen.drift, clouds), StepOverClouds(chosen.step, clouds))
        case _ if chosen.hook == "drift":
            return DriftOverClouds(chosen, clouds)
        case _:
            return StepOverClouds(chosen, clouds)


def _stacked(infos: Sequence[FilterInfo]) -> FilterInfo:
    return FilterInfo(*(torch.stack(part) for part in zip(*infos, strict=True)))
