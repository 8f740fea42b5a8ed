"""A filter over the parts of a cloud does what it does to the whole cloud: bit for bit where it counts, to
the rounding of its means where it averages.
"""

from typing import Any

import pytest
import torch
from spread_clouds import in_threads
from torch import Tensor

from barriers.filters import (
    HERE,
    BarrierStep,
    DriftChain,
    EnsembleFilter,
    Gate,
    HardLimitStep,
    MirrorStep,
    NotSpread,
    Penalty,
    PointwiseFilter,
    PredictiveFilter,
    PrimalDual,
    Project,
    Reject,
    StepChain,
    Tilt,
    admission,
    spread,
)
from barriers.filters.admission import BUCKETS, RUN, granted, highest
from barriers.functionals import MassBarrier, smooth_mass
from barriers.sets import Ball, HalfSpace
from barriers.surrogates import Sigmoid
from lem_safe.keys import Key
from lem_safe.processes.spread import Spread

F64, h = torch.float64, 0.05
SETS = [Ball([0.6, 0.0], 0.7), HalfSpace([0.0, 1.0], 0.5)]
φ = [Sigmoid(0.2), Sigmoid(0.3)]
BETAS = [0.07, 0.1]
SIZES = [(300, 200, 1), (1, 500)]
COUNTING = {
    "gate": Gate(SETS, BETAS),
    "gate, nothing tolerated": Gate(SETS, [0.0, 0.1]),
    "tilt": Tilt(SETS, [1.0, 0.5]),
    "reject": Reject(SETS),
    "step": MirrorStep(SETS, BETAS),
    "project": Project(SETS),
    "step and gate": StepChain([MirrorStep(SETS, BETAS), Gate(SETS, [0.03, 0.02])]),
}
AVERAGING = {
    "step, smoothed": BarrierStep(MassBarrier(SETS, φ, BETAS)),
    "step, smoothed, one set": BarrierStep(MassBarrier(SETS[:1], φ[:1], BETAS[:1]), reach=0.3),
    "step, hard": HardLimitStep(MassBarrier(SETS, φ, BETAS), reach=0.5),
    "drift": PredictiveFilter(SETS, BETAS, h),
    "drift, one set": PredictiveFilter(SETS[:1], BETAS[:1], h),
    "drift, smoothed": EnsembleFilter(smooth_mass(SETS, φ, BETAS), speed=4.0),
    "drift, smoothed, one set": EnsembleFilter(smooth_mass(SETS[:1], φ[:1], BETAS[:1]), speed=4.0),
    "drift, smoothed, slow": EnsembleFilter(smooth_mass(SETS, φ, BETAS), speed=0.2),
    "penalty": Penalty(smooth_mass(SETS, φ, BETAS), [1.0, 0.5]),
    "primal-dual": PrimalDual(smooth_mass(SETS, φ, BETAS), 3.0),
    "pointwise": PointwiseFilter(SETS),
    "penalty and drift": DriftChain(
        [Penalty(smooth_mass(SETS, φ, BETAS), [1.0, 0.5]), PredictiveFilter(SETS, BETAS, h)]
    ),
}
STARTS = {"within": 1.3, "over": 0.0}


def cloud(n: int, shift: float) -> Tensor:
    x = 0.5 * Key(3).normal(torch.empty(n, 2, dtype=F64)) + torch.tensor([shift, -shift / 2], dtype=F64)
    if shift:  # within both budgets
        inside = torch.stack([s.contains(x) for s in SETS], 1).any(1)
        x = torch.where(inside[:, None], torch.tensor([3.0, -3.0], dtype=F64), x)
    return x


def followed(chosen: Any, x: Tensor, own: slice, steps: int = 4) -> tuple[Tensor, list[Tensor]]:
    """Some steps of a crude sampler of these rows of x."""
    n = len(x)
    y, memory, told = x[own], chosen.init(x[own]), []
    for k in range(steps):
        noise, u = (
            getattr(Key(5).fold(k), name)(like) for name, like in (("normal", x), ("uniform", x[:, 0]))
        )
        if chosen.hook == "drift":
            drift, memory, info = chosen.apply(y, -y, memory)
            y = y + h * drift + (2 * h) ** 0.5 * noise[own]
            told += [chosen.surrogate(y, info)]
        else:
            proposal = y - h * y + (2 * h) ** 0.5 * noise[own]
            y, memory, info = chosen.apply(y, proposal, h, u[own], memory)
        told += [part.clone() for part in info]
    assert n >= len(y)
    return y, told


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", COUNTING)
@torch.no_grad()
def test_what_counts_gives_the_same_bits(name: str, start: str, sizes: tuple[int, ...]) -> None:
    chosen, x = COUNTING[name], cloud(501, STARTS[start])
    y, told = followed(chosen, x, slice(None))
    parts = in_threads(sizes, lambda whole, own: followed(spread(chosen, whole), x, own))
    assert torch.equal(torch.cat([part for part, _ in parts]), y)
    for _, own in parts:
        assert all(
            torch.equal(a.nan_to_num(nan=-7), b.nan_to_num(nan=-7)) for a, b in zip(own, told, strict=True)
        )


@pytest.mark.parametrize("sizes", SIZES[:1], ids=str)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", AVERAGING)
@torch.no_grad()
def test_what_averages_is_the_same_to_rounding(name: str, start: str, sizes: tuple[int, ...]) -> None:
    chosen, x = AVERAGING[name], cloud(501, STARTS[start])
    y, told = followed(chosen, x, slice(None))
    parts = in_threads(sizes, lambda whole, own: followed(spread(chosen, whole), x, own))
    assert torch.allclose(torch.cat([part for part, _ in parts]), y, rtol=1e-9, atol=1e-9)
    for _, own in parts:
        assert all(
            torch.allclose(a, b, rtol=1e-7, atol=1e-9, equal_nan=True) for a, b in zip(own, told, strict=True)
        )
    assert all(
        torch.equal(a.nan_to_num(), b.nan_to_num())
        for _, own in parts
        for a, b in zip(own, parts[0][1], strict=True)
    )


@pytest.mark.parametrize("seed", range(12))
def test_admission_is_that_of_one_process(seed: int) -> None:
    """Sets that many moves leave and enter at once, and numbers that are equal."""
    g = torch.Generator().manual_seed(seed)
    n, m = int(torch.randint(1, 900, (), generator=g)), int(torch.randint(1, 5, (), generator=g))
    share = torch.rand((), generator=g)
    was, would = (torch.rand((n, m), generator=g) < share for _ in range(2))
    u = torch.rand(n, generator=g)
    u = (u * 50).floor() / 50 if seed % 3 == 0 else u
    most = torch.randint(0, n + 1, (m,), generator=g)
    expected = granted(was, would, most, u)
    sizes = (n // 3, n // 2, n - n // 3 - n // 2)
    found = in_threads(sizes, lambda whole, own: granted(was[own], would[own], most, u[own], whole))
    assert torch.equal(torch.cat(found), expected)


def test_little_is_told_to_the_other_parts() -> None:
    """Of 60,000 moves into one set a few thousand, in 5 bytes each, and what counts them all."""
    n = 60_000
    was, would = torch.zeros(n, 1, dtype=torch.bool), torch.ones(n, 1, dtype=torch.bool)
    u, most = torch.rand(n, generator=torch.Generator().manual_seed(1)), torch.tensor([20_011])

    def body(whole: Any, own: slice) -> tuple[Tensor, list[int]]:
        accepted = granted(was[own], would[own], most, u[own], whole)
        return accepted, whole.wire.asked

    found = in_threads((30_000, 30_000), body)
    assert int(sum(a.sum() for a, _ in found)) == 20_011
    assert torch.equal(torch.cat([a for a, _ in found]), granted(was, would, most, u))
    assert sum(found[0][1]) <= 8 * (3 * BUCKETS + 1) + 5 * RUN + 100


@pytest.mark.parametrize("count", [0, 1, 7, 250, 500])
def test_the_highest_are_those_of_one_process(count: int) -> None:
    values = torch.randn(500, generator=torch.Generator().manual_seed(2), dtype=F64).round(decimals=1)
    values[::50], values[1::50] = 0.0, -0.0
    expected = highest(values, count)
    found = in_threads((100, 399, 1), lambda whole, own: highest(values[own], count, whole))
    assert torch.equal(torch.cat(found), expected)


def test_what_is_not_known_to_be_spread_is_refused() -> None:
    class Odd:
        hook, couples = "step", True

    with pytest.raises(NotSpread, match="Odd"):
        spread(Odd(), HERE)
    with pytest.raises(NotSpread, match="backend: structured"):
        spread(EnsembleFilter(smooth_mass(SETS, φ, BETAS), backend="cvxpy"), HERE)


def test_planted_fault_a_part_that_counts_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part fills the whole budget."""
    monkeypatch.setattr(Spread, "spread", False)
    was, would = torch.zeros(600, 1, dtype=torch.bool), torch.ones(600, 1, dtype=torch.bool)
    u, most = torch.rand(600, generator=torch.Generator().manual_seed(1)), torch.tensor([50])
    found = in_threads((300, 300), lambda whole, own: granted(was[own], would[own], most, u[own], whole))
    assert sum(int(a.sum()) for a in found) == 100


def test_planted_fault_means_of_means(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of different sizes with the same weight."""
    monkeypatch.setattr(Spread, "size", lambda self, x: len(self.sizes) * x.shape[-2])
    chosen, x = AVERAGING["primal-dual"], cloud(501, STARTS["over"])
    y, _ = followed(chosen, x, slice(None))
    parts = in_threads((400, 101), lambda whole, own: followed(spread(chosen, whole), x, own))
    assert not torch.allclose(torch.cat([part for part, _ in parts]), y, rtol=1e-9, atol=1e-9)


def test_planted_fault_every_bucket_decided_by_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where moves leave sets that others enter, bounds do not decide: 'no room' is then wrong."""
    g = torch.Generator().manual_seed(5)
    was, would = (torch.rand((900, 2), generator=g) < 0.5 for _ in range(2))
    u, most = torch.rand(900, generator=g), torch.tensor([440, 445])
    monkeypatch.setattr(admission, "admit", lambda changes, room: torch.zeros(len(changes), dtype=torch.bool))
    found = in_threads((450, 450), lambda whole, own: granted(was[own], would[own], most, u[own], whole))
    monkeypatch.undo()
    assert not torch.equal(torch.cat(found), granted(was, would, most, u))


@pytest.mark.parametrize("sizes", [(900, 700, 1), (1, 2000)], ids=str)
@torch.no_grad()
def test_a_large_cloud_is_searched_over_near_particles_of_every_part(sizes: tuple[int, ...]) -> None:
    """Parts with few near particles, or none, take the same steps as the others."""
    chosen, x = AVERAGING["drift"], cloud(sum(sizes), STARTS["over"])
    y, told = followed(chosen, x, slice(None), steps=2)
    parts = in_threads(sizes, lambda whole, own: followed(spread(chosen, whole), x, own, steps=2))
    assert torch.allclose(torch.cat([part for part, _ in parts]), y, rtol=1e-6, atol=1e-6)
    assert all(torch.allclose(a, b, rtol=1e-6) for _, own in parts for a, b in zip(own, told, strict=True))
