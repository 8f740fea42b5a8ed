"""Clouds in one batch have the numbers that each has alone, wherever a batch or a part of a run ends."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs import replicas
from lem_safe.runs.course import Course, Finished
from lem_safe.runs.problem import build, start
from lem_safe.samplers import SAMPLERS

N, CLOUDS = 20, 7
TEXT = """
version: 1
name: clouds
energy: ENERGY
unsafe:
  ball: {kind: ball, center: [0.6, 0.3], radius: 0.5}
  half: {kind: half_space, normal: [1.0, 0.5], offset: 0.7}
constraints: [{set: ball, beta: 0.1}, {set: half, beta: 0.15}]
sampler: {kind: SAMPLER, samples: 20, steps: 25, step_size: 0.02,
          init: {kind: gaussian, mean: [-0.5, 0.0], std: 0.3}OWN}
filter: FILTER
audit: {replicas: 7}
monitors: {every: 5}
"""
RING = "{kind: ring}"
MIXTURE = "{kind: gaussian_mixture, means: [[-0.5, 0.0], [0.6, 0.1]], stds: 0.6}"
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

    return problem.course("clouds", 25, filtered=chosen != "none"), begin


def followed(asked: tuple[Course, Any], clouds_at_once: int, **named: Any) -> Finished:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replicas, "PARTICLES", N * clouds_at_once)
        return replicas.follow_clouds(*asked, CLOUDS, progress=Silent(), **named)


def must_be_the_same(one: Finished, other: Finished, *, bits: bool) -> None:
    assert one.trace.keys() == other.trace.keys()
    assert one.x.shape == (CLOUDS * N, 2) and one.trace["cloud_fraction"].shape == (CLOUDS, 25, 2)
    if bits:
        assert torch.equal(one.x, other.x) and one.moved == other.moved
        for name, rows in one.trace.items():
            np.testing.assert_array_equal(rows, other.trace[name], err_msg=name)
    else:
        torch.testing.assert_close(one.x, other.x, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(one.trace["cloud_fraction"], other.trace["cloud_fraction"])


@pytest.mark.parametrize("chosen", FILTER)
@pytest.mark.parametrize("sampler", SAMPLER)
def test_clouds_together_have_the_numbers_of_each_alone(sampler: str, chosen: str) -> None:
    """Bit for bit on an energy that is computed element by element, for every sampler and filter. All at
    once, and three at a time.
    """
    asked = course(sampler, chosen)
    alone = followed(asked, 1)
    for at_once in (CLOUDS, 3):
        must_be_the_same(alone, followed(asked, at_once), bits=True)
