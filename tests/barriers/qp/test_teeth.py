"""Faults planted into the QP and its derivative, each of which a check of the other test files must find."""

from collections.abc import Callable

import pytest
import torch
from qp_problems import F64, Posed, kkt, posed
from torch import Tensor
from torch.autograd import gradcheck
from torch.autograd.gradcheck import GradcheckError

from barriers.qp import dual, layer, project, project_cloud, solve_dual, speed

PROBLEM = Posed(*(x[:1] for x in posed(49, 2, 3, 5)))  # two rows active of three, far from a kink
ρ = torch.full((3,), 1.7, dtype=F64)


def _gradients_hold(slack: bool = False, problem: Posed = PROBLEM) -> bool:
    def f(v, A, c, w, ρ):  # type: ignore[no-untyped-def]
        return project(v, A, c, weights=w, slack=ρ if slack else None).u

    try:
        return gradcheck(f, [x.clone().requires_grad_() for x in (*problem, ρ)], atol=1e-6)
    except GradcheckError:
        return False


def _edited(change: Callable[[list[Tensor | None]], None]) -> Callable[..., tuple[Tensor | None, ...]]:
    honest = layer._Implicit.backward

    def backward(ctx, *gradients):  # type: ignore[no-untyped-def]
        result = list(honest(ctx, *gradients))
        change(result)
        return tuple(result)

    return backward


def test_the_honest_derivatives_pass() -> None:
    assert (project(*PROBLEM[:3], weights=PROBLEM.w).multipliers > 0).sum() >= 2
    assert _gradients_hold()
    assert _gradients_hold(slack=True)


@pytest.mark.parametrize("which", ["dv", "dA", "dc", "dw"])
def test_a_flipped_sign_in_any_gradient_is_caught(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    k = ["dv", "dA", "dc", "dw"].index(which)

    def flip(result: list[Tensor | None]) -> None:
        assert result[k] is not None
        result[k] = -result[k]

    monkeypatch.setattr(layer._Implicit, "backward", staticmethod(_edited(flip)))
    assert not _gradients_hold()


def test_a_mean_in_place_of_the_sum_for_a_shared_argument_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def mean(result: list[Tensor | None]) -> None:
        assert result[2] is not None
        result[2] = result[2] / 2  # two problems share one c

    shared = posed(49, 2, 3, 5)
    c = shared.c.amin(0).requires_grad_()
    assert gradcheck(lambda c: project(shared.v, shared.A, c).u, c, atol=1e-6)
    monkeypatch.setattr(layer._Implicit, "backward", staticmethod(_edited(mean)))
    with pytest.raises(GradcheckError):
        gradcheck(lambda c: project(shared.v, shared.A, c).u, c, atol=1e-6)


def test_weights_forgotten_in_the_derivative_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = layer._Implicit.backward

    def backward(ctx, *gradients):  # type: ignore[no-untyped-def]
        with monkeypatch.context() as during:
            during.setattr(layer, "inverse_weights", lambda problem: torch.ones_like(problem.w))
            return honest(ctx, *gradients)

    monkeypatch.setattr(layer._Implicit, "backward", staticmethod(backward))
    assert not _gradients_hold()


def test_weights_forgotten_in_the_primal_are_caught_by_kkt() -> None:
    p = project(*PROBLEM[:3])
    assert kkt(PROBLEM, p.u, p.multipliers) > 1e-2


def test_slack_forgotten_in_h_is_caught_in_the_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = layer.solve_on

    def hard(H: Tensor, target: Tensor, active: Tensor) -> Tensor:
        return honest(H - torch.diag_embed(1 / ρ[None]), target, active)

    monkeypatch.setattr(layer, "solve_on", hard)
    assert not _gradients_hold(slack=True)


def test_slack_forgotten_in_the_dual_is_caught_by_kkt(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = layer._dual
    monkeypatch.setattr(layer, "_dual", lambda problem: honest(problem._replace(slack=None)))
    p = project(*PROBLEM[:3], weights=PROBLEM.w, slack=1.7)
    assert kkt(PROBLEM, p.u, p.multipliers, slack=1.7) > 1e-2


def test_an_active_set_of_nonnegative_multipliers_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """W = {μ ≥ 0} is every row: inactive ones would pull on the gradient."""
    assert (project(*PROBLEM[:3], weights=PROBLEM.w).multipliers == 0).any()
    honest = layer.solve_on
    monkeypatch.setattr(
        layer, "solve_on", lambda H, target, active: honest(H, target, torch.ones_like(active))
    )
    assert not _gradients_hold()


def test_the_gradient_of_the_multipliers_forgotten_is_caught() -> None:
    inputs = [x.clone().requires_grad_() for x in PROBLEM[:3]]
    with pytest.raises(GradcheckError):  # detached, as an interior-point layer's multipliers are
        gradcheck(lambda *i: (lambda p: p.u + p.multipliers.detach().sum())(project(*i)), inputs, atol=1e-6)
    assert gradcheck(lambda *i: (lambda p: p.u + p.multipliers.sum())(project(*i)), inputs, atol=1e-6)


def test_a_dual_gradient_that_forgets_symmetry_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    G = torch.tensor([[[2.0, 0.5], [0.5, 1.0]]], dtype=F64, requires_grad=True)
    r = torch.tensor([[2.0, 2.5]], dtype=F64)
    assert gradcheck(lambda G: solve_dual(G, r).multipliers, G, atol=1e-6)
    honest = dual.Implicit.backward

    def one_sided(ctx, *gradients):  # type: ignore[no-untyped-def]
        _, y, *rest = honest(ctx, *gradients)
        return -y[:, :, None] * ctx.saved_tensors[2][:, None, :], y, *rest

    monkeypatch.setattr(dual.Implicit, "backward", staticmethod(one_sided))
    with pytest.raises(GradcheckError):
        gradcheck(lambda G: solve_dual(G, r).multipliers, G, atol=1e-6)


def test_sums_in_place_of_means_in_the_cloud_are_caught() -> None:
    g, v = (
        torch.randn(50, 1, 2, generator=torch.Generator().manual_seed(0), dtype=F64),
        torch.zeros(50, 2, dtype=F64),
    )
    bound = torch.tensor([-0.3], dtype=F64)
    assert float((g[:, 0] * project_cloud(v, g, bound).u).sum(1).mean()) == pytest.approx(-0.3, abs=1e-12)
    wrong = project(v.reshape(1, -1), g.permute(1, 0, 2).reshape(1, 1, -1), bound[None]).u.reshape(50, 2)
    assert abs(float((g[:, 0] * wrong).sum(1).mean()) + 0.3) > 0.2


def test_clipping_after_the_solve_in_place_of_inside_it_is_caught() -> None:
    cap = 0.5 * float((project(*PROBLEM[:3], weights=PROBLEM.w).u - PROBLEM.v).abs().max())
    free = project(*PROBLEM[:3], weights=PROBLEM.w)
    late = PROBLEM.v + (free.u - PROBLEM.v).clamp(-cap, cap)
    assert kkt(PROBLEM, late, free.multipliers, speed=cap) > 1e-2


def test_a_clipped_coordinate_counted_as_free_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = posed(10, 1, 2, 5)
    cap = torch.full(
        (1, 5), 0.8 * float((project(*problem[:3], weights=problem.w).u - problem.v).abs().max()), dtype=F64
    )
    inputs = [x.clone().requires_grad_() for x in (*problem, cap)]

    def f(v, A, c, w, s):  # type: ignore[no-untyped-def]
        return project(v, A, c, weights=w, speed=s).u

    assert gradcheck(f, inputs, atol=1e-6)
    honest = layer._structured
    monkeypatch.setattr(
        layer,
        "_structured",
        lambda *a: (lambda found: found._replace(free=torch.ones_like(found.free)))(honest(*a)),
    )
    with pytest.raises(GradcheckError):
        gradcheck(f, inputs, atol=1e-6)


def test_a_wrong_certificate_would_call_feasible_problems_infeasible(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = posed(10, 1, 2, 5)
    cap = 0.8 * float((project(*problem[:3]).u - problem.v).abs().max())
    assert (project(*problem[:3], speed=cap).shortfall == 0).all()
    monkeypatch.setattr(
        speed._Scaled, "impossible", lambda self, ν: (ν * self.excess).sum(1) > 0
    )  # without the box's support
    assert (project(*problem[:3], speed=cap).shortfall > 0).any()
