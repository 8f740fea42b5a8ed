"""Newton's method for several clouds: each ends with what all iterations would have found, in cycles too."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from barriers.filters import BarrierStep, iterates, search, step
from barriers.filters.complementarity import advanced
from barriers.filters.iterates import ITERATIONS, Iterates
from barriers.filters.predictive import PredictiveFilter
from barriers.functionals import MassBarrier
from barriers.sets import Ball
from barriers.surrogates import Sigmoid
from lem_safe.keys import Key

BALLS, β = [Ball([0.0, 0.0], 0.5), Ball([0.4, 0.3], 0.5)], 0.05


def clouds(r: int, n: int = 20, dtype: torch.dtype = torch.float32) -> Tensor:
    return 0.6 * Key(7).normal(torch.empty(r, n, 2, dtype=dtype)) + torch.tensor([0.9, 0.0], dtype=dtype)


def run(maps: list[list[int]], within: set[int]) -> tuple[list[int], int]:
    """Each map lists where an iterate 0, 1, 2, ... goes; what is last found within the limits, by the rule of
    the filters, and the number of iterations.
    """
    works, μ = Iterates(len(maps), torch.device("cpu")), torch.zeros(len(maps), 1)
    best, left, taken = torch.full((len(maps),), -1), torch.arange(len(maps)), 0
    for _ in range(ITERATIONS):
        μ = torch.tensor([[float(maps[k][int(m)])] for k, m in zip(left.tolist(), μ, strict=True)])
        taken += 1
        ok = torch.tensor([int(m) in within for m in μ]) & works.going
        best[left[ok]] = μ[ok, 0].long()
        on = works.after(μ, torch.zeros(len(left), dtype=torch.bool))
        if on is not None:
            left, μ = left[on], μ[on]
            if not len(on):
                break
    return best.tolist(), taken


CYCLES = {
    "a fixed point": [1, 2, 2],
    "of two": [1, 2, 3, 2],
    "of three": [1, 2, 3, 1],
    "of three, later": [1, 2, 3, 4, 5, 3],
    "of four": [1, 2, 3, 0],
    "none": list(range(1, ITERATIONS + 2)),
}


@pytest.mark.parametrize("within", [set(), {2}, {3}, {1, 2, 3}, {2, 3, 5}], ids=str)
def test_a_cloud_that_leaves_a_cycle_has_what_it_would_have_found(
    within: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    together, _ = run(list(CYCLES.values()), within)
    alone = [run([each], within) for each in CYCLES.values()]
    monkeypatch.setattr(iterates, "EARLIEST", ITERATIONS + 1)
    whole = [run([each], within) for each in CYCLES.values()]
    assert together == [best for (best,), _ in alone] == [best for (best,), _ in whole]
    assert [taken for _, taken in whole] == [ITERATIONS] * len(CYCLES)
    assert [taken for _, taken in alone] == [4, 4, 6, 6, 12, 12]


def test_planted_fault_a_cycle_is_left_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that stops wherever it has been before: the last one found is another."""
    right = run([CYCLES["of three"]], {1, 2, 3})

    def anywhere(self: Iterates, μ: Tensor) -> None:
        self.going = self.going & (self._past[-4] != μ).any(1)

    monkeypatch.setattr(Iterates, "_leave_cycles", anywhere)
    assert run([CYCLES["of three"]], {1, 2, 3})[0] != right[0]


def _predicted(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    chosen = PredictiveFilter(BALLS, [β, β], 0.01)
    u, _, info = chosen.apply(x, (y - x) / 0.01, chosen.init(x))
    return u, info.multipliers


def _moved(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    barrier = MassBarrier(BALLS, [Sigmoid(0.1)] * 2, [β, β])
    chosen = BarrierStep(barrier)
    found, _, info = chosen.apply(x, y, 0.01, torch.zeros(x.shape[:-1]), chosen.init(x))
    return found, info.multipliers


def _numbers(found: Tensor) -> Tensor:
    """NaN, of a move that no multiplier gives, is equal to itself here."""
    return found.nan_to_num(nan=-1.0)


@pytest.mark.parametrize(("module", "filtered"), [(search, _predicted), (step, _moved)])
def test_the_filters_find_the_same_with_and_without(
    module: Any, filtered: Callable[..., tuple[Tensor, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 clouds of 20 and two sets; several of the clouds go round in cycles."""
    x = clouds(200) + torch.tensor([1.0, 0.0])
    y = x - torch.tensor([0.8, 0.0])
    counts = list[int]()
    monkeypatch.setattr(
        module, "advanced", lambda S, μ, violation: (counts.append(len(μ)), advanced(S, μ, violation))[1]
    )
    quick, taken = filtered(x, y), sum(counts)
    monkeypatch.setattr(iterates, "EARLIEST", ITERATIONS + 1)
    counts.clear()
    whole = filtered(x, y)
    assert all(a.equal(b) for a, b in zip(map(_numbers, quick), map(_numbers, whole), strict=True))
    assert 0 < taken < sum(counts)


def test_without_a_constant_jacobian_the_correction_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """∂B/∂mean = −1 is not multiplied with; multiplied with it, the numbers are the same."""
    x = clouds(20) + torch.tensor([1.0, 0.0])
    quick = _moved(x, x - torch.tensor([0.8, 0.0]))
    monkeypatch.setattr(MassBarrier, "subtracts", False)
    for a, b in zip(quick, _moved(x, x - torch.tensor([0.8, 0.0])), strict=True):
        assert torch.equal(a, b)
