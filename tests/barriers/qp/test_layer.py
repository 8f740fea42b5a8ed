"""The differentiable QP: KKT from the definition, quadprog as referee, derivatives by differences, and every
degenerate case.
"""

import numpy as np
import pytest
import quadprog
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qp_problems import F64, clear_margin, kkt, posed
from torch.autograd import gradcheck, gradgradcheck

from barriers.qp import Infeasible, project, project_cloud, solve_dual
from barriers.qp.guess import confirm

SIZES = [(6, 1, 1), (3, 1, 4), (4, 3, 5), (2, 7, 3), (3, 8, 16)]


@pytest.mark.parametrize(("b", "m", "size"), SIZES)
@pytest.mark.parametrize("slack", [None, 2.5])
def test_kkt_of_the_weighted_problem_holds_to_1e_10(b: int, m: int, size: int, slack: float | None) -> None:
    problem = posed(m + 2, b, m, size)
    p = project(problem.v, problem.A, problem.c, weights=problem.w, slack=slack)
    assert kkt(problem, p.u, p.multipliers, slack=slack) < 1e-10
    assert float(p.residual.max()) < 1e-10
    assert float(p.gap.abs().max()) < 1e-10
    assert (p.multipliers > 0).any()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 12))
def test_quadprog_finds_the_same_point(seed: int, m: int, size: int) -> None:
    problem = posed(seed, 2, m, size)
    u = project(problem.v, problem.A, problem.c, weights=problem.w).u.numpy()
    for k in range(2):
        v, A, c, w = (x[k].numpy() for x in problem)
        expected = quadprog.solve_qp(np.diag(w), w * v, -A.T, -c)[0]
        assert np.abs(u[k] - expected).max() < 1e-8


@pytest.mark.parametrize(("b", "m", "size"), [(1, 1, 3), (2, 3, 5), (2, 6, 3)])
@pytest.mark.parametrize("slack", [False, True])
def test_first_derivatives_of_u_and_multipliers_pass_gradcheck(
    b: int, m: int, size: int, slack: bool
) -> None:
    problem = posed(20 + m, b, m, size)
    ρ = [torch.full((m,), 1.7, dtype=F64)] if slack else []
    at = project(problem.v, problem.A, problem.c, weights=problem.w, slack=ρ[0] if slack else None)
    assert (
        slack or clear_margin(problem, at.u, at.multipliers) > 1e-3
    )  # differences need a neighbourhood without a kink

    def f(v, A, c, w, *ρ):  # type: ignore[no-untyped-def]
        return project(v, A, c, weights=w, slack=ρ[0] if ρ else None)[:2]

    assert gradcheck(f, [x.clone().requires_grad_() for x in (*problem, *ρ)], atol=1e-6)


def test_second_derivatives_pass_gradgradcheck() -> None:
    problem = posed(3, 2, 3, 4)
    assert gradgradcheck(
        lambda v, A, c, w: project(v, A, c, weights=w).u,
        [x.clone().requires_grad_() for x in problem],
        atol=1e-5,
    )


def test_the_derivative_of_a_relaxed_infeasible_problem_is_its_own() -> None:
    A = torch.tensor([[[1.0, 0.5], [-1.2, -0.6]]], dtype=F64, requires_grad=True)  # opposed, impossible
    c = torch.tensor([[-1.0, -3.0]], dtype=F64, requires_grad=True)
    v, w = (
        torch.tensor([[0.3, -0.4]], dtype=F64, requires_grad=True),
        torch.tensor([[1.0, 2.0]], dtype=F64, requires_grad=True),
    )
    assert bool((project(v, A, c, weights=w).shortfall > 0.1).all())
    assert gradcheck(
        lambda c: project(v.detach(), A.detach(), c, weights=w.detach()).u, c, eps=1e-4, atol=1e-4
    )
    # steep in directions that make the rows cross, so compared along a joint scaling that keeps them opposed
    for x in (A, w):
        (g,) = torch.autograd.grad(project(v, A, c, weights=w).u.sum(), x)
        ends = [
            project(v, *((A * s, c) if x is A else (A, c)), weights=w if x is A else w * s).u.sum()
            for s in (1 + 1e-4, 1 - 1e-4)
        ]
        assert float((g * x.detach()).sum()) == pytest.approx(
            float((ends[0] - ends[1]).detach() / 2e-4), abs=1e-4
        )


@pytest.mark.parametrize("m", [1, 2, 4])
@pytest.mark.parametrize("warm", [False, True])
def test_solve_dual_itself_is_differentiable_in_gram_and_excess(m: int, warm: bool) -> None:
    problem = posed(m, 9, m, 6)
    G, r = problem.A @ problem.A.mT, (problem.A @ problem.v[:, :, None])[:, :, 0] - problem.c
    k = int((r > 0).any(1).nonzero()[0, 0])
    G, r = G[k : k + 1], r[k : k + 1]
    guess = solve_dual(G, r).multipliers > 0 if warm else None
    assert bool((solve_dual(G, r).multipliers > 0).any())
    assert gradcheck(
        lambda G, r: solve_dual(G, r, warm=guess).multipliers,
        [G.requires_grad_(), r.requires_grad_()],
        atol=1e-6,
    )


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_cloud_s_path_is_the_same_problem_with_means_for_sums(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    drift, g = (
        torch.randn(40, 3, generator=generator, dtype=dtype),
        torch.randn(40, 2, 3, generator=generator, dtype=dtype),
    )
    bounds = torch.einsum("nmd,nd->m", g.double(), drift.double()) / 40 - 0.3
    inputs = [x.clone().requires_grad_() for x in (drift, g, bounds)]
    cloud = project_cloud(*inputs)
    flat = [x.detach().double().requires_grad_() for x in inputs]
    rows = flat[1].permute(1, 0, 2).reshape(1, 2, -1) / 40
    twin = project(flat[0].reshape(1, -1), rows, flat[2][None], weights=torch.full((120,), 1 / 40, dtype=F64))
    close = {"rtol": 0, "atol": 1e-12} if dtype is F64 else {"rtol": 1e-5, "atol": 1e-6}
    assert cloud.u.dtype is dtype
    assert torch.allclose(cloud.u.double(), twin.u.reshape(40, 3), **close)
    assert torch.allclose(cloud.multipliers, twin.multipliers[0], rtol=1e-10)
    ours = torch.autograd.grad(cloud.u.square().sum(), inputs)
    theirs = torch.autograd.grad(twin.u.square().sum(), flat)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine.double(), other, **close)


def test_blocks_of_any_size_give_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = posed(2, 2, 3, 50)
    whole = project(*problem[:3], weights=problem.w)
    monkeypatch.setattr("barriers.qp.rows.BLOCK_NUMBERS", 7 * 6)
    monkeypatch.setattr("barriers.qp.rows.AS_THEY_LIE", 7 * 6)
    pieces = project(*problem[:3], weights=problem.w)
    assert torch.allclose(whole.u, pieces.u, atol=1e-13)
    g, v = torch.randn(30, 2, 3, dtype=F64), torch.zeros(30, 3, dtype=F64)
    cut = project_cloud(v, g, torch.tensor([-0.1, -0.2], dtype=F64))
    monkeypatch.undo()
    assert torch.allclose(cut.u, project_cloud(v, g, torch.tensor([-0.1, -0.2], dtype=F64)).u, atol=1e-13)


def test_a_batch_equals_its_members_one_by_one_and_so_do_gradients() -> None:
    problem = posed(9, 30, 5, 6)
    inputs = [x.clone().requires_grad_() for x in problem[:3]]
    together = project(*inputs)
    gradients = torch.autograd.grad(together.u.sin().sum(), inputs)
    for k in range(30):
        one = [x[k : k + 1].clone().requires_grad_() for x in problem[:3]]
        alone = project(*one)
        assert torch.allclose(alone.u[0], together.u[k], atol=1e-11)
        for g, mine in zip(torch.autograd.grad(alone.u.sin().sum(), one), gradients, strict=True):
            assert torch.allclose(g[0], mine[k], atol=1e-9)


def test_gradients_of_shared_arguments_are_sums_over_the_batch() -> None:
    problem = posed(4, 6, 3, 4)
    A, c, w = (x[0].clone().requires_grad_() for x in problem[1:])
    full = [x.detach().expand(6, *x.shape).clone().requires_grad_() for x in (A, c, w)]
    shared = torch.autograd.grad(project(problem.v, A, c, weights=w).u.square().sum(), [A, c, w])
    each = torch.autograd.grad(project(problem.v, full[0], full[1], weights=full[2]).u.square().sum(), full)
    for s, e in zip(shared, each, strict=True):
        assert torch.allclose(s, e.sum(0), atol=1e-12)


def test_duplicate_parallel_and_redundant_rows_change_neither_the_point_nor_its_gradient() -> None:
    problem = posed(11, 1, 2, 5)
    A2 = torch.cat([problem.A, 3 * problem.A[:, :1], problem.A[:, :1], problem.A.sum(1, keepdim=True)], 1)
    c2 = torch.cat(
        [problem.c, 3 * problem.c[:, :1], problem.c[:, :1] + 1, problem.c.sum(1, keepdim=True) + 1], 1
    )
    v = problem.v.clone().requires_grad_()
    few, many = project(v, problem.A, problem.c), project(v, A2, c2)
    assert (few.multipliers > 0).any()
    assert torch.allclose(few.u, many.u, atol=1e-11)
    assert torch.allclose(*(torch.autograd.grad(p.u.sin().sum(), v)[0] for p in (few, many)), atol=1e-9)
    assert float(many.residual) < 1e-10


def test_zero_gradients_move_nothing_and_say_what_they_could_not_do() -> None:
    v, A = torch.ones(2, 3, dtype=F64), torch.zeros(2, 2, 3, dtype=F64)
    p = project(v, A, torch.tensor([[1.0, -0.5], [0.0, 2.0]], dtype=F64))
    assert torch.equal(p.u, v)
    assert p.shortfall.tolist() == [[0.0, 0.5], [0.0, 0.0]]
    assert (p.multipliers == 0).all()
    with pytest.raises(Infeasible):
        project(v, A, torch.full((2, 2), -1.0, dtype=F64), on_infeasible="raise")


def test_a_zero_row_that_fails_leaves_the_other_constraints_exact() -> None:
    A = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]], dtype=F64)
    p = project(torch.tensor([[2.0, 0.0]], dtype=F64), A, torch.tensor([[-1.0, 0.5]], dtype=F64))
    assert p.u[0].tolist() == pytest.approx([0.5, 0.0], abs=1e-14)
    assert p.shortfall[0].tolist() == [1.0, 0.0]


def test_an_infeasible_problem_is_relaxed_to_least_squares_or_raises() -> None:
    A, c = (
        torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]], dtype=F64),
        torch.tensor([[-1.0, -3.0, 0.5]], dtype=F64),
    )
    p = project(torch.tensor([[0.0, 2.0]], dtype=F64), A, c)
    assert p.u[0].tolist() == pytest.approx([1.0, 0.5], abs=1e-5)
    assert p.shortfall[0].tolist() == pytest.approx([2.0, 2.0, 0.0], abs=1e-5)
    assert float(p.residual) < 1e-10
    with pytest.raises(Infeasible, match="no velocity satisfies all 3 constraints"):
        project(torch.zeros(1, 2, dtype=F64), A, c, on_infeasible="raise")


def test_without_constraints_the_point_is_returned_and_so_is_its_gradient() -> None:
    v = torch.randn(3, 4, dtype=F64, requires_grad=True)
    p = project(v, torch.zeros(3, 0, 4, dtype=F64), torch.zeros(3, 0, dtype=F64))
    assert torch.equal(p.u, v)
    assert torch.equal(torch.autograd.grad(p.u.sum(), v)[0], torch.ones_like(v))


def test_a_safe_point_comes_back_bit_for_bit() -> None:
    problem = posed(5, 3, 4, 6)
    inside = project(*problem[:3]).u
    c = torch.einsum("bmj,bj->bm", problem.A, inside) + 1e-3
    assert torch.equal(project(inside, problem.A, c).u, inside)
    assert torch.equal(project(inside.float(), problem.A, c).u, inside.float())


def test_float32_rows_are_summed_in_float64() -> None:
    n = 200_000
    g = torch.full((n, 1, 1), 1 / 3, dtype=torch.float32)
    p = project_cloud(torch.ones(n, 1), g, torch.tensor([0.0]))
    third = float(np.float32(1 / 3))
    assert float(p.multipliers) == pytest.approx(1 / third, rel=1e-12)
    assert p.u.dtype is torch.float32


def test_small_warm_problems_in_plain_numbers_agree_with_the_general_method() -> None:
    problem = posed(6, 40, 4, 8)
    G = problem.A @ problem.A.mT
    r = (problem.A @ problem.v[:, :, None])[:, :, 0] - problem.c
    μ = solve_dual(G, r).multipliers
    for k in range(40):
        plain = confirm(G[k].tolist(), r[k].tolist(), (μ[k] > 0).tolist())
        assert plain is not None
        assert plain[0] == pytest.approx(μ[k].tolist(), rel=1e-9, abs=1e-12)
        assert confirm(G[k].tolist(), r[k].tolist(), (μ[k] <= 0).tolist()) is None  # the wrong set is refused
    assert (
        confirm([[1.0, 1.0], [1.0, 1.0]], [1.0, 1.0], [True, True]) is None
    )  # singular: for the general method
    assert confirm([[float("nan")]], [1.0], [True]) is None


def test_what_is_not_finite_is_never_called_safe() -> None:
    assert (
        solve_dual(torch.eye(2, dtype=F64)[None], torch.tensor([[torch.nan, -1.0]], dtype=F64))
        .multipliers.isnan()
        .all()
    )
    mixed = solve_dual(
        torch.stack([torch.full((2, 2), torch.nan), torch.eye(2)]), torch.ones(2, 2)
    ).multipliers
    assert mixed[0].isnan().all()
    assert mixed[1].tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="must be finite"):
        project(
            torch.tensor([[torch.inf]], dtype=F64),
            torch.ones(1, 1, 1, dtype=F64),
            torch.zeros(1, 1, dtype=F64),
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": torch.tensor([1.0, 0.0])}, "weights must be > 0; got 0"),
        ({"slack": -1.0}, "slack must be > 0; got -1"),
        ({"speed": 0.0}, "speed must be > 0; got 0"),
        ({"c": torch.zeros(3)}, "bounds"),
        ({"A": torch.zeros(1, 1, 3)}, "do not fit"),
    ],
)
def test_a_mistake_is_named_with_its_value(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "v": torch.zeros(1, 2),
        "A": torch.ones(1, 1, 2),
        "c": torch.zeros(1, 1),
        **change,
    }
    with pytest.raises(ValueError, match=message):
        project(**arguments)  # type: ignore[arg-type]
