"""Three solvers, one problem: values to 1e-8, gradients to 1e-6; and each of qpth 0.0.18's traps, shown to be
one and guarded.
"""

import sys

import pytest
import torch
from qp_problems import F64, Posed, clear_margin, kkt, posed
from torch import Tensor

from barriers.qp import Infeasible, project
from barriers.qp.layer import solve
from barriers.qp.problem import pose

pytest.importorskip("cvxpy")
pytest.importorskip("qpth")
BACKENDS = ["qpth", "cvxpy"]


def _value_and_gradients(problem: Posed, **options: object) -> tuple[Tensor, list[Tensor]]:
    v, A, c, w = (x.clone().requires_grad_() for x in problem)
    inputs = [v, A, c, w]
    for name in ("slack", "speed"):
        if isinstance(options.get(name), Tensor):
            inputs.append(options[name].clone().requires_grad_())  # type: ignore[attr-defined]
            options[name] = inputs[-1]
    u = project(v, A, c, weights=w, **options).u  # type: ignore[arg-type]
    return u.detach(), list(torch.autograd.grad((u.sin() + u**2).sum(), inputs))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("m", "size"), [(1, 3), (3, 5), (7, 4)])
@pytest.mark.parametrize("extra", ["hard", "slack", "speed", "both"])
def test_all_backends_agree_in_value_and_gradient(backend: str, m: int, size: int, extra: str) -> None:
    problem = posed(40 + m, 3, m, size)
    options: dict[str, object] = {}
    if extra in ("slack", "both"):
        options["slack"] = torch.linspace(1.0, 3.0, m, dtype=F64)
    if extra in ("speed", "both"):
        reach = (project(*problem[:3], weights=problem.w).u - problem.v).abs().amax()
        options["speed"] = torch.full(
            (size,), 0.9 * float(reach) if extra == "both" else 1.1 * float(reach), dtype=F64
        )
    ours, mine = _value_and_gradients(problem, **options)
    theirs, other = _value_and_gradients(problem, backend=backend, **options)
    assert (ours - problem.v).abs().max() > 0.1
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-8)
    if extra == "hard":
        assert clear_margin(problem, ours, project(*problem[:3], weights=problem.w).multipliers) > 1e-3
    for a, b in zip(mine, other, strict=True):
        assert float((a - b).abs().max()) < 1e-6 * (1 + float(a.abs().max()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_multipliers_residual_and_gap_come_back_from_every_backend(backend: str) -> None:
    problem = posed(3, 4, 3, 5)
    p = project(*problem[:3], weights=problem.w, backend=backend)  # type: ignore[arg-type]
    assert kkt(problem, p.u, p.multipliers) < 1e-8
    assert float(p.residual.max()) < 1e-8
    assert float(p.gap.abs().max()) < 1e-7
    assert torch.allclose(p.multipliers, project(*problem[:3], weights=problem.w).multipliers, atol=1e-7)


@pytest.mark.parametrize("backend", ["structured", *BACKENDS])
def test_an_infeasible_problem_is_reported_by_every_backend(backend: str) -> None:
    """The trap: qpth returns some point and junk gradients without a word."""
    good = posed(2, 2, 2, 2)
    A, c = good.A.clone(), good.c.clone()
    A[1], c[1] = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([-1.0, -3.0])
    p = project(good.v, A, c, backend=backend)  # type: ignore[arg-type]
    assert p.shortfall[1].tolist() == pytest.approx([2.0, 2.0], abs=1e-4)
    assert p.shortfall[0].tolist() == [0.0, 0.0]
    assert torch.allclose(p.u, project(good.v, A, c).u, atol=1e-4)
    assert torch.allclose(p.u[0], project(good.v, A, c).u[0], atol=1e-8)
    with pytest.raises(Infeasible):
        project(good.v, A, c, on_infeasible="raise", backend=backend)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", BACKENDS)
def test_shared_arguments_get_the_sum_of_the_gradients(backend: str) -> None:
    """The trap: qpth gives an argument without a batch axis the mean."""
    problem = posed(4, 5, 2, 3)
    A, c, w = (x[0].clone().requires_grad_() for x in problem[1:])
    grads = torch.autograd.grad(
        project(problem.v, A, c, weights=w, backend=backend).u.square().sum(), [A, c, w]
    )  # type: ignore[arg-type]
    ours = torch.autograd.grad(project(problem.v, A, c, weights=w).u.square().sum(), [A, c, w])
    for theirs, mine in zip(grads, ours, strict=True):
        assert torch.allclose(theirs, mine, atol=1e-6)
        assert not torch.allclose(theirs * 5, mine, atol=1e-3)


def test_the_traps_are_there_in_qpth_itself() -> None:
    """What the guards guard against; a release of qpth without them may drop the guard and the line here."""
    from qpth.qp import QPFunction

    problem, e = posed(4, 5, 2, 3), torch.empty(0, dtype=F64)
    Q = torch.eye(3, dtype=F64)
    c = problem.c[0].clone().requires_grad_()
    (theirs,) = torch.autograd.grad(
        QPFunction(verbose=-1)(Q, -problem.v, problem.A, c, e, e).square().sum(), c
    )
    (ours,) = torch.autograd.grad(project(problem.v, problem.A, c).u.square().sum(), c)
    assert torch.allclose(5 * theirs, ours, atol=1e-5)  # the mean
    with pytest.raises(AssertionError):  # m = 0
        QPFunction(verbose=-1)(
            Q, -problem.v, torch.zeros(5, 0, 3, dtype=F64), torch.zeros(5, 0, dtype=F64), e, e
        )
    A, bound = torch.tensor([[1.0, 0, 0], [-1, 0, 0]], dtype=F64), torch.tensor([-1.0, -3.0], dtype=F64)
    assert torch.isfinite(
        QPFunction(verbose=-1)(Q, -problem.v, A, bound, e, e)
    ).all()  # infeasible, not a word


@pytest.mark.parametrize("backend", BACKENDS)
def test_zero_rows_are_taken_out(backend: str) -> None:
    """The trap: a zero row errs silently or crashes. Elements with different zero rows share one batch."""
    problem = posed(7, 4, 3, 4)
    A, c = problem.A.clone(), problem.c.clone()
    A[0, 1], A[2, 0], A[3], c[0, 1], c[2, 0], c[3] = 0, 0, 0, 0, -0.7, 1
    p, ours = (project(problem.v, A, c, backend=b) for b in (backend, "structured"))  # type: ignore[arg-type]
    assert torch.allclose(p.u, ours.u, atol=1e-8)
    assert torch.allclose(p.shortfall, ours.shortfall, atol=1e-9)
    assert float(p.shortfall[2, 0]) == 0.7
    assert torch.equal(p.u[3], problem.v[3])
    with pytest.raises(Infeasible):
        project(problem.v, A, c, on_infeasible="raise", backend=backend)  # type: ignore[arg-type]


def _with_a_singular_element(b: int) -> Posed:
    problem = posed(8, b, 3, 4)
    A, c = problem.A.clone(), problem.c.clone()
    A[b // 2, 1:], c[b // 2, 1:] = A[b // 2, 0], c[b // 2, 0]  # the same active row three times
    return Posed(problem.v, A, c, problem.w)


def test_one_singular_element_does_not_stop_the_others_of_its_batch() -> None:
    """The trap: qpth stops the whole batch where one element's factorisation fails."""
    problem = _with_a_singular_element(9)
    u, gradients = _value_and_gradients(problem, backend="qpth")
    ours, mine = _value_and_gradients(problem)
    assert torch.allclose(u, ours, atol=1e-7)
    others = torch.arange(9) != 4
    for a, b in zip(gradients, mine, strict=True):
        assert torch.allclose(a[others], b[others], atol=1e-6)


def test_a_batch_that_qpth_cuts_short_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stops a batch: here qpth itself, made to give up whenever element 4 is on board with
    company.
    """
    from barriers.qp import backends

    problem, calls, honest = posed(8, 9, 3, 4), [], backends._call

    def call(standard, scales):  # type: ignore[no-untyped-def]
        calls.append(len(standard.t))
        z, λ = honest(standard, scales)
        stopped = len(standard.t) > 1 and bool((standard.t[:, :4] == problem.v[4]).all(1).any())
        return (z + 0.1, λ) if stopped else (z, λ)

    monkeypatch.setattr(backends, "_call", call)
    assert torch.allclose(project(*problem[:3], backend="qpth").u, project(*problem[:3]).u, atol=1e-8)
    assert calls[0] == 9
    assert len(calls) < 9  # halves, not one by one


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_is_solved_in_float64(backend: str) -> None:
    """The trap: qpth in float32 is off by up to 1e-1."""
    problem = Posed(*(x.float() for x in posed(9, 4, 4, 6)))
    p = project(*problem[:3], weights=problem.w, backend=backend)  # type: ignore[arg-type]
    exact = project(*(x.double() for x in problem[:3]), weights=problem.w.double())
    assert p.u.dtype is torch.float32
    assert torch.equal(p.u, exact.u.float()) or torch.allclose(p.u.double(), exact.u, atol=1e-6)
    v = problem.v.clone().requires_grad_()
    (g,) = torch.autograd.grad(project(v, problem.A, problem.c, backend=backend).u.sum(), v)  # type: ignore[arg-type]
    assert g.dtype is torch.float32


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_constraints_at_all(backend: str) -> None:
    """The trap: qpth asserts m > 0."""
    v = torch.randn(2, 3, dtype=F64)
    assert torch.equal(
        project(v, torch.zeros(2, 0, 3, dtype=F64), torch.zeros(2, 0, dtype=F64), backend=backend).u, v
    )  # type: ignore[arg-type]


def test_a_second_derivative_through_qpth_raises_instead_of_being_wrong() -> None:
    problem = posed(4, 3, 2, 3)
    v = problem.v.clone().requires_grad_()
    (g,) = torch.autograd.grad(
        project(v, problem.A, problem.c, backend="qpth").u.pow(3).sum(), v, create_graph=True
    )
    with pytest.raises(RuntimeError, match="qpth has no second derivative"):
        torch.autograd.grad(g.sum(), v)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_missing_library_is_named_with_the_way_out(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, backend, None)
    with pytest.raises(ImportError, match=rf"install lem-safe\[{backend}\], or use backend: structured"):
        project(*posed(1, 1, 1, 2)[:3], backend=backend)  # type: ignore[arg-type]


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="backend must be structured, qpth or cvxpy; got 'qptj'"):
        solve(pose(torch.zeros(1, 1, 2), torch.ones(1, 1, 1, 2), torch.zeros(1, 1)), None, "relax", "qptj")
