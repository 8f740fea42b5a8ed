"""Derivatives through loops under a guard against central differences: for those who train or tune through a
guarded sampler.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

import lem_safe
from barriers.filters import BarrierStep
from barriers.filters.base import combined
from barriers.filters.complementarity import times
from barriers.functionals import of_each
from lem_safe.keys import Key
from lem_safe.sets import Ball, Constraint, HalfSpace

pytestmark = pytest.mark.simulation

F64 = torch.float64
REGIONS: dict[str, dict[str, Any]] = {
    "a ball": {"wall": Ball([0.9, 0.1], 0.5)},
    "two that overlap": {"wall": Ball([0.9, 0.1], 0.5), "top": HalfSpace([0.0, 1.0], 0.6)},
    "a function": {"soft": Constraint(lambda x: 0.7 - x[:, 0] - 0.2 * x[:, 1] ** 2, smooth=True)},
}
SMOOTHINGS: list[dict[str, Any]] = [
    {"kind": "sigmoid", "width": 0.3},
    {"kind": "soft_hinge", "width": 0.2},
    {"kind": "exponential", "width": 0.4},
]


def looped(regions: dict[str, Any], smoothing: dict[str, Any], θ: Tensor, steps: int = 7, n: int = 40) -> Any:
    """Langevin steps of a double well around θ[:2], of stiffness θ[2], from a start around θ[3:]: a mean,
    a variance and a soft mass of the end, and at how many calls the guard changed a move.
    """
    guard = lem_safe.guard(
        regions, beta=0.06, kind="step", step_size=0.02, smoothing=smoothing, rate=10.0, seed=2
    )
    h, noise = 0.02, Key(7)
    x = θ[3:5] + 0.3 * noise.fold("start").normal(torch.empty(n, 2, dtype=F64))
    changed = 0
    for k in range(steps):
        z = x - θ[:2]
        slope = θ[2] * z * (z.square().sum(1, keepdim=True) - 0.5)
        y = x - h * slope + (2 * h) ** 0.5 * noise.fold(k).normal(x.detach())
        x = guard(x, y)
        changed += int(not torch.equal(x.detach(), y.detach()))
    return torch.stack([x[:, 0].mean(), x[:, 1].var(), (x[:, 0] * 3).sigmoid().mean()]), changed


AT = torch.tensor([0.8, 0.2, 3.0, -0.1, 0.1], dtype=F64)


def largest_difference(regions: dict[str, Any], smoothing: dict[str, Any], ε: float = 1e-5) -> float:
    """Of the Jacobian of the three numbers in θ from its central differences, over its largest entry."""
    exact = torch.autograd.functional.jacobian(lambda θ: looped(regions, smoothing, θ)[0], AT)
    with torch.no_grad():
        columns = [
            (looped(regions, smoothing, AT + e)[0] - looped(regions, smoothing, AT - e)[0]) / (2 * ε)
            for e in ε * torch.eye(len(AT), dtype=F64)
        ]
    differences = torch.stack(columns, 1)
    assert bool((differences.abs().amax(0) > 1e-3).all())  # every entry of θ matters
    return float((exact - differences).abs().max() / differences.abs().max())


@pytest.mark.parametrize("regions", REGIONS.values(), ids=REGIONS)
def test_a_loop_has_the_derivatives_of_its_differences(regions: dict[str, Any]) -> None:
    assert looped(regions, SMOOTHINGS[0], AT)[1] >= 4
    assert largest_difference(regions, SMOOTHINGS[0]) < 1e-4


@pytest.mark.parametrize("smoothing", SMOOTHINGS[1:], ids=lambda s: s["kind"])
def test_under_every_smoothing(smoothing: dict[str, Any]) -> None:
    assert looped(REGIONS["two that overlap"], smoothing, AT)[1] >= 4
    assert largest_difference(REGIONS["two that overlap"], smoothing) < 1e-4


def test_a_network_is_trained_through_a_guarded_loop() -> None:
    """The slope of a loss in a network's weights, along a random direction, is its difference."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=F64))
    directions = [torch.randn(p.shape, generator=generator, dtype=F64) for p in net.parameters()]

    def loss() -> Tensor:
        guard = lem_safe.guard(
            REGIONS["a ball"], beta=0.05, kind="step", step_size=0.02, smoothing=SMOOTHINGS[0]
        )
        x = 0.2 * Key(1).normal(torch.empty(40, 2, dtype=F64))
        for k in range(6):
            x = guard(x, x + 0.1 * net(x) + 0.2 * Key(1).fold(k).normal(x.detach()))
        return (x - 1).square().mean()

    slopes = torch.autograd.grad(loss(), list(net.parameters()))
    exact = float(sum((g * v).sum() for g, v in zip(slopes, directions, strict=True)))

    def moved(ε: float) -> float:
        with torch.no_grad():
            for p, v in zip(net.parameters(), directions, strict=True):
                p.add_(ε * v)
            return float(loss())

    difference = (moved(1e-5) - moved(-2e-5)) / 2e-5
    assert abs(exact) > 1e-3 and abs(exact - difference) < 1e-4 * abs(exact)


def test_a_graph_that_the_loop_cuts_stays_cut() -> None:
    """Truncated backpropagation: every call's derivative is its own, and nothing of a freed graph is kept."""
    guard = lem_safe.guard(
        REGIONS["a ball"], beta=0.06, kind="step", step_size=0.02, smoothing=SMOOTHINGS[0], rate=10.0
    )
    x = torch.tensor([0.1, 0.1], dtype=F64) + 0.3 * Key(7).normal(torch.empty(60, 2, dtype=F64))
    for k in range(6):
        shift = torch.tensor([0.1, 0.02], dtype=F64, requires_grad=True)
        leaf = x.detach().requires_grad_(k % 2 == 1)
        state = guard.state()

        def end(shift: Tensor, leaf: Tensor, state: Any = state, k: int = k) -> Tensor:
            guard.reset(state)
            move = shift + 0.2 * Key(7).fold(k).normal(leaf.detach())
            return guard(leaf, leaf + move)

        x = end(shift, leaf)
        x.square().sum().backward()  # frees the graph
        with torch.no_grad():
            e = torch.tensor([1e-5, 0.0], dtype=F64)
            up, down = (end(shift + s * e, leaf).square().sum() for s in (1, -1))
            assert float((up - down) / 2e-5) == pytest.approx(float(shift.grad[0]), rel=1e-4)  # type: ignore[index]
            if leaf.requires_grad:
                v = torch.linspace(-1, 1, 120, dtype=F64).reshape(60, 2)
                up, down = (end(shift, leaf + s * 1e-5 * v).square().sum() for s in (1, -1))
                slope = float((leaf.grad * v).sum())  # type: ignore[operator]
                assert float((up - down) / 2e-5) == pytest.approx(slope, rel=1e-4)
        x = end(shift, leaf)


@pytest.mark.parametrize("kind", ["gate", "reject", "step"])
def test_a_jump_is_refused_whichever_of_the_two_has_a_graph(kind: str) -> None:
    guard = lem_safe.guard(REGIONS["a ball"], beta=0.06, kind=kind, step_size=0.02)
    x = torch.zeros(5, 2)
    for at, y in ((x.clone().requires_grad_(), x + 1), (x, (x + 1).requires_grad_())):
        with pytest.raises(ValueError, match="is a jump"):
            guard(at, y)


def test_planted_fault_corrections_that_are_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    def detached(self: Any, y: Tensor, floor: Tensor, mean: Tensor, found: Any) -> Any:
        g, J = of_each(self.barrier.gradients, y)[1], self.barrier.jacobian(mean)
        return self._judged(y + combined(g, times(J.mT, found.multipliers)), floor, found.multipliers)

    monkeypatch.setattr(BarrierStep, "_differentiable", detached)
    assert largest_difference(REGIONS["a ball"], SMOOTHINGS[0]) > 1e-3


def test_planted_fault_a_memory_without_the_graph_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    init = BarrierStep.init
    monkeypatch.setattr(BarrierStep, "init", lambda self, x: init(self, x.detach()))
    assert largest_difference(REGIONS["a ball"], SMOOTHINGS[0]) > 1e-3


def test_planted_fault_a_guard_that_cuts_the_particles(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = BarrierStep.apply

    def cut(self: Any, x: Tensor, y: Tensor, *rest: Any) -> Any:
        z, *others = apply(self, x, y, *rest)
        return (y + (z - y).detach(), *others)

    monkeypatch.setattr(BarrierStep, "apply", cut)
    assert largest_difference(REGIONS["a ball"], SMOOTHINGS[0]) > 1e-3
