"""A move that was tested, or swapped, is taken whole or not at all: its mirror image is another move, which
nobody tested (G.3).
"""

import math

import numpy as np
import pytest
import torch
from problems import beyond, standard
from scipy.stats import norm

from barriers.budget import budget
from barriers.filters import MirrorStep, StepChain
from barriers.filters.base import StepFilter
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.keys import Key
from lem_safe.samplers import Mala, ParallelTempering, mala, parallel_tempering

pytestmark = pytest.mark.simulation

F64 = torch.float64
β = 0.05


def mirror() -> MirrorStep:
    return MirrorStep([beyond(1.0)], [β], rate=50.0)


def off_the_projection(chosen: StepFilter) -> float:
    """By how many standard errors the worst bin of N(0, 1) under a filter of {x ≥ 1} and Mala with h = 1 is
    off the hard projection.
    """
    n, edges = 8000, np.array([-np.inf, -1.5, -0.8, -0.3, 0.2, 0.6, 1.0, 1.3, np.inf])
    sampler = Mala(standard(1, F64), 1.0, None, None, chosen)
    state = sampler.init(-0.5 + 0.3 * Key(4).normal(torch.empty(n, 1, dtype=F64)))
    for k in range(100):
        state, _ = sampler.step(Key(2).fold(k), state)
    mass, inside = np.diff(norm.cdf(edges)), edges[:-1] >= 1
    expected = np.where(
        inside, mass * (budget(β, n) / n) / norm.sf(1), mass * (1 - budget(β, n) / n) / norm.cdf(1)
    )
    found = np.histogram(state.x[:, 0].numpy(), edges)[0] / n
    return float((np.abs(found - expected) / np.sqrt(expected * (1 - expected) / n)).max())


def test_under_mala_who_may_not_enter_stays_and_the_law_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    assert off_the_projection(mirror()) < 4
    assert off_the_projection(StepChain([mirror()])) < 4
    monkeypatch.setattr(mala, "as_a_whole", lambda f: f)
    assert off_the_projection(mirror()) > 5


def test_a_refused_swap_leaves_nobody_at_its_mirror_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two modes, one beyond the wall; the mirror image of that one is five standard deviations from the
    other, where nothing has mass.
    """

    def nowhere() -> float:
        sampler = ParallelTempering(
            GaussianMixture([[3.0], [-3.0]], 0.4).double(), 0.1, [6.0, 36.0], None, None, mirror()
        )
        state, found = sampler.init(-3 + 0.4 * Key(4).normal(torch.empty(500, 1, dtype=F64))), []
        for k in range(160):
            state, _ = sampler.step(Key(3).fold(k), state)
            found.append(float(((state.x > -1.4) & (state.x < 1)).double().mean()))
        return float(np.mean(found[80:]))

    assert nowhere() < 5e-4
    monkeypatch.setattr(parallel_tempering, "as_a_whole", lambda f: f)
    assert nowhere() > 4e-3
    assert math.isclose(float(mirror().returning().limits[0]), β)
