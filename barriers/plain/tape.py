"""First derivatives by reverse accumulation, over numpy arrays.

A tensor that depends on a variable keeps what it was made from: pairs of a tensor and the map from the
gradient in the result to the gradient in that tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ContextDecorator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from barriers.plain.tensor import Tensor

Back = tuple["Tensor", Callable[[np.ndarray], np.ndarray]]
recording = [True]


def is_grad_enabled() -> bool:
    return recording[0]


class _Mode(ContextDecorator):
    """A block, or a function, in which operations are recorded, or are not."""

    on = True

    def __enter__(self) -> None:
        self._before = [*getattr(self, "_before", []), recording[0]]
        recording[0] = self.on

    def __exit__(self, *raised: object) -> None:
        recording[0] = self._before.pop()


class NoGrad(_Mode):
    """Operations are not recorded."""

    on = False


class EnableGrad(_Mode):
    """Operations are recorded."""

    on = True


def gradients(output: Tensor, inputs: Sequence[Tensor]) -> list[np.ndarray | None]:
    """∂(the sum of output)/∂ each of the inputs; None for one that output does not depend on."""
    found: dict[int, np.ndarray] = {id(output): np.ones_like(output.array)}
    for tensor in _latest_first(output):
        arrived = found.get(id(tensor))
        if arrived is None:
            continue
        for parent, pull in tensor.back or ():
            part = _fitted(pull(arrived), parent.array.shape)
            before = found.get(id(parent))
            found[id(parent)] = part if before is None else before + part
    return [found.get(id(tensor)) for tensor in inputs]


def _latest_first(output: Tensor) -> Iterable[Tensor]:
    """Every tensor that output was made from, each before those it was made from."""
    order: list[Tensor] = []
    seen: set[int] = set()
    stack: list[tuple[Tensor, bool]] = [(output, False)]
    while stack:
        tensor, done = stack.pop()
        if done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            stack += [(parent, False) for parent, _ in tensor.back or ()]
    return reversed(order)


def _fitted(gradient: np.ndarray, shape: tuple[int, ...]) -> Any:
    """The gradient in an argument that was broadcast: summed over what it was repeated along."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    gradient = gradient.sum(tuple(range(extra))) if extra > 0 else gradient
    along = tuple(i for i, size in enumerate(shape) if size == 1 and gradient.shape[i] != 1)
    return gradient.sum(along, keepdims=True) if along else np.broadcast_to(gradient, shape)
