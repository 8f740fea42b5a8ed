"""First derivatives by reverse accumulation, over numpy arrays.

A tensor that depends on a variable has a node, which outlives what is later written into the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ContextDecorator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from barriers.plain.tensor import Tensor

Pull = Callable[[np.ndarray], Any]
Back = tuple["Tensor", Pull]
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


class Node:
    """A result whose derivative may be asked for. back: the nodes that it was made from, each with the map
    from the gradient in the result to the gradient in that one.
    """

    __slots__ = ("back", "shape")

    def __init__(self, shape: tuple[int, ...], back: Sequence[tuple[Node, Pull]] = ()):
        self.shape, self.back = shape, back


def gradients(output: Tensor, inputs: Sequence[Tensor]) -> list[np.ndarray | None]:
    """∂(the sum of output)/∂ each of the inputs; None for one that output does not depend on."""
    if output.node is None:
        return [None] * len(inputs)
    found: dict[int, np.ndarray] = {id(output.node): np.ones_like(output.array)}
    with np.errstate(all="ignore"):
        for node in _latest_first(output.node):
            arrived = found.get(id(node))
            if arrived is None:
                continue
            for parent, pull in node.back:
                part = _fitted(np.asarray(pull(arrived)), parent.shape)
                before = found.get(id(parent))
                found[id(parent)] = part if before is None else np.asarray(before + part)
    return [found.get(id(tensor.node)) for tensor in inputs]


def _latest_first(output: Node) -> Iterable[Node]:
    """Every node that output was made from, each before those it was made from."""
    order: list[Node] = []
    seen: set[int] = set()
    stack = [(output, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(parent, False) for parent, _ in node.back]
    return reversed(order)


def _fitted(gradient: np.ndarray, shape: tuple[int, ...]) -> Any:
    """The gradient in an argument that was broadcast: summed over what it was repeated along."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    gradient = np.asarray(gradient.sum(tuple(range(extra)))) if extra > 0 else gradient
    along = tuple(i for i, size in enumerate(shape) if size == 1 and gradient.shape[i] != 1)
    return gradient.sum(along, keepdims=True) if along else np.broadcast_to(gradient, shape)
