"""Filters in sequence: each acts on what the one before it returned. What is promised is what the last one promises.

A drift chain replaces the drift several times, a step chain corrects the step several times; one of each may work under one sampler.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.filters.base import DriftFilter, FilterInfo, StepFilter


class DriftChain:
    """Drift filters, first to last."""

    hook: Literal["drift"] = "drift"

    def __init__(self, filters: Sequence[DriftFilter]):
        if not filters:
            raise ValueError("chain: needs at least one drift filter")
        self.filters, self.promise = tuple(filters), filters[-1].promise
        self.couples = any(f.couples for f in filters)

    @property
    def limits(self) -> Tensor:
        return self.filters[-1].limits

    def init(self, x: Float[Tensor, "n d"]) -> dict[str, Any]:
        return {str(i): f.init(x) for i, f in enumerate(self.filters)}

    def apply(
        self, x: Float[Tensor, "n d"], drift: Float[Tensor, "n d"], memory: dict[str, Any]
    ) -> tuple[Float[Tensor, "n d"], dict[str, Any], FilterInfo]:
        after = {}
        for i, f in enumerate(self.filters):
            drift, after[str(i)], info = f.apply(x, drift, memory[str(i)])
        return drift, after, info

    def surrogate(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "m"]:
        return self.filters[-1].surrogate(x)


class StepChain:
    """Step filters, first to last. Each remembers the cloud the chain returned, so the last one's promise is about that cloud."""

    hook: Literal["step"] = "step"

    def __init__(self, filters: Sequence[StepFilter]):
        if not filters:
            raise ValueError("chain: needs at least one step filter")
        self.filters, self.promise = tuple(filters), filters[-1].promise
        self.couples = any(f.couples for f in filters)

    @property
    def limits(self) -> Tensor:
        return self.filters[-1].limits

    def init(self, x: Float[Tensor, "n d"]) -> dict[str, Any]:
        return {str(i): f.init(x) for i, f in enumerate(self.filters)}

    def apply(
        self,
        x: Float[Tensor, "n d"],
        proposal: Float[Tensor, "n d"],
        step_size: float,
        uniforms: Float[Tensor, "n"],
        memory: dict[str, Any],
    ) -> tuple[Float[Tensor, "n d"], dict[str, Any], FilterInfo]:
        y, after = proposal, {}
        for i, f in enumerate(self.filters):
            y, after[str(i)], info = f.apply(x, y, step_size, uniforms, memory[str(i)])
        for i, f in enumerate(self.filters[:-1]):
            if not torch.equal(y, proposal):
                after[str(i)] = f.init(y)  # a later filter moved the cloud: what an earlier one remembers is about another one
        return y, after, info
