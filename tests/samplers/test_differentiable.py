"""Derivatives of whole filtered runs, the noise fixed by its keys, against central differences; the faults
that would break them.
"""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from set_examples import columns
from torch import Tensor
from torch.autograd import gradcheck

from barriers.coordinates import identity
from barriers.derivatives import NotDifferentiable, value_and_gradient
from barriers.filters import (
    BarrierStep,
    EnsembleFilter,
    Gate,
    Penalty,
    PointwiseFilter,
    PrimalDual,
    Project,
    Reject,
)
from barriers.filters.base import combined
from barriers.filters.complementarity import times
from barriers.functionals import BARRIERS, MassBarrier, of_each, smooth_mass
from barriers.functionals.base import StatisticsJet
from barriers.qp import solve_dual
from barriers.sets import SETS, UnsafeSet, build_sets, pull
from barriers.surrogates import Exponential, Hinge, Sigmoid, SoftHinge, Surrogate
from lem_safe.energies import Gaussian, GaussianMixture, Ring, Tempered, Unrolled, WeightedSum
from lem_safe.keys import Key
from lem_safe.registry import MAKERS
from lem_safe.samplers import Langevin, State
from lem_safe.samplers.hooks import hook

pytestmark = pytest.mark.simulation

N, STEPS, H = 200, 15, 0.02
F64 = torch.float64
SPECS: dict[str, Any] = {
    "ball": {"kind": "ball", "center": [0.8, 0.0], "radius": 0.6},
    "top": {"kind": "half_space", "normal": [0.0, 1.0], "offset": 0.9},
    "box": {"kind": "box", "lower": [0.3, -0.5], "upper": [1.2, 0.4]},
    "both": {"any": ["ball", "top"]},
}
SPECIFIED = build_sets(SPECS, ("x0", "x1"))


def _sets(*names: str) -> list[UnsafeSet]:
    return [pull(SPECIFIED[name], identity(2, F64)) for name in names]


# ---------------------------------------------------------------- a run as a function of everything it
# depends on

VALUES: dict[str, Any] = {
    "beta": 0.06,
    "rate": 5.0,
    "width": 0.25,
    "margin": 0.2,
    "weight": 3.0,
    "dual_rate": 0.7,
    "start": [0.1, -0.2],
    "means": [[0.9, 0.3], [-0.7, 0.2]],
    "std": 0.6,
    "weights": [2.0, 1.0],
}


def _filter(kind: str, θ: dict[str, Any], names: tuple[str, ...], surrogate: Callable[..., Surrogate]) -> Any:
    sets, φ = _sets(*names), surrogate(θ)
    betas = [θ["beta"], 0.05][: len(sets)]
    if kind == "step":
        return BarrierStep(MassBarrier(sets, [φ] * len(sets), betas), θ["rate"])
    barrier = smooth_mass(sets, [φ] * len(sets), betas)
    if kind == "drift":
        return EnsembleFilter(barrier, θ["rate"])
    if kind == "penalty":
        return Penalty(barrier, [θ["weight"]] * len(sets))
    return PrimalDual(barrier, θ["dual_rate"])


def _sigmoid(θ: dict[str, Any]) -> Surrogate:
    return Sigmoid(θ["width"], θ["margin"])


def _final(
    θ: dict[str, Any],
    kind: str,
    names: tuple[str, ...] = ("ball", "top"),
    surrogate: Callable[..., Surrogate] = _sigmoid,
) -> tuple[Tensor, int]:
    """The final cloud, and at how many of the steps a constraint was active."""
    energy = Unrolled(GaussianMixture(θ["means"], std=θ["std"], weights=θ["weights"]))
    hooks = hook(_filter(kind, θ, names, surrogate))
    sampler = Langevin(energy, H, hooks.drift_filter, hooks.step_filter)
    x = torch.as_tensor(θ["start"], dtype=F64) + 0.4 * Key(3).normal(torch.empty(N, 2, dtype=F64))
    state, active = sampler.init(x), 0
    for k in range(STEPS):
        state, info = sampler.step(Key(5).fold(k), state)
        active += bool(((info.drift or info.step).multipliers > 0).any())  # type: ignore[union-attr]
    return state.x, active


def _statistics(x: Tensor) -> Tensor:
    """A mean, a variance, a soft mass."""
    return torch.stack([x[:, 0].mean(), x[:, 1].var(), torch.sigmoid(-SPECIFIED["ball"](x) / 0.2).mean()])


def _derivatives(f: Callable[[Tensor], Tensor], at: Any, ε: float) -> tuple[Tensor, Tensor]:
    """∂f/∂θ by automatic differentiation and by central differences, [statistics, parameters]."""
    θ = torch.tensor(at, dtype=F64, requires_grad=True)
    exact = torch.autograd.functional.jacobian(f, θ).reshape(3, -1)
    columns = []
    with torch.no_grad():
        for i in range(θ.numel()):
            e = torch.zeros(θ.numel(), dtype=F64)
            e[i] = ε
            e = e.reshape(θ.shape)
            columns.append((f(θ + e) - f(θ - e)) / (2 * ε))
    return exact, torch.stack(columns, 1)


def _largest_difference(name: str, kind: str, ε: float = 1e-5, **settings: Any) -> float:
    """As a share of the largest derivative with respect to that parameter."""

    def f(θ: Tensor) -> Tensor:
        return _statistics(_final({**VALUES, name: θ}, kind, **settings)[0])

    exact, differences = _derivatives(f, VALUES[name], ε)
    assert float(differences.abs().max()) > 1e-5  # the parameter matters
    return float((exact - differences).abs().max() / differences.abs().max())


PARAMETERS = {
    "drift": ["beta", "rate", "width", "margin", "start", "means", "std", "weights"],
    "step": ["beta", "rate", "width", "margin", "start", "means", "std", "weights"],
    "penalty": ["weight", "width", "margin", "start", "means", "std", "weights"],
    "primal_dual": ["beta", "dual_rate", "width", "start", "means"],
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in PARAMETERS.items() for name in names]
)
def test_derivatives_of_a_run_are_its_differences(kind: str, name: str) -> None:
    assert _largest_difference(name, kind) < 1e-6


@pytest.mark.parametrize("kind", ["drift", "step"])
def test_the_constraint_is_active_throughout(kind: str) -> None:
    assert _final(VALUES, kind)[1] >= 12


@pytest.mark.parametrize(
    ("kind", "surrogate"),
    [
        ("drift", SoftHinge),
        ("drift", Exponential),
        ("step", SoftHinge),
        ("step", Exponential),
        ("step", Hinge),
    ],
)
def test_derivatives_with_respect_to_the_width_of_every_surrogate(
    kind: str, surrogate: Callable[..., Surrogate]
) -> None:
    assert _largest_difference("width", kind, ε=1e-6, surrogate=lambda θ: surrogate(θ["width"])) < 1e-5


@pytest.mark.parametrize("kind", ["drift", "step"])
def test_derivatives_flow_through_a_soft_union_and_its_width(kind: str) -> None:
    for name in ("width", "beta"):
        assert _largest_difference(name, kind, names=("both",)) < 1e-5


@pytest.mark.parametrize("name", ["penalty", "temperature", "radius", "std"])
def test_derivatives_with_respect_to_a_composed_energy(name: str) -> None:
    """U₊ − λU₋ at temperature ε, U₊ a ring: every number of it may be a tensor."""
    values = {"penalty": 0.3, "temperature": 1.2, "radius": 1.0, "std": 0.5}

    def f(θ: Tensor) -> Tensor:
        given: dict[str, Any] = {**values, name: θ}
        away = Gaussian([0.8, 0.2], std=[0.7, 0.9])
        energy = WeightedSum(
            [Ring([0.1, 0.0], given["radius"], given["std"]), away], [1.0, -given["penalty"]]
        )
        sampler = Langevin(
            Unrolled(Tempered(energy, given["temperature"])),
            H,
            step_filter=_filter("step", VALUES, ("ball",), _sigmoid),
        )
        state = sampler.init(0.3 * Key(3).normal(torch.empty(N, 2, dtype=F64)))
        for k in range(STEPS):
            state, _ = sampler.step(Key(5).fold(k), state)
        return _statistics(state.x)

    exact, differences = _derivatives(f, values[name], 1e-5)
    assert float((exact - differences).abs().max() / differences.abs().max()) < 1e-6


# ---------------------------------------------------------------- one application


def _cloud(n: int = 30) -> tuple[Tensor, Tensor]:
    """A cloud just outside the sets, and a proposal that goes in."""
    x = torch.tensor([-0.2, 0.3], dtype=F64) + 0.3 * Key(1).normal(torch.empty(n, 2, dtype=F64))
    return x, x + torch.tensor([0.35, 0.2], dtype=F64)


def _applied(chosen: Any, x: Tensor, y: Tensor) -> Tensor:
    """The drift or the step that a filter returns."""
    if chosen.hook == "drift":
        return chosen.apply(x, y - x, chosen.init(x))[0]
    return chosen.apply(x, y, H, y[:, 0].detach(), chosen.init(x))[0]


@pytest.mark.parametrize("kind", ["drift", "step", "penalty", "pointwise", "project"])
def test_one_application_passes_gradcheck(kind: str) -> None:
    def apply(x: Tensor, y: Tensor, beta: Tensor, rate: Tensor, width: Tensor, weight: Tensor) -> Tensor:
        if kind in ("pointwise", "project"):
            return _applied(
                PointwiseFilter(_sets("ball", "top"), 5.0) if kind == "pointwise" else Project(_sets("ball")),
                x,
                y,
            )
        θ = {**VALUES, "beta": beta, "rate": rate, "width": width, "weight": weight}
        return _applied(_filter(kind, θ, ("ball", "top"), _sigmoid), x, y)

    x, y = _cloud(15)
    numbers = [torch.tensor(VALUES[name], dtype=F64) for name in ("beta", "rate", "width", "weight")]
    inputs = [t.clone().requires_grad_() for t in (x, y, *numbers)]
    assert not torch.equal(
        apply(*inputs), y if kind in ("step", "project") else y - x
    )  # the filter has something to do
    assert gradcheck(apply, inputs, eps=1e-6, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(BARRIERS))
@pytest.mark.parametrize("kind", ["drift", "step"])
def test_every_barrier_passes_gradcheck_through_both_filters(kind: str, name: str) -> None:
    """Readouts that are not linear too: their Jacobians depend on the cloud."""
    barrier = BARRIERS[name].example()
    at = torch.tensor([0.1, -1.8] if name != "moment" else [0.5, -1.1], dtype=F64)
    x = at + 0.5 * Key(1).normal(torch.empty(12, 2, dtype=F64))
    y = x + torch.tensor([0.15, 0.3], dtype=F64)
    rate = torch.tensor(0.5, dtype=F64)
    inputs = [t.clone().requires_grad_() for t in (x, y, rate)]

    def apply(x: Tensor, y: Tensor, rate: Tensor) -> Tensor:
        return _applied(
            EnsembleFilter(barrier, rate) if kind == "drift" else BarrierStep(barrier, rate), x, y
        )

    assert not torch.equal(apply(*inputs), y if kind == "step" else y - x)
    assert gradcheck(apply, inputs, eps=1e-6, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", sorted(SETS))
def test_the_jets_of_every_set_stay_in_the_graph(kind: str) -> None:
    """∇(s + c·∇s) by the graph and by differences: what a filter's derivative is made of."""
    unsafe = build_sets({"example": dict(SETS[kind].example)}, columns(kind), MAKERS)["example"]
    d = len(columns(kind))
    x = 1.3 * Key(4).normal(torch.empty(12, d, dtype=F64)) + 0.05
    c = torch.tensor([0.7, -0.4] * d, dtype=F64)[:d]

    def closed(x: Tensor) -> Tensor:
        jet = unsafe.jet(x)
        return jet.value + jet.gradient @ c

    def by_autodiff(x: Tensor) -> Tensor:
        value, gradient = value_and_gradient(unsafe, x)
        return value + gradient @ c

    for f in (closed, by_autodiff):
        y = x.clone().requires_grad_()
        (found,) = torch.autograd.grad(f(y).sum(), y)
        ε, slopes = 1e-6, []
        for e in torch.eye(d, dtype=F64) * ε:
            slopes.append((f(x + e) - f(x - e)) / (2 * ε))
        wrong = (found - torch.stack(slopes, 1)).abs().amax(1)
        assert int((wrong > 1e-5).sum()) <= 1  # one of twelve may sit on a kink


def test_float32_has_the_derivatives_of_float64() -> None:
    def slope(dtype: torch.dtype) -> Tensor:
        β = torch.tensor(0.06, dtype=F64, requires_grad=True)
        sets = [pull(SPECIFIED["ball"], identity(2, dtype))]
        x, y = (t.to(dtype) for t in _cloud(200))
        z = _applied(BarrierStep(MassBarrier(sets, [Sigmoid(0.25, 0.2)], [β])), x, y)
        return torch.autograd.grad(z[:, 0].mean(), β)[0]

    assert float(slope(F64)) > 0  # a looser limit leaves more mass on the right
    assert torch.allclose(slope(torch.float32), slope(F64), rtol=1e-4)


# ---------------------------------------------------------------- what recording may not change, and where it
# is refused


@pytest.mark.parametrize("kind", ["drift", "step", "penalty"])
def test_recording_changes_no_bit_and_nothing_is_recorded_unasked(kind: str) -> None:
    plain, _ = _final(VALUES, kind)
    asked = {**VALUES, "width": torch.tensor(VALUES["width"], dtype=F64, requires_grad=True)}
    recorded, _ = _final(asked, kind)
    with torch.no_grad():
        silent, _ = _final(asked, kind)
    assert recorded.requires_grad and not plain.requires_grad and not silent.requires_grad
    assert torch.equal(plain, recorded) and torch.equal(plain, silent)


def test_the_gate_and_rejection_say_that_they_have_no_derivative() -> None:
    x, y = _cloud()
    for chosen in (Gate(_sets("ball"), [0.05]), Reject(_sets("ball"))):
        with pytest.raises(NotDifferentiable, match="use the filter drift or step"):
            _applied(chosen, x, y.clone().requires_grad_())
        with torch.no_grad():
            assert not _applied(chosen, x, y.clone().requires_grad_()).requires_grad


def test_the_way_out_of_a_step_that_newton_cannot_solve_says_that_it_has_no_derivative() -> None:
    """Deep inside a narrow ramp the surrogate is flat, so that no small move along it helps: moves are
    returned (D.2).
    """
    x, _ = _cloud()
    chosen = BarrierStep(MassBarrier(_sets("ball"), [Sigmoid(0.001)], [0.05]))
    y = torch.where(torch.arange(30)[:, None] < 10, torch.tensor([0.8, 0.01], dtype=F64), x)
    assert int((_applied(chosen, x, y) == x).all(1).sum()) >= 9 + 20  # some came back, the rest had not moved
    with pytest.raises(NotDifferentiable, match="wider surrogate"):
        _applied(chosen, x, y.clone().requires_grad_())


def test_an_energy_that_would_cut_the_graph_is_refused() -> None:
    x = _cloud()[0].requires_grad_()
    energy = Gaussian([0.0, 0.0], 1.0)
    for half in (energy, Gaussian(torch.zeros(2, dtype=F64, requires_grad=True), 1.0)):
        sampler = Langevin(half, H)
        with pytest.raises(ValueError, match="wrap the energy in Unrolled"):
            sampler.step(Key(0), sampler.init(x))
        with torch.no_grad():
            sampler.step(Key(0), sampler.init(x))
    assert Langevin(Unrolled(energy), H).step(Key(0), State(x))[0].x.requires_grad


# ---------------------------------------------------------------- planted faults


def test_planted_fault_newton_without_its_implicit_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def detached(self: Any, y: Tensor, floor: Tensor, mean: Tensor, found: Any) -> Any:
        g, J = of_each(self.barrier.gradients, y)[1], self.barrier.jacobian(mean)
        return self._judged(y + combined(g, times(J.mT, found.multipliers)), floor, found.multipliers)

    monkeypatch.setattr(BarrierStep, "_differentiable", detached)
    assert _largest_difference("width", "step") > 1e-2


def test_planted_fault_a_dual_whose_gram_matrix_is_a_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    def partly(gram: Tensor, excess: Tensor, **options: Any) -> Any:
        return solve_dual(gram.detach(), excess, **options)

    monkeypatch.setattr("barriers.filters.ensemble.solve_dual", partly)
    assert _largest_difference("width", "drift") > 1e-3


@pytest.mark.parametrize("kind", ["drift", "step"])
def test_planted_fault_kappa_cut_from_the_width(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    level = Sigmoid.level.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(Sigmoid, "level", property(lambda self: float(torch.as_tensor(level(self)).detach())))
    assert _largest_difference("width", kind) > 1e-3


@pytest.mark.parametrize("kind", ["drift", "step", "penalty"])
def test_planted_fault_an_energy_without_its_hessian(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    def cut(self: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        return value_and_gradient(self.energy, x.detach())

    monkeypatch.setattr(Unrolled, "value_and_gradient", cut)
    assert _largest_difference("start", kind) > 1e-2


def test_planted_fault_gradients_of_the_statistics_cut_from_the_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gradients, jet = MassBarrier.gradients, MassBarrier.jet
    monkeypatch.setattr(
        MassBarrier, "gradients", lambda self, x: tuple(part.detach() for part in gradients(self, x))
    )

    def cut(self: MassBarrier, x: Tensor) -> StatisticsJet:
        found = jet(self, x)
        return found._replace(gradient=found.gradient.detach())

    monkeypatch.setattr(MassBarrier, "jet", cut)
    for kind in ("drift", "step", "penalty"):
        assert _largest_difference("start", kind) > 1e-3


# ---------------------------------------------------------------- the example


def test_the_example_meets_its_target() -> None:
    path = Path(__file__).parents[2] / "examples" / "tune_penalty.py"
    example = runpy.run_path(str(path))
    lines: list[str] = []
    tuned = example["tune"](target=0.03, iterations=4, particles=2000, steps=40, show=lines.append)
    assert 0.5 < tuned.weight < 10 and abs(tuned.fraction - 0.03) <= 0.003
    assert abs(tuned.fresh_fraction - tuned.fraction) < 4 * (2 * 0.03 * 0.97 / 2000) ** 0.5
    assert lines[0].startswith(" 1  weight   1.000") and lines[-1].startswith("target 0.0300: weight")
