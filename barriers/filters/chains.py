"""Filters in sequence: each acts on the result of the one before it. The promise is that of the last one.

The last filter decides: it accepts any drift, or any proposal, and its theorem assumes nothing about the
origin of these. The promise of an earlier filter may be undone by a later one, so it is not claimed. A drift
chain replaces the drift several times, a step chain corrects the step several times; `Both` is one of each,
with the noise between them, and has the promise of its step filter.
"""

from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar

from jaxtyping import Float

from barriers.arrays import Tensor
from barriers.filters.alone import alone
from barriers.filters.base import DriftFilter, FilterInfo, StepFilter, batched, draws_later
from barriers.filters.later_uniforms import Uniforms
from barriers.filters.some_clouds import mixed
from barriers.filters.whole import HERE, Whole

F = TypeVar("F", DriftFilter, StepFilter)


class _Chain(Generic[F]):
    """The common part of both chains: filters first to last, their memories by position, the last one's
    promise and limits.
    """

    def __init__(self, filters: Sequence[F]):
        if not filters:
            raise ValueError("chain: needs at least one filter")
        self.filters: tuple[F, ...] = tuple(filters)
        self.promise = filters[-1].promise
        self.couples = any(f.couples for f in filters)

    @property
    def limits(self) -> Tensor:
        return self.filters[-1].limits

    def init(self, x: Float[Tensor, "*r n d"]) -> dict[str, Any]:
        return {str(i): f.init(x) for i, f in enumerate(self.filters)}


class DriftChain(_Chain[DriftFilter]):
    """Drift filters, first to last."""

    hook: Literal["drift"] = "drift"

    @property
    def batched(self) -> bool:
        return all(map(batched, self.filters))

    def apply(
        self, x: Float[Tensor, "*r n d"], drift: Float[Tensor, "*r n d"], memory: dict[str, Any]
    ) -> tuple[Float[Tensor, "*r n d"], dict[str, Any], FilterInfo]:
        after = {}
        for i, f in enumerate(self.filters):
            drift, after[str(i)], info = f.apply(x, drift, memory[str(i)])
        return drift, after, info

    def surrogate(self, x: Float[Tensor, "*r n d"], info: FilterInfo) -> Float[Tensor, "*r m"]:
        return self.filters[-1].surrogate(x, info)


class StepChain(_Chain[StepFilter]):
    """Step filters, first to last. Each stores the cloud that the chain returned, so the last one's promise
    is about that cloud.
    """

    hook: Literal["step"] = "step"

    def __init__(self, filters: Sequence[StepFilter], whole: Whole = HERE):
        super().__init__(filters)
        self.whole = whole

    @property
    def batched(self) -> bool:
        return all(map(batched, self.filters))

    @property
    def draws_later(self) -> bool:
        return all(map(draws_later, self.filters))

    @alone
    def apply(
        self,
        x: Float[Tensor, "*r n d"],
        proposal: Float[Tensor, "*r n d"],
        step_size: float,
        uniforms: Uniforms,
        memory: dict[str, Any],
    ) -> tuple[Float[Tensor, "*r n d"], dict[str, Any], FilterInfo]:
        y, after, returned = proposal, {}, []
        numbers: Any = uniforms  # later ones only where every member takes them
        for i, f in enumerate(self.filters):
            y, after[str(i)], info = f.apply(x, y, step_size, numbers, memory[str(i)])
            returned.append(y)
        for i, f in enumerate(self.filters):
            moved = (y != returned[i]).flatten(-2).any(-1)
            moved = self.whole.largest(moved)  # by a later filter: the memory is of another cloud
            if bool(moved.any()):
                after[str(i)] = mixed(moved, f.init(y), after[str(i)])
        return y, after, info


class Both:
    """A filter before the noise and one after it. A sampler calls each at its own hook."""

    hook: Literal["both"] = "both"

    def __init__(self, drift: DriftFilter, step: StepFilter):
        self.drift, self.step, self.promise = drift, step, step.promise
        self.couples = drift.couples or step.couples

    @property
    def limits(self) -> Tensor:
        return self.step.limits


AnyFilter = DriftFilter | StepFilter | Both


def chained(filters: Sequence[AnyFilter | None]) -> DriftChain | StepChain | Both:
    """The chain of some filters in the order in which they act; raises ValueError where that order is
    impossible.
    """
    before: list[DriftFilter] = []
    after: list[StepFilter] = []
    for f in filters:
        if f is None:
            raise ValueError("chain: `none` does nothing in a chain; remove it")
        if f.hook != "step" and after:
            raise ValueError(
                "chain: filters act in the order they are written, and one before the noise cannot follow "
                "one after it; write drift, "
                "pointwise, penalty and primal_dual first, then step, gate, reject and project"
            )
        if f.hook == "both":
            before, after = [*before, f.drift], [*after, f.step]
        elif f.hook == "drift":
            before.append(f)
        else:
            after.append(f)
    if before and after:
        return Both(DriftChain(before), StepChain(after))
    return DriftChain(before) if before else StepChain(after)
