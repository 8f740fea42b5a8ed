"""The speed bound: the same problem with a box, against cvxpy, KKT, differences, and the linear program that
says whether it can be met.
"""

import cvxpy as cp
import numpy as np
import pytest
import torch
from qp_problems import F64, Posed, kkt, posed
from torch.autograd import gradcheck

from barriers.qp import Infeasible, project, project_cloud, speed


def _bound(problem: Posed, share: float) -> float:
    """A speed that clips about half of the coordinates, yet leaves every constraint in reach."""
    free = project(*problem[:3], weights=problem.w)
    return share * float((free.u - problem.v).abs().max())


@pytest.mark.parametrize(("m", "size"), [(1, 6), (2, 8), (4, 12), (9, 5)])
@pytest.mark.parametrize("slack", [None, 3.0])
def test_kkt_and_cvxpy_with_some_coordinates_clipped(m: int, size: int, slack: float | None) -> None:
    problem = posed(m + 1, 2, m, size)
    speed = _bound(problem, 0.8)
    p = project(problem.v, problem.A, problem.c, weights=problem.w, slack=slack, speed=speed)
    assert float(p.residual.max()) < 1e-10
    for k in range(2):
        v, A, c, w = (x[k].numpy() for x in problem)
        u, s = cp.Variable(size), cp.Variable(m) if slack else np.zeros(m)
        cost = cp.sum(cp.multiply(w, cp.square(u - v))) / 2 + (slack or 0) / 2 * cp.sum_squares(s)
        referee = cp.Problem(cp.Minimize(cost), [A @ u <= c + s, cp.abs(u - v) <= speed])
        referee.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
        assert (referee.status == "infeasible") == bool((p.shortfall[k] > 0).any() and slack is None)
        if referee.status != "infeasible":
            assert np.abs(u.value - p.u[k].numpy()).max() < 1e-8
            one = Posed(*(x[k : k + 1] for x in problem))
            assert kkt(one, p.u[k : k + 1], p.multipliers[k : k + 1], slack=slack, speed=speed) < 1e-10


def test_a_bound_that_never_binds_changes_nothing() -> None:
    problem = posed(8, 4, 3, 6)
    free = project(*problem[:3])
    wide = project(*problem[:3], speed=1e3)
    assert torch.allclose(free.u, wide.u, atol=1e-11)
    assert torch.allclose(free.multipliers, wide.multipliers, atol=1e-10)


def test_one_constraint_by_hand() -> None:
    """min ½‖u‖² s.t. 2u₁ + u₂ ≤ −2, |u| ≤ .6: unbounded it is −(.8, .4); clipped at −.6 the other must carry
    −.8 > .6: out of reach; with bound .7 the other carries −.6.
    """
    A, c, v = (
        torch.tensor([[[2.0, 1.0]]], dtype=F64),
        torch.tensor([[-2.0]], dtype=F64),
        torch.zeros(1, 2, dtype=F64),
    )
    p = project(v, A, c, speed=0.7)
    assert p.u[0].tolist() == pytest.approx([-0.7, -0.6], abs=1e-14)
    assert float(p.multipliers) == pytest.approx(0.6, abs=1e-13)
    short = project(v, A, c, speed=0.6)
    assert short.u[0].tolist() == pytest.approx([-0.6, -0.6], abs=1e-14)
    assert float(short.shortfall) == pytest.approx(0.2, abs=1e-12)
    with pytest.raises(Infeasible, match="within the speed bound"):
        project(v, A, c, speed=0.6, on_infeasible="raise")


def test_feasibility_is_what_the_linear_program_says() -> None:
    problem = posed(1, 40, 5, 4)
    p = project(*problem[:3], speed=1.2)
    possible = []
    for v, A, c in zip(*(x.numpy() for x in problem[:3]), strict=True):
        u = cp.Variable(4)
        lp = cp.Problem(cp.Minimize(0), [A @ u <= c, cp.abs(u - v) <= 1.2])
        lp.solve(solver=cp.HIGHS)
        possible.append(lp.status == "optimal")
    assert 5 < sum(possible) < 35
    assert ((p.shortfall == 0).all(1)).tolist() == possible
    assert float(p.residual.max()) < 1e-10


@pytest.mark.parametrize("slack", [False, True])
def test_derivatives_pass_gradcheck_clipped_coordinates_included(slack: bool) -> None:
    problem = posed(10, 1, 2, 5)
    speed = torch.full((1, 5), _bound(problem, 0.8), dtype=F64)
    ρ = torch.full((1, 2), 4.0, dtype=F64)
    p = project(problem.v, problem.A, problem.c, weights=problem.w, speed=speed, slack=ρ if slack else None)
    assert bool(((p.u - problem.v).abs() >= speed - 1e-12).any())
    assert bool((p.multipliers > 0).any())
    assert (p.shortfall == 0).all() or slack
    inputs = [x.clone().requires_grad_() for x in (*problem, speed, *([ρ] if slack else []))]

    def f(v, A, c, w, speed, *ρ):  # type: ignore[no-untyped-def]
        return project(v, A, c, weights=w, speed=speed, slack=ρ[0] if ρ else None)[:2]

    assert gradcheck(f, inputs, atol=1e-6)


def test_a_cloud_with_a_bound_on_every_particle() -> None:
    generator = torch.Generator().manual_seed(2)
    drift, g = (
        torch.randn(60, 2, generator=generator, dtype=F64),
        torch.randn(60, 2, 2, generator=generator, dtype=F64),
    )
    mean = torch.einsum("nmd,nd->m", g, drift) / 60
    p = project_cloud(drift, g, mean - 0.4, speed=0.5)
    assert float((p.u - drift).abs().max()) <= 0.5 + 1e-15
    assert bool(((p.u - drift).abs() > 0.5 - 1e-15).any())
    assert (torch.einsum("nmd,nd->m", g, p.u) / 60).tolist() == pytest.approx(
        (mean - 0.4).tolist(), abs=1e-12
    )
    assert (p.shortfall == 0).all()
    rows = g.permute(1, 0, 2).reshape(1, 2, -1) / 60
    twin = project(
        drift.reshape(1, -1),
        rows,
        (mean - 0.4)[None],
        weights=torch.full((120,), 1 / 60, dtype=F64),
        speed=0.5,
    )
    assert torch.allclose(p.u.flatten(), twin.u[0], atol=1e-12)
    impossible = project_cloud(drift, g, mean - 5.0, speed=0.5)
    assert bool((impossible.shortfall > 1).all())


@pytest.mark.parametrize("slack", [None, 3.0])
def test_one_constraint_directly_is_what_newton_finds(
    slack: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In and out of reach, with nothing to do, with weights, with zeros in a row and a row of zeros."""
    problem = posed(5, 40, 1, 7)
    A, v = problem.A.clone(), problem.v
    A[3, 0], A[:, 0, 2] = 0.0, 0.0
    c = problem.c - torch.linspace(-3, 30, 40, dtype=F64)[:, None]

    def solved() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        p = project(v, A, c, weights=problem.w, slack=slack, speed=0.4)
        return p.u, p.multipliers, p.shortfall, p.residual

    direct = solved()
    monkeypatch.setattr(speed, "_of_one", lambda dual: [speed._newton(dual, 0 * dual.excess)] * 2)
    newton = solved()
    hard = direct[2][:, 0] == 0
    assert slack is not None or 5 < int(hard.sum()) < 35
    assert torch.equal(hard, newton[2][:, 0] == 0)
    for one, other in zip(direct[:3], newton[:3], strict=True):
        torch.testing.assert_close(one[hard], other[hard], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(one[~hard], other[~hard], rtol=1e-5, atol=1e-5)
    assert float(direct[3].max()) < 1e-10
