"""Clouds side by side are filtered with the bits that each has alone, however many there are, whether none,
some or all of them are over their limit, and whether their moves are small or bounded.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from barriers.filters import lengthened, one_set, several
from barriers.filters.admission import granted
from barriers.filters.predictive import PredictiveFilter
from barriers.filters.pushes import Pushes
from barriers.noise import Noise
from barriers.sets import Ball, Box, HalfSpace
from barriers.sets.base import UnsafeSet
from barriers.small import columns_of, rows_of
from lem_safe.keys import Key

h = 0.01
SETS: dict[str, UnsafeSet] = {
    "a ball": Ball([1.0, 0.0], 0.5),
    "a half-space": HalfSpace([1.0, 0.3], 0.6),
    "either": Ball([0.0, 0.0], 0.4) | Box([0.2, 0.8], [0.6, 1.2]),
}
SHIFTS = {"none": 6.0, "some": 0.0, "all": -0.4}
"""By how much the clouds are moved away from the sets, so that so many of them are over their limit."""


def differences(
    chosen: PredictiveFilter, x: torch.Tensor, steps: int = 4, pull: float = 4.0
) -> tuple[float, list[int]]:
    """The largest difference between clouds side by side and one by one, of all that a step returns; and how
    many clouds were pushed at each step.
    """
    memory, alone = chosen.init(x), [chosen.init(cloud) for cloud in x]

    def drift(y: torch.Tensor) -> torch.Tensor:
        return pull * (torch.tensor([1.0, 0.0], dtype=x.dtype) - y)

    worst, pushed, at = 0.0, list[int](), [x, *x]
    for k in range(steps):
        noise = Key(5).fold(k).normal(x) * (2 * h) ** 0.5
        u, memory, info = chosen.apply(at[0], drift(at[0]), memory)
        pushed.append(int((info.multipliers != 0).sum()))
        found = [chosen.apply(y, drift(y), m) for y, m in zip(at[1:], alone, strict=True)]
        for r, (v, after, told) in enumerate(found):
            for a, b in zip((u[r], *(part[r] for part in (*memory, *info))), (v, *after, *told), strict=True):
                worst = max(worst, float((a - b).abs().nan_to_num().max()) if a.numel() else 0.0)
                assert a.shape == b.shape and a.dtype == b.dtype
                assert torch.equal(a.isnan(), b.isnan())
        alone = [after for _, after, _ in found]
        at = [
            at[0] + h * u + noise,
            *(y + h * v + n for y, (v, _, _), n in zip(at[1:], found, noise, strict=True)),
        ]
    return worst, pushed


def clouds(q: int, n: int, dtype: torch.dtype, shift: float) -> torch.Tensor:
    x = 0.5 * Key(3).normal(torch.empty(q, n, 2, dtype=dtype))
    return x + torch.tensor([0.6 - shift, 0.1], dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("n", [1, 3, 20])
def test_each_cloud_has_the_bits_that_it_has_alone(n: int, name: str, dtype: torch.dtype) -> None:
    for q in (1, 2, 7):
        for shift in SHIFTS.values():
            chosen = PredictiveFilter([SETS[name]], [0.05], h)
            assert differences(chosen, clouds(q, n, dtype, shift), 3)[0] == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 3, 20])
def test_each_of_a_hundred_too(n: int, dtype: torch.dtype) -> None:
    chosen = PredictiveFilter([SETS["a ball"]], [0.05], h)
    assert differences(chosen, clouds(100, n, dtype, 0.0), 2)[0] == 0.0


def test_a_multiplier_too_large_for_the_dtype() -> None:
    """One particle far inside: its chance falls so slowly that float32 has no number for the multiplier."""
    x = torch.tensor([[[1.0, 0.02]], [[0.98, 0.0]]], dtype=torch.float32)
    chosen = PredictiveFilter([SETS["a ball"]], [0.05], 0.002)
    assert differences(chosen, x)[0] == 0.0


def test_none_some_and_all_are_over() -> None:
    chosen = PredictiveFilter([SETS["a ball"]], [0.05], h)
    pushed = dict[str, list[int]]()
    for name, shift in SHIFTS.items():
        x = clouds(7, 20, torch.float32, shift)
        worst, pushed[name] = differences(chosen, x, pull=30.0 if name == "all" else 2.0)
        assert worst == 0.0
    assert pushed["none"] == [0] * 4
    assert 0 < min(pushed["some"]) <= max(pushed["some"]) < 7
    assert pushed["all"] == [7] * 4


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[int]:
    """How many clouds each call of a function is about: its argument at this place."""
    calls, inner = list[int](), getattr(owner, name)

    def counting(*args: Any) -> Any:
        calls.append(args[1].y.shape[1] if isinstance(args[1], several.Clouds) else 1)
        return inner(*args)

    monkeypatch.setattr(owner, name, counting)
    return calls


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("speed", [1.0, 8.0])
def test_moves_that_are_bounded(speed: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaled up side by side, and led out one by one where no multiple of the push is enough."""
    longer = counted(monkeypatch, one_set, "lengthened")
    rest = counted(monkeypatch, PredictiveFilter, "_bounded")
    chosen = PredictiveFilter([SETS["a ball"]], [0.05], h, speed=speed)
    assert differences(chosen, clouds(20, 20, dtype, 0.0))[0] == 0.0
    assert max(longer) > 2 and len(rest) > 0


def test_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    longer = counted(monkeypatch, one_set, "lengthened")
    factor = torch.tensor([[1.0, 0.0], [0.4, 0.7]], dtype=torch.float64)
    chosen = PredictiveFilter([SETS["a half-space"]], [0.05], h, noise=Noise((2 * h) ** 0.5, factor))
    assert differences(chosen, clouds(20, 20, torch.float64, 0.0))[0] == 0.0
    assert longer


def test_many_particles_far_from_the_set() -> None:
    """What is too far away for a chance that counts is computed among many clouds as it is alone."""
    x = clouds(100, 20, torch.float32, 0.9)
    chosen = PredictiveFilter([SETS["a ball"]], [0.001], h)
    assert differences(chosen, x, 2)[0] == 0.0


def test_a_cloud_without_a_finite_position_is_left_as_it_is_alone() -> None:
    x = clouds(7, 20, torch.float32, 0.0)
    x[2, 3, 0] = torch.nan
    assert differences(PredictiveFilter([SETS["a ball"]], [0.05], h), x, 2)[0] == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sets_that_hold_everything(dtype: torch.dtype) -> None:
    for radius in (1.5, 4.0, 1e6):
        chosen = PredictiveFilter([Ball([0.6, 0.0], radius)], [0.05], h)
        assert differences(chosen, clouds(7, 20, dtype, 0.0), 2)[0] == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [2, 20, 300])
def test_scaled_up_side_by_side_as_the_general_search_does_one_by_one(n: int, dtype: torch.dtype) -> None:
    assert scaled(n, dtype) < 1e-6


def scaled(n: int, dtype: torch.dtype) -> float:
    """The largest difference between `lengthened` and what `bounded` finds of each cloud that it is enough
    for.
    """
    chosen, x = PredictiveFilter([SETS["a ball"]], [0.05], h, speed=8.0), clouds(9, n, dtype, 0.0)
    y = columns_of(x)
    found = several.chances(chosen.sets[0], y, chosen.noise)
    L = 0.9 * several.means(found.value)
    own, push = several.Clouds(y, found, np.zeros(9), L), Pushes.of(found).push
    found_longer = lengthened.lengthened(chosen.sets[0], own, chosen.noise, -0.01 * push, 8.0 * h)
    worst, checked = 0.0, 0
    for r in found_longer.enough.nonzero()[0].tolist():
        ε, limit, one = (torch.tensor([v], dtype=torch.float64) for v in (0.0, L[r], 0.01))
        start = chosen._ahead_of(x[r], torch.zeros_like(x[r]), ε, limit)
        μ, ahead = chosen._bounded(x[r], start, one, ε, limit, 8.0 * h)
        pairs = [(ahead.change, rows_of(found_longer.pushed.change[r]))]
        numbers = torch.from_numpy(np.array([0.01 * found_longer.multiple[r], found_longer.pushed.mean[r]]))
        pairs.append((torch.cat([μ, ahead.mean]), numbers))
        worst = max(worst, *(float((a - b).abs().max()) for a, b in pairs))
        checked += 1
    assert checked > 2
    return worst


def test_planted_fault_another_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengthened, "MOST", 2.0)
    with pytest.raises(AssertionError):
        assert scaled(20, torch.float64) < 1e-6


def wrong_limit(pushed: several.Pushed, farthest: float) -> np.ndarray:
    return np.array([], dtype=np.int64)


def pooled(values: np.ndarray) -> np.ndarray:
    """The mean over all clouds for each of them."""
    return np.full(values.shape[:-1], values.mean(dtype=np.float64))


FAULTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "moves that are not bounded": (several.Pushed, "out_of_reach", wrong_limit),
    "a mean over all clouds": (several, "means", pooled),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = clouds(20, 20, torch.float32, 0.0)
    chosen = PredictiveFilter([SETS["a ball"]], [0.05], h, speed=8.0)
    assert differences(chosen, x)[0] == 0.0
    monkeypatch.setattr(*FAULTS[fault])
    assert differences(chosen, x)[0] > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 3, 20])
def test_moves_into_a_set_are_granted_as_in_each_cloud_alone(n: int, dtype: torch.dtype) -> None:
    for q in (1, 2, 7, 100):
        for share in (0.0, 0.1, 0.6, 1.0):
            u, v, w = Key(q).fold(n).normal(torch.empty(3, q, n)).sigmoid()
            was, would = (u < 0.3)[..., None], (v < share)[..., None]
            most = was.sum(1).clamp(min=n // 3)
            found = granted(was, would, most, w.to(dtype))
            alone = [granted(*cloud) for cloud in zip(was, would, most, w.to(dtype), strict=True)]
            assert torch.equal(found, torch.stack(alone))
