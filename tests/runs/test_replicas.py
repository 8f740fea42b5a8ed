"""Clouds in one batch have the numbers that each has alone, wherever a batch or a part of a run ends."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from barriers.filters import Gate, MirrorStep, over_clouds
from barriers.filters.base import batched
from barriers.filters.over_clouds import StepOverClouds
from barriers.sets import Ball, HalfSpace
from lem_safe.cloud_keys import CloudKey
from lem_safe.energies.mlp import MLP
from lem_safe.errors import BadInput, NumericalFailure
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs import replicas
from lem_safe.runs.checkpoint import Arrays
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.problem import build
from lem_safe.runs.recorded_clouds import RecordedClouds
from lem_safe.runs.starting import start
from lem_safe.samplers import SAMPLERS, Langevin, particlewise

N, CLOUDS, STEPS = 20, 4, 12
TEXT = """
version: 1
name: clouds
energy: ENERGY
unsafe:
  ball: {kind: ball, center: [0.6, 0.3], radius: 0.5}
  half: {kind: half_space, normal: [1.0, 0.5], offset: 0.7}
constraints: [{set: ball, beta: 0.1}, {set: half, beta: 0.15}]
sampler: {kind: SAMPLER, samples: 20, steps: 12, step_size: 0.02,
          init: {kind: gaussian, mean: [-0.5, 0.0], std: 0.3}OWN}
filter: FILTER
audit: {replicas: 4}
monitors: {every: 5}
"""
RING = "{kind: ring}"
SAMPLER = {
    **{kind: "" for kind in SAMPLERS},
    "preconditioned": ", metric: [[1.5, 0.3], [0.3, 0.8]]",
    "annealed": ", temperature: 2.0",
    "parallel_tempering": ", temperatures: [2.0, 5.0]",
}
SMOOTH = "smoothing: {kind: sigmoid, width: 0.1}"
FILTER = {
    "none": "{kind: none}",
    "gate": "{kind: gate}",
    "tilt": "{kind: tilt, multipliers: [0.5, 1.0]}",
    "reject": "{kind: reject}",
    "project": "{kind: project}",
    "step": "{kind: step}",
    "step, smoothed": f"{{kind: step, {SMOOTH}}}",
    "drift": "{kind: drift}",
    "drift, smoothed": f"{{kind: drift, {SMOOTH}}}",
    "pointwise": "{kind: pointwise}",
    "penalty": "{kind: penalty, weight: 2.0}",
    "primal_dual": "{kind: primal_dual}",
    "chain": "{kind: chain, filters: [{kind: penalty, weight: 2.0}, {kind: project}, {kind: gate}]}",
}


def course(
    sampler: str = "langevin", chosen: str = "gate", energy: str = RING, own: str | None = None
) -> Any:
    """The course of a scenario, and the beginning of each of its clouds."""
    text = TEXT.replace("ENERGY", energy).replace("SAMPLER", sampler).replace("FILTER", FILTER[chosen])
    problem = build(loads(text.replace("OWN", SAMPLER[sampler] if own is None else own)), progress=Silent())

    def begin(r: int) -> tuple[Key, Tensor]:
        key = Key(3) if r == 0 else Key(3).fold("replica", r)
        return key.fold("chain"), start(problem, key)

    return problem.course("clouds", STEPS, filtered=chosen != "none"), begin


def recorded(asked: Course, begin: Any, clouds: int) -> RecordedClouds:
    """The first clouds of a course, side by side."""
    keys, starts = zip(*map(begin, range(clouds)), strict=True)
    return RecordedClouds(asked, [CloudKey.of(key, keys[0], r) for r, key in enumerate(keys)], starts)


def followed(asked: tuple[Course, Any], clouds_at_once: int, **named: Any) -> Finished:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replicas, "PARTICLES", N * clouds_at_once)
        return replicas.follow_clouds(*asked, CLOUDS, progress=Silent(), **named)


def must_be_the_same(one: Finished, other: Finished, *, bits: bool) -> None:
    assert one.trace.keys() == other.trace.keys()
    assert one.x.shape == (CLOUDS * N, 2) and one.trace["cloud_fraction"].shape == (CLOUDS, STEPS, 2)
    if bits:
        assert torch.equal(one.x, other.x) and one.moved == other.moved
        for name, rows in one.trace.items():
            np.testing.assert_array_equal(rows, other.trace[name], err_msg=name)
    else:
        torch.testing.assert_close(one.x, other.x, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(one.trace["cloud_fraction"], other.trace["cloud_fraction"])


EXACT = [kind for kind in FILTER if "smoothed" not in kind]
"""Filters whose numbers are the same bits: those that solve no system of several equations."""


def pairs() -> list[tuple[str, str]]:
    """Every filter under langevin, and every sampler with every hook."""
    hooks = ("none", "gate", "step", "drift", "chain")
    return [("langevin", chosen) for chosen in FILTER] + [
        (sampler, chosen) for sampler in SAMPLER for chosen in hooks if sampler != "langevin"
    ]


@pytest.mark.parametrize("chosen", FILTER)
def test_the_shapes_are_those_of_clouds(chosen: str) -> None:
    """Two steps, with the shapes of every call checked."""
    asked, begin = course("langevin", chosen)
    chain = recorded(asked, begin, 3)
    with torch.no_grad():
        chain.advance()
        chain.advance()
    assert [done.trace["multiplier"].shape for done in chain.each()] == [(2, 2)] * 3


@pytest.mark.simulation
@pytest.mark.parametrize(("sampler", "chosen"), pairs())
def test_clouds_together_have_the_numbers_of_each_alone(sampler: str, chosen: str) -> None:
    """On an energy that is computed element by element, for all at once, and for three and one."""
    asked, smooth = course(sampler, chosen), chosen == "drift" and sampler in ("flow", "underdamped")
    alone = followed(asked, 1)
    for at_once in (CLOUDS, 3):
        must_be_the_same(alone, followed(asked, at_once), bits=chosen in EXACT and not smooth)


@pytest.mark.simulation
@pytest.mark.parametrize("chosen", ["gate", "step", "drift"])
def test_with_matrix_products_they_differ_by_rounding(chosen: str) -> None:
    """A network's products may round differently for more rows."""
    asked, begin = course("langevin", chosen)
    network = MLP().build(2, torch.Generator().manual_seed(0)).float().requires_grad_(False)

    def of_network(sampler: Any) -> Any:
        sampler.energy = network
        return sampler

    over, alone = asked.over, of_network(asked.sampler)
    asked = replace(asked, sampler=alone, over=lambda clouds: of_network(over(clouds))), begin
    must_be_the_same(followed(asked, 1), followed(asked, CLOUDS), bits=False)


@pytest.mark.parametrize("own", [", adapt: {steps: 3}"])
def test_a_sampler_that_sees_the_whole_cloud_runs_one_after_the_other(own: str) -> None:
    asked = course("mala", "gate", own=own)
    assert asked[0].over is None and replicas.batch(asked[0], torch.zeros(N, 2)) == 1
    found = followed(asked, CLOUDS)
    assert (
        found.trace["step_size"].shape == (CLOUDS,) and len(set(found.trace["step_size"].tolist())) == CLOUDS
    )
    assert course("preconditioned", "gate", own="")[0].over is None


def test_what_a_class_declares_is_not_inherited_by_another_method() -> None:
    """A filter derived from the gate whose own `apply` counts over its first axis is given one cloud at a
    time, and a sampler with another `step` runs one after the other.
    """

    class Counting(Gate):
        def apply(self, x: Tensor, *rest: Any) -> Any:
            assert x.dim() == 2
            return super().apply(x, *rest)

    class Other(Langevin):
        def step(self, *both: Any) -> Any:
            return super().step(*both)

    assert batched(GATE) and not batched(Counting(SETS, BETAS))
    problem_sampler = course()[0].sampler
    assert particlewise(problem_sampler) and not particlewise(Other(problem_sampler.energy, 0.1))
    must_be_kept(Counting(SETS, BETAS))


SETS, BETAS = (Ball([-0.5, 0.0], 1.0), Ball([0.5, 0.0], 1.0), HalfSpace([0.0, 1.0], 0.3)), (0.1, 0.07, 0.2)
GATE = Gate(SETS, BETAS)


def must_be_kept(chosen: Any, clouds: int = 5, n: int = 30, seed: int = 0) -> None:
    """Under proposals that want in, and now and then all at once: every cloud is what it would be alone, and
    is within its own budget.
    """
    together, key = over_clouds(chosen, clouds), Key(seed)
    own = [torch.tensor([0.0, -4.0]) + 0.3 * key.fold(r).normal(torch.empty(n, 2)) for r in range(clouds)]
    memory, memories = together.init(torch.cat(own)), [chosen.init(x) for x in own]
    budgets = torch.tensor([int(β * n + 1e-9) for β in chosen.betas])
    for k in range(25):
        streams = [key.fold("step", r, k) for r in range(clouds)]
        spread = 0.4 if k % 7 == 3 else 1.2
        asked = [0.7 * x * (k % 7 != 3) + spread * s.normal(x) for x, s in zip(own, streams, strict=True)]
        uniforms = [s.fold("u").uniform(x[:, 0]) for x, s in zip(own, streams, strict=True)]
        found, memory, info = together.apply(
            torch.cat(own), torch.cat(asked), 0.01, torch.cat(uniforms), memory
        )
        alone = [
            chosen.apply(*each, 0.01, u, m)
            for *each, u, m in zip(own, asked, uniforms, memories, strict=True)
        ]
        own, memories = [y for y, _, _ in alone], [m for _, m, _ in alone]
        assert torch.equal(found, torch.cat(own))
        for i, part in enumerate(info):
            torch.testing.assert_close(part, torch.stack([a[2][i] for a in alone]), equal_nan=True)
        counts = torch.stack([torch.stack([s.contains(y).sum() for s in chosen.sets]) for y in own])
        assert (counts <= budgets).all()


@pytest.mark.simulation
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    clouds=st.integers(1, 6),
    n=st.integers(1, 40),
    m=st.integers(1, 3),
    seed=st.integers(0, 99),
    kind=st.sampled_from([Gate, MirrorStep]),
)
def test_every_cloud_keeps_its_own_budget(clouds: int, n: int, m: int, seed: int, kind: Any) -> None:
    must_be_kept(kind(SETS[:m], BETAS[:m]), clouds, n, seed)


def pooled(self: StepOverClouds, x: Tensor) -> Tensor:
    """The planted fault: all clouds are one, and so is their budget."""
    return x.unflatten(0, (1, -1))


@pytest.mark.parametrize("chosen", [GATE, MirrorStep(SETS, BETAS)])
def test_planted_fault_a_budget_pooled_over_clouds(chosen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StepOverClouds, "_apart", pooled)
    with pytest.raises(AssertionError):
        must_be_kept(chosen)


def test_planted_fault_a_run_with_a_pooled_budget_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cloud is held against its own budget, whatever the filter does: the run names the cloud."""
    honest, begin = course(own="")
    longer = replace(honest, steps=200)
    monkeypatch.setattr(StepOverClouds, "_apart", pooled)
    monkeypatch.setattr(Gate, "draws_later", False)
    monkeypatch.setattr("lem_safe.runs.recorded_chain._record", lambda info: {})
    with pytest.raises(
        NumericalFailure, match=r"clouds 1 to 4 of 4: cloud \d: step \d+: the filter promises"
    ):
        replicas.follow_clouds(longer, begin, CLOUDS, progress=Silent())


@pytest.mark.simulation
@pytest.mark.parametrize("at_once", [1, 3, CLOUDS])
@pytest.mark.parametrize("sampler", ["langevin", "parallel_tempering"])
def test_a_checkpoint_of_any_moment_leads_to_the_same_bits(sampler: str, at_once: int) -> None:
    """Cut in the midst of a batch or of one cloud, and continued with the batches of another version."""
    asked = course(sampler)
    whole, states = followed(asked, CLOUDS), list[Arrays]()
    followed(
        asked, at_once, save=lambda state: states.append({k: v.copy() for k, v in state.items()}), every=0.0
    )
    for state in states[:: max(1, len(states) // 6)]:
        done = followed(asked, CLOUDS, saved=state)
        must_be_the_same(whole, done, bits=True)
        assert done.resumed_from_step == len(state.get("pooled.x", ())) * STEPS + int(
            state.get("step", 0)
        ) * (len(state["state.x"]) // N if "step" in state else 0)


def test_a_checkpoint_of_other_clouds_is_refused() -> None:
    asked, states = course(), list[Arrays]()
    followed(asked, CLOUDS, save=states.append, every=0.0)
    good = states[3]
    for damage in ({"state.x": good["state.x"][:30]}, {"trace.fraction": good["trace.fraction"][:, :2]}):
        with pytest.raises(BadInput, match="does not fit this run"):
            followed(asked, CLOUDS, saved=good | damage)


def test_batches_have_as_many_particles_as_are_efficient() -> None:
    asked = course()[0]
    assert replicas.batch(asked, torch.zeros(20, 2)) == replicas.PARTICLES // 20
    assert replicas.batch(asked, torch.zeros(20, 4096)) == replicas.NUMBERS // (20 * 4096)
    assert replicas.batch(asked, torch.zeros(10**6, 2)) == 1
    assert replicas.batch(replace(asked, steps=replicas.ROWS // 6), torch.zeros(20, 2)) == 3


def test_a_particle_that_is_lost_is_named_by_its_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, begin = course("flow", "none", "{kind: banana}", own="")
    away = [begin(r)[1] for r in range(CLOUDS)]
    away[2][5] = torch.inf
    with pytest.raises(NumericalFailure, match="step 1: particle 5 of cloud 3 is not finite"):
        replicas.follow_clouds(asked, lambda r: (Key(r), away[r]), CLOUDS, progress=Silent())


def test_the_monitor_sees_the_first_cloud() -> None:
    asked, begin = course()
    chain = recorded(asked, begin, 3)
    assert torch.equal(chain._watched(chain.state.x), begin(0)[1])
    chain.advance()
    assert chain.shown()[0]["fraction"].shape == (1, 2) and chain.shown()[1] == 1
