"""The dual against referees: cvxpy and quadprog on the primal, KKT conditions on the answer, and what happens
where there is none.
"""

import cvxpy as cp
import numpy as np
import pytest
import quadprog
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from barriers.qp import Infeasible, solve_dual
from barriers.qp.lemke import lemke


def _feasible(rng: np.random.Generator, m: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random QP min ½‖u − v‖² s.t. Au ≤ b that some u satisfies strictly."""
    A, v = rng.normal(size=(m, size)), rng.normal(size=size)
    return A, A @ rng.normal(size=size) + rng.uniform(0.01, 1, m), v


def _dual(A: np.ndarray, b: np.ndarray, v: np.ndarray, **options):  # type: ignore[no-untyped-def]
    return solve_dual(torch.from_numpy(A @ A.T)[None], torch.from_numpy(A @ v - b)[None], **options)


@pytest.mark.parametrize("m", [1, 2, 3, 8, 20])
def test_agrees_with_cvxpy_on_the_primal(m: int) -> None:
    A, b, v = _feasible(np.random.default_rng(m), m, 30)
    u = cp.Variable(30)
    cp.Problem(cp.Minimize(cp.sum_squares(u - v) / 2), [A @ u <= b]).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12
    )
    μ = _dual(A, b, v).multipliers[0].numpy()
    assert np.abs(v - A.T @ μ - u.value).max() < 1e-8


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(0, 10_000),
    st.integers(1, 9),
    st.integers(1, 12),
    st.sampled_from(["free", "duplicate", "zero", "scaled"]),
)
def test_kkt_and_quadprog_on_random_and_degenerate_problems(seed: int, m: int, size: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    A, b, v = _feasible(rng, m, size)
    if kind == "duplicate" and m > 1:
        A[1], b[1] = 2 * A[0], 2 * b[0] + 0.1
    if kind == "zero":
        A[-1], b[-1] = 0, 1.0
    if kind == "scaled":
        scale = 10.0 ** rng.integers(-6, 7, m)
        A, b = A * scale[:, None], b * scale
    solution = _dual(A, b, v)
    μ = solution.multipliers[0].numpy()
    u = v - A.T @ μ
    length = np.linalg.norm(A, axis=1) + 1e-300
    assert (μ >= 0).all()
    assert ((A @ u - b) / length <= 1e-10).all()
    assert np.abs(μ * (A @ u - b)).max() < 1e-9
    assert float(solution.residual) < 1e-10
    assert (solution.shortfall == 0).all()
    if kind in ("free", "duplicate"):
        expected = quadprog.solve_qp(np.eye(size), v, -A.T, -b)[0]
        assert np.abs(u - expected).max() < 1e-8


def test_planted_fault_a_flipped_sign_of_the_excess_is_caught_by_kkt() -> None:
    A, b, v = _feasible(np.random.default_rng(5), 3, 4)
    wrong = (
        solve_dual(torch.from_numpy(A @ A.T)[None], torch.from_numpy(b - A @ v)[None]).multipliers[0].numpy()
    )
    assert (A @ (v - A.T @ wrong) - b).max() > 1e-3


def test_a_batch_equals_its_members_one_by_one() -> None:
    rng = np.random.default_rng(0)
    problems = [_feasible(rng, 4, 6) for _ in range(50)]
    G = torch.stack([torch.from_numpy(A @ A.T) for A, _, _ in problems])
    r = torch.stack([torch.from_numpy(A @ v - b) for A, b, v in problems])
    together = solve_dual(G, r).multipliers
    alone = torch.cat([solve_dual(g[None], e[None]).multipliers for g, e in zip(G, r, strict=True)])
    assert torch.allclose(together, alone, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("right", [True, False])
def test_a_warm_start_changes_nothing_but_the_work(right: bool) -> None:
    A, b, v = _feasible(np.random.default_rng(3), 5, 8)
    cold = _dual(A, b, v)
    guess = cold.multipliers > 0
    warm = _dual(A, b, v, warm=guess if right else ~guess)
    assert torch.allclose(cold.multipliers, warm.multipliers, rtol=1e-9, atol=1e-11)


def test_contradictory_constraints_are_relaxed_with_the_shortfall_or_raise() -> None:
    A, b, v = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([-1.0, -3.0]), np.zeros(2)  # x ≤ −1 and x ≥ 3
    solution = _dual(A, b, v)
    u = v - A.T @ solution.multipliers[0].numpy()
    assert u[0] == pytest.approx(1.0, abs=1e-5)  # the least squared violation: halfway
    assert solution.shortfall[0].numpy() == pytest.approx([2.0, 2.0], abs=1e-5)
    with pytest.raises(Infeasible, match="no velocity satisfies all 2 constraints"):
        _dual(A, b, v, on_infeasible="raise")


def test_a_zero_row_that_asks_for_the_impossible_reports_it_and_moves_nothing() -> None:
    solution = solve_dual(torch.zeros(1, 1, 1), torch.ones(1, 1))
    assert float(solution.multipliers) == 0.0
    assert float(solution.shortfall) == 1.0


def test_no_constraints_and_no_excess_need_no_multipliers() -> None:
    assert solve_dual(torch.zeros(2, 0, 0), torch.zeros(2, 0)).multipliers.shape == (2, 0)
    assert (solve_dual(torch.eye(3)[None], -torch.ones(1, 3)).multipliers == 0).all()


def test_lemke_finds_the_ray_of_an_unsolvable_problem() -> None:
    M = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]], dtype=torch.float64)
    assert not bool(lemke(M, torch.tensor([[-1.0, -1.0]], dtype=torch.float64)).solved)
    assert bool(lemke(M, torch.tensor([[-1.0, 2.0]], dtype=torch.float64)).solved)
