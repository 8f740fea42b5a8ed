"""The step filter with a hard limit: the count at every step, for any proposals; what of the budget is used;
derivatives; and faults planted into it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import Tooth, checks, must_be_found, result, written_in
from torch import Tensor
from truths import hard_limit as truths
from truths.hard_limit import counts, hard

from barriers.budget import budget
from barriers.derivatives import NotDifferentiable
from barriers.filters import FILTERS, BarrierStep, HardLimitStep, MirrorStep, hard_limit
from barriers.functionals import GroupParity, MassBarrier, MomentBarrier, TailClearance
from barriers.sets import Ball, HalfSpace, UnsafeSet
from barriers.surrogates import Exponential, Hinge, Sigmoid, SoftHinge
from lem_safe import loads, run
from lem_safe.keys import Key
from lem_safe.registry import enforced

pytestmark = pytest.mark.simulation

F64 = torch.float64
SURROGATES = [Sigmoid(0.1, 0.2), Hinge(0.3), Exponential(0.2), SoftHinge(0.3)]


def departing(was: Tensor, would: Tensor, budgets: Tensor, uniforms: Tensor, _: object) -> Tensor:
    """Room as if every move were made: those who leave one set for another are counted as gone."""
    enters = (would & ~was).any(1)
    room, accepted = budgets - (was & would).sum(0), ~enters
    for i in enters.nonzero()[:, 0][uniforms[enters].argsort()].tolist():
        entered = would[i] & ~was[i]
        if bool((room[entered] > 0).all()):
            accepted[i], room = True, room - entered.long()
    return accepted


TEETH: dict[str, Tooth] = {
    "departures counted that are returned": (
        truths.returned_moves_free_no_room,
        hard_limit,
        "granted",
        lambda f: departing,
    ),
    "nobody returned": (
        truths.returned_moves_free_no_room,
        hard_limit,
        "granted",
        lambda f: lambda was, *_: torch.ones(len(was), dtype=torch.bool),
    ),
    "a limit raised while it binds nothing": (
        truths.limit_follows_the_count,
        hard_limit,
        "SLACK",
        lambda _: 1e9,
    ),
    "a limit below that of the surrogate": (
        truths.limit_follows_the_count,
        HardLimitStep,
        "_raised",
        result(lambda a, *_: a - 0.05),
    ),
    "a gain of αh": (
        truths.limit_follows_the_count,
        hard_limit,
        "decay",
        lambda f: lambda exponent: 1 - exponent,
    ),
    "a limit raised from a start over budget": (
        truths.over_the_budget,
        HardLimitStep,
        "_raised",
        result(lambda a, *_: a + 0.5),
    ),
    "a limit that is never raised": (truths.the_budget_is_used, hard_limit, "USE", lambda _: 0.0),
    "pooled budgets": (
        truths.the_budget_is_used,
        HardLimitStep,
        "_budgets",
        result(lambda most, *_: most.sum().expand(len(most))),
    ),
    "half of the share": (truths.smooth_tilt_with_a_hard_share, hard_limit, "USE", lambda use: use - 0.05),
}
CHECKS = checks(TEETH)


@pytest.mark.parametrize("name", CHECKS)
def test_the_honest_code_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert written_in(truths) - {"hard", "counts"} == set(CHECKS)


def regions(rng: np.random.Generator) -> list[UnsafeSet]:
    """Up to three balls and half-spaces near the origin, which overlap more often than not."""
    made: list[UnsafeSet] = []
    for _ in range(rng.integers(1, 4)):
        direction = rng.normal(size=2).tolist()
        at = rng.normal(scale=0.6, size=2).tolist()
        ball = rng.random() < 0.6
        made.append(
            Ball(at, float(rng.uniform(0.4, 1.2))) if ball else HalfSpace(direction, rng.uniform(-0.2, 1))
        )
    return made


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(3, 60), st.sampled_from(SURROGATES))
def test_no_count_ever_exceeds_its_budget_whatever_is_proposed(seed: int, n: int, φ: Any) -> None:
    """From within the budgets: ⌊β_k n⌋ at every step in every set, none lent to another; from over a budget,
    no count rises further, and the shortfall is what is too many.
    """
    rng = np.random.default_rng(seed)
    sets = regions(rng)
    betas = [round(float(b), 3) for b in rng.uniform(0.01, 0.4, len(sets))]
    chosen, most = hard(sets, betas, φ), [budget(β, n) for β in betas]
    x = torch.from_numpy(rng.normal(size=(n, 2)) * rng.choice([0.3, 1.0, 3.0]))
    memory, had = chosen.init(x), counts(sets, x)
    for _ in range(8):
        jump = rng.choice([0.0, 0.1, 1.0, 5.0], size=(n, 1))
        y = (
            torch.from_numpy(rng.normal(size=(n, 2)) * jump + rng.normal(scale=0.5, size=2))
            + rng.choice([0, 1]) * x
        )
        x, memory, info = chosen.apply(x, y, 0.02, torch.from_numpy(rng.random(n)), memory)
        has = counts(sets, x)
        for k, (before, now, cap) in enumerate(zip(had, has, most, strict=True)):
            assert now <= max(before, cap)
            assert abs(float(info.shortfall[k]) - max(now - cap, 0) / n) < 1e-12
            assert abs(float(info.mean[k]) - now / n) < 1e-12
        assert torch.equal(memory.inside, torch.stack([s.contains(x) for s in sets], 1))
        had = has


@pytest.mark.parametrize(("width", "levels"), [(0.0, [0.4]), (0.1, [0.3, 0.6])])
def test_a_tail_keeps_its_share_of_particles_at_the_clearance(width: float, levels: list[float]) -> None:
    n, h, ball = 300, 0.05, Ball([0.3, 0.0], 0.5)
    x = torch.tensor([-3.0, 0.0], dtype=F64) + 0.3 * Key(1).normal(torch.empty(n, 2, dtype=F64))
    used = {}
    for kind in (BarrierStep, HardLimitStep):
        chosen, z = kind(TailClearance(ball, 0.1, 0.08, levels, width)), x
        memory, near = chosen.init(z), []
        for k in range(180):
            y = z - h * z + 0.3 * Key(2).fold(k).normal(z)
            z, memory, info = chosen.apply(z, y, h, Key(3).fold(k).uniform(z[:, 0]), memory)
            near.append(int((ball(z) < 0.1).sum()))
            assert near[-1] <= 24 and (info.shortfall <= 1e-12).all()
        used[kind] = np.mean(near[80:]) / 24
    assert used[BarrierStep] < 0.9 < 0.95 <= used[HardLimitStep]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from([MassBarrier, TailClearance]))
def test_a_barrier_bounds_the_count_that_it_names(seed: int, kind: Any) -> None:
    """B_k ≥ 0 implies at most ⌊share·n⌋ of those that `counted` names, for clouds near the limit."""
    barrier, rng = kind.example(), np.random.default_rng(seed)
    counted, n = barrier.counted(), int(rng.integers(4, 80))
    x = torch.from_numpy(rng.normal(size=(n, 2)) * 0.6 + [0.0, -rng.uniform(0.0, 4.0)])
    kept = barrier.readout(barrier.statistics(x).double().mean(0)) >= 0
    for k, share in enumerate(counted.shares):
        assert not kept[k] or int(counted.contains(x)[:, k].sum()) <= budget(share, n)


@pytest.mark.parametrize("barrier", [MomentBarrier.example(), GroupParity.example()])
def test_barriers_that_count_nothing_are_refused(barrier: Any) -> None:
    with pytest.raises(ValueError, match=f"limit hard counts particles, and {type(barrier).__name__} bounds"):
        HardLimitStep(barrier)


def test_without_a_smoothing_the_count_is_the_limit_already() -> None:
    context = {"sets": [Ball([0.0, 0.0], 1.0)], "betas": [0.05], "step_size": 0.01}
    assert type(FILTERS["step"](**context, limit="hard")) is MirrorStep
    assert type(FILTERS["step"](**context, smoothing=Sigmoid(0.1))) is BarrierStep
    chosen = FILTERS["step"](**context, smoothing=Sigmoid(0.1), limit="hard")
    assert type(chosen) is HardLimitStep and chosen.limits.tolist() == [0.05]


def test_tolerances_that_allow_nobody() -> None:
    """⌊βn⌋ = 0: the limit stays κβ, and nobody enters."""
    sets: list[UnsafeSet] = [HalfSpace([1.0, 0.0], 1.0)]
    for β, φ in ((0.0, Hinge(0.2)), (0.04, Sigmoid(0.2))):
        chosen, x = hard(sets, [β], φ), torch.zeros(20, 2, dtype=F64)
        memory = chosen.init(x)
        for k in range(30):
            y = x + Key(k).normal(x)
            x, memory, info = chosen.apply(x, y, 0.02, Key(k).uniform(x[:, 0]), memory)
            assert counts(sets, x) == [0] and float(memory.raised) == 0 == float(info.shortfall)


def test_it_is_differentiable_where_no_move_is_returned() -> None:
    """In the width of the surrogate, which is in φ, in κ and, from a start over κβ, in ℓ."""
    start = Key(4).normal(torch.empty(300, 2, dtype=F64)) * 0.3 + torch.tensor([0.0, 2.2])

    def loss(θ: Tensor, raised: list[float] | None) -> Tensor:
        chosen, x = hard([Ball([0.0, 0.0], 1.0)], [0.05], Sigmoid(θ, 0.1)), start
        memory = chosen.init(x)
        if raised is not None:
            memory = memory._replace(raised=torch.tensor(raised, dtype=F64))
        for k in range(2):
            y = x - torch.tensor([0.0, 0.06], dtype=F64) * θ / 0.3
            x, memory, info = chosen.apply(x, y, 0.01, start[:, 0], memory)
            assert bool((info.multipliers > 0).all()), k  # the limit binds
        return (x.square().sum(1) * torch.linspace(0.5, 1.5, 300, dtype=F64)).mean() + memory.mean.sum()

    for raised in (None, [0.15]):
        θ = torch.tensor(0.3, dtype=F64, requires_grad=True)
        (found,) = torch.autograd.grad(loss(θ, raised), θ)
        with torch.no_grad():
            by_difference = (loss(θ + 1e-5, raised) - loss(θ - 1e-5, raised)) / 2e-5
        assert abs(float(found - by_difference)) < 1e-6 * (1 + abs(float(found)))


@pytest.mark.parametrize(
    ("width", "raised", "because"), [(0.01, 0.0, "did not reach the barrier"), (0.5, 3.0, "had no room")]
)
def test_returned_moves_have_no_derivative(width: float, raised: float, because: str) -> None:
    ball, x = Ball([0.0, 0.0], 1.0), torch.full((100, 2), 3.0, dtype=F64)
    chosen = hard([ball], [0.05], Sigmoid(width))
    memory = chosen.init(x)._replace(raised=torch.tensor([raised], dtype=F64))
    y = (0.1 * Key(1).normal(x)).requires_grad_()
    with pytest.raises(NotDifferentiable, match=because):
        chosen.apply(x, y, 0.01, x[:, 0], memory)
    with torch.no_grad():
        z, _, _ = chosen.apply(x, y, 0.01, x[:, 0], memory)
    assert counts([ball], z)[0] <= 5


TEXT = """
version: 1
name: hard
energy: {kind: gaussian, mean: [0.0, 0.0], std: 1.0}
sampler:
  {kind: langevin, samples: 300, steps: 30, step_size: 0.02, init: {kind: gaussian, mean: [-1, 0], std: 0.2}}
unsafe:
  right: {kind: half_space, normal: [1.0, 0.0], offset: 0.0}
  up: {kind: ball, center: [0.3, 0.6], radius: 0.7}
constraints: [{set: right, beta: 0.06}, {set: up, beta: 0.03}]
filter: FILTER
seed: 3
audit: {replicas: 2}
"""
OWN = "{kind: step, smoothing: {kind: hinge, width: 0.3}, limit: hard, aim: [0.05, 0.03]}"
CHAINED = (
    "{kind: chain, filters: [{kind: penalty, weight: 1.0, smoothing: {kind: sigmoid, width: 0.3}}, FILTER]}"
)


class Stop:
    """Progress that interrupts the filtered clouds in the middle of the second one."""

    def __init__(self) -> None:
        self.title = ""

    def start(self, title: str, total: int) -> None:
        self.title = title

    def update(self, done: int, text: str) -> None:
        if self.title.startswith("filter") and done >= 45:
            raise KeyboardInterrupt

    def finish(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...


@pytest.mark.parametrize("text", [OWN, CHAINED.replace("FILTER", OWN.replace(", aim: [0.05, 0.03]", ""))])
def test_clouds_resume_bit_for_bit_and_are_guaranteed(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lem_safe.runs.chain.REFRESH_SECONDS", 0.0)
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    scenario = loads(TEXT.replace("FILTER", text))
    whole = run(scenario, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(scenario, out=tmp_path / "cut", progress=Stop())
    resumed = run(scenario, out=tmp_path / "cut", resume=True)
    assert np.array_equal(whole.samples, resumed.samples)
    for key, value in whole.trace.items():
        assert np.array_equal(value, resumed.trace[key], equal_nan=True), key
    says = enforced(scenario)
    assert says is not None and says[0] == "step"
    assert whole.trace["limit"].tolist() == list(says[1])
    assert np.allclose(whole.trace["surrogate"], whole.trace["fraction"])
    for c, limit in zip(whole.report.constraints, says[1], strict=True):
        assert (
            c.guarantee is not None and c.guarantee.holds and c.guarantee.at_most == budget(limit, 300) / 300
        )
    assert (np.rint(whole.trace["cloud_fraction"] * 300) <= [budget(b, 300) for b in says[1]]).all()
    assert (whole.trace["fraction"].max(0) > 0).all()
