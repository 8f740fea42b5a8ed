"""Clouds side by side: where each goes, what is remembered of it and what is told are those of it alone."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from barriers.filters import Gate
from barriers.filters.mirror import MirrorStep
from barriers.filters.tilt import Tilt
from barriers.sets import Ball, HalfSpace
from barriers.sets.base import UnsafeSet
from lem_safe.keys import Key

SETS: dict[str, list[UnsafeSet]] = {
    "a ball": [Ball([0.8, 0.0], 0.7)],
    "a plane": [HalfSpace([1.0, 0.0], 0.5)],
    "both": [Ball([0.8, 0.0], 0.7), HalfSpace([0.3, 1.0], 0.4)],
}
MADE: dict[str, Callable[[list[UnsafeSet]], Any]] = {
    "gate": lambda sets: Gate(sets, [0.12, 0.2][: len(sets)]),
    "step": lambda sets: MirrorStep(sets, [0.12, 0.2][: len(sets)]),
    "tilt": lambda sets: Tilt(sets, [1.0, 0.4][: len(sets)]),
}


def tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    else:
        for part in value:
            yield from tensors(part)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("r", "n"), [(1, 30), (5, 1), (6, 20), (3, 200)])
@pytest.mark.parametrize("sets", SETS)
@pytest.mark.parametrize("kind", MADE)
def test_each_cloud_is_as_it_is_alone(kind: str, sets: str, r: int, n: int, dtype: torch.dtype) -> None:
    chosen, key = MADE[kind](SETS[sets]), Key(r)
    x = 0.3 * key.normal(torch.empty(r * n, 2, dtype=dtype)).view(r, n, 2) - 0.6
    memory, alone = chosen.init(x), [(cloud, chosen.init(cloud)) for cloud in x]
    for k in range(12):
        moved = 0.35 * key.fold(k).normal(x.flatten(0, 1)).view_as(x) + 0.05
        u = key.fold(k, "u").uniform(x[..., 0].flatten()).view(r, n)
        x, memory, info = chosen.apply(x, x + moved, 0.02, u, memory)
        one = [chosen.apply(z, z + moved[i], 0.02, u[i], own) for i, (z, own) in enumerate(alone)]
        alone = [(y, own) for y, own, _ in one]
        expected = [torch.stack(parts) for parts in zip(*(tensors(own) for own in one), strict=True)]
        for found, own in zip(tensors((x, memory, info)), expected, strict=True):
            assert torch.equal(found.nan_to_num(nan=-7.0), own.nan_to_num(nan=-7.0))
