"""The numbers beside the failure: the gradient of primal-dual Langevin and the exact answer."""

import numpy as np
import pytest
import torch

pytest.importorskip("benchmarks")
from benchmarks.gallery import behind_a_barrier as bench
from lem_safe.energies import GaussianMixture
from lem_safe.registry import load, regions

pytestmark = pytest.mark.simulation


def test_what_the_bench_says_again_is_the_scenario() -> None:
    scenario = load(bench.NAME)
    mixture, x = scenario.energy, np.random.default_rng(0).normal(size=(500, 2)) * [3, 1]
    assert mixture["means"] == bench.MODES.tolist() and mixture["weights"] == bench.SHARES.tolist()
    ours = GaussianMixture(mixture["means"], std=mixture["std"], weights=mixture["weights"])
    assert np.allclose(
        bench.gradient(x), ours.value_and_gradient(torch.from_numpy(x))[1].numpy(), rtol=1e-6, atol=1e-9
    )
    region = regions(scenario.unsafe, ["x0", "x1"])["east"]
    assert (region.contains(torch.from_numpy(x)).numpy() == bench.inside(x)).all()
    assert [c.beta for c in scenario.constraints] == [bench.BETA]


def test_the_exact_answer_has_the_tolerance_inside_and_the_rest_as_it_was() -> None:
    x = bench.projected(100_000)
    within = bench.inside(x)
    assert within.mean() == pytest.approx(bench.BETA, abs=1e-5)
    assert abs(x[~within].mean(0) - [-3, 0]).max() < 4 * bench.STD / (~within).sum() ** 0.5 + 1e-3


def test_primal_dual_langevin_meets_the_tolerance_where_it_can_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modes close together: there its multiplier works, so the failure is the barrier's."""
    monkeypatch.setattr(bench, "MODES", np.array([[1.5, 0.0], [3.0, 0.0]]))
    monkeypatch.setattr(bench, "STD", 1.0)
    x, rhat = bench.primal_dual(1000, 1500, rate=0.2)
    assert bench.inside(x).mean() < 0.15 < 0.5 and rhat < 2
    stuck, _ = bench.primal_dual(1000, 10, rate=0.0)
    assert bench.inside(stuck).mean() > 0.3
