"""The program on a posterior under a policy, and the answers beside it, against closed forms."""

import runpy
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("benchmarks")
from benchmarks.gallery import fair_posterior as bench
from lem_safe.scenario import bundled_programs

pytestmark = pytest.mark.simulation


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    return runpy.run_path(str(bundled_programs()[bench.NAME]))


@pytest.fixture(scope="module")
def exact(program: dict[str, Any]) -> bench.Exact:
    return bench.Exact(program)


def test_the_density_is_that_of_binomial_counts_and_the_mode_its_top(program: dict[str, Any]) -> None:
    design, many, approved = program["loans"]()
    theta = torch.tensor([0.2, 0.9, 0.5, -0.3], dtype=torch.float64)
    p = (design @ theta).sigmoid()
    bernoulli = approved @ p.log() + (many - approved) @ (1 - p).log()
    expected = bernoulli - 0.5 * (theta / program["PRIOR"]).square().sum()
    torch.testing.assert_close(program["log_density"](theta[None])[0], expected)
    middle, covariance = program["mode"]()
    top = middle.requires_grad_()
    (slope,) = torch.autograd.grad(program["log_density"](top[None])[0], top)
    assert slope.abs().max() < 1e-8 and (torch.linalg.eigvalsh(covariance) > 0).all()


def test_the_gap_is_what_the_group_alone_changes(program: dict[str, Any]) -> None:
    theta = torch.tensor([[0.2, 0.9, 0.5, 0.0], [0.4, 0.0, 0.0, -0.3], [0.4, 0.0, 0.0, 0.3]])
    found = program["gap"](theta)
    assert abs(float(found[0])) < 1e-7  # the group does not count
    expected = torch.sigmoid(torch.tensor(0.4)) - torch.sigmoid(torch.tensor(0.1))
    torch.testing.assert_close(found[1], expected)
    assert found[2] < 0 < found[1]


def test_a_short_run_keeps_the_share_and_its_start_the_policy(program: dict[str, Any]) -> None:
    run = program["sample"](samples=800, steps=100, monitors={"samples": 0}, with_report=False)
    gap = program["gap"](torch.as_tensor(run.samples))
    assert run.report.passed and (gap > program["LIMIT"]).double().mean() <= program["BETA"]
    assert (program["gap"](program["start"](100)) < program["LIMIT"]).all()


def test_both_bounds_are_met_exactly_and_the_mean_leaves_half_in_violation(exact: bench.Exact) -> None:
    def share(w: np.ndarray) -> float:
        return float(w @ (exact.gap > exact.limit) / w.sum())

    fair, even = exact.under_share(0.05), exact.under_mean()
    assert abs(share(fair) - 0.05) < 1e-9 and abs(even @ exact.gap / even.sum() - exact.limit) < 1e-9
    assert exact.free > 0.6 and 0.45 < share(even) < 0.55
    effective = exact.weights.sum() ** 2 / (exact.weights**2).sum()
    assert effective > bench.DRAWS / 4  # the normal distribution is near enough


def test_primal_dual_langevin_meets_the_mean(program: dict[str, Any], exact: bench.Exact) -> None:
    x = bench.primal_dual(program, n=400)
    gap = program["gap"](torch.from_numpy(x)).numpy()
    assert abs(gap.mean() - exact.limit) < 4 * gap.std() / 20
    assert abs(exact.inside(x).mean() - 0.5) < 4 * 0.5 / 20
    assert exact.largest_z(x, exact.under_mean()) < 4 < exact.largest_z(x, exact.weights)
