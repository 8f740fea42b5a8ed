"""torch.func and torch.compile: energies give the derivatives and values they give without, filters the
derivative of one application or a refusal by name, and nothing a derivative that is silently zero.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from exported_models import made, save
from set_examples import columns
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacrev, jvp, vmap

import lem_safe
from barriers.coordinates import identity
from barriers.derivatives import NotDifferentiable
from barriers.filters import FILTERS
from barriers.sets import SETS, build_sets, pull
from barriers.specification import construct
from lem_safe.checkpoints import Exported
from lem_safe.energies import ENERGIES, MLP, Energy, Fourier, GaussianMixture, Residual, Unrolled
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.registry import make
from lem_safe.registry.making import MAKERS
from lem_safe.samplers import SAMPLERS

F64 = torch.float64


def from_table(kind: str) -> Energy:
    def build(spec: Any) -> Energy:
        return construct(
            ENERGIES[spec["kind"]].constructor, spec, nested={Energy: lambda s, _: build(s)}, context={}
        )

    return build(ENERGIES[kind].example).double()


def network(settings: Any) -> Energy:
    return settings.build(2, torch.Generator().manual_seed(3)).requires_grad_(False)


def own() -> Energy:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    energy = lem_safe.energy(lambda x: net(x).squeeze(-1) + x.square().sum(-1))
    energy(torch.zeros(4, 2, dtype=F64) + torch.arange(4)[:, None])
    return energy


CASES: dict[str, Callable[[], Energy]] = {
    **{kind: (lambda kind=kind: from_table(kind)) for kind in ENERGIES},
    "mlp": lambda: network(MLP(12, 2)),
    "residual": lambda: network(Residual(12, 2, "tanh")),
    "fourier": lambda: network(Fourier(6, 1.5, MLP(12, 2, "softplus"))),
    "own": own,
    "unrolled": lambda: Unrolled(from_table("gaussian_mixture")),
}


@pytest.fixture(scope="module", params=[*CASES, "exported"])
def energy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Energy:
    if request.param != "exported":
        return CASES[request.param]()
    path: Path = save(made("residual"), tmp_path_factory.mktemp("model") / "model.pt2")
    return Exported(path).load()


def rows(seed: int = 0, n: int = 12, d: int = 2) -> Tensor:
    return 1.3 * torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64)


def one(energy: Energy) -> Callable[[Tensor], Tensor]:
    """U of one particle."""
    return lambda row: energy(row[None])[0]


def test_transforms_of_an_energy_are_its_derivatives(energy: Energy) -> None:
    x, v = rows(), rows(1)
    U, gradient = (part.detach() for part in energy.value_and_gradient(x))
    near = {"rtol": 1e-6, "atol": 1e-9}
    torch.testing.assert_close(grad(lambda y: energy(y).sum())(x), gradient, **near)
    torch.testing.assert_close(vmap(one(energy))(x), U, **near)
    torch.testing.assert_close(vmap(grad(one(energy)))(x), gradient, **near)
    torch.testing.assert_close(jvp(energy, (x,), (v,))[1], (gradient * v).sum(1), **near)
    bends = vmap(hessian(one(energy)))(x).diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(bends, energy.laplacian(x).detach(), **near)


def unchecked(energy: Energy) -> None:
    """Skips where every call's shapes are checked, which torch.compile cannot trace."""
    if hasattr(type(energy).forward, "__wrapped__"):
        pytest.skip("the checks of shapes cannot be compiled; see tests/gate.py")
    torch._dynamo.reset()


@pytest.mark.simulation
def test_a_compiled_energy_has_the_same_values(energy: Energy) -> None:
    """With the backend that only traces: a compiler takes seconds per energy and changes rounding alone."""
    unchecked(energy)
    x = rows()
    compiled = torch.compile(energy, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), energy(x), rtol=1e-12, atol=1e-12)


@pytest.mark.simulation
@pytest.mark.parametrize("kind", ["gaussian_mixture", "own"])
def test_the_gradient_of_a_compiled_energy(kind: str) -> None:
    energy, x = CASES[kind](), rows().requires_grad_()
    unchecked(energy)
    (found,) = torch.autograd.grad(torch.compile(energy, backend="aot_eager")(x).sum(), x)
    torch.testing.assert_close(found, energy.value_and_gradient(x)[1], rtol=1e-9, atol=1e-9)


def test_a_first_call_inside_a_transform_is_refused_by_name() -> None:
    energy = lem_safe.energy(lambda x: x.square().sum(-1), name="bowl")
    x = rows()
    for transform in (
        lambda: grad(one(energy))(x[0]),
        lambda: vmap(one(energy))(x),
        lambda: jacrev(energy)(x),
        lambda: jvp(energy, (x,), (x,)),
    ):
        with pytest.raises(BadInput, match="energy bowl: is called for the first time inside a transform"):
            transform()
    energy(rows())
    assert torch.allclose(vmap(grad(one(energy)))(rows()), 2 * rows())


# ---------------------------------------------------------------- filters

H = 0.02
SPECS: dict[str, dict[str, Any]] = {
    **{kind: dict(entry.example) for kind, entry in FILTERS.items() if kind not in ("none", "chain", "tilt")},
    "tilt": {"kind": "tilt", "multipliers": [1.0]},
    "step, smoothed": {"kind": "step", "rate": 5.0, "smoothing": {"kind": "sigmoid", "width": 0.25}},
    "drift, smoothed": {"kind": "drift", "rate": 5.0, "smoothing": {"kind": "sigmoid", "width": 0.25}},
    "penalty, smoothed": {
        "kind": "penalty",
        "weight": 2.0,
        "smoothing": {"kind": "exponential", "width": 0.3},
    },
}
JUMPS = {"gate", "reject", "tilt", "step", "drift"}
"""What accepts or refuses whole moves, or searches for its multipliers: it has no derivative."""
BATCHES = {"penalty", "penalty, smoothed", "primal_dual"}
"""What computes the same whatever the values are, and so inside vmap."""


def made_filter(name: str, beta: float = 0.05) -> Any:
    ball = build_sets({"b": {"kind": "ball", "center": [0.5, 0.5], "radius": 0.9}}, ("x0", "x1"), MAKERS)["b"]
    context = {"sets": (pull(ball, identity(2, F64)),), "betas": (beta,), "step_size": H}
    return make("filters", SPECS[name], context=context)


def applied(name: str) -> Callable[[Tensor], Tensor]:
    """One application at a fixed cloud, as a function of where it wants to go."""
    chosen = made_filter(name)
    x = torch.tensor([-0.3, 0.3], dtype=F64) + 0.35 * rows(4, 15)
    memory = chosen.init(x)
    if FILTERS[SPECS[name]["kind"]].hook == "drift" or hasattr(chosen, "surrogate"):
        return lambda y: chosen.apply(x, y - x, memory)[0]
    uniforms = torch.rand(15, generator=torch.Generator().manual_seed(0), dtype=F64)
    return lambda y: chosen.apply(x, y, H, uniforms, memory)[0]


PROPOSAL = torch.tensor([0.05, 0.5], dtype=F64) + 0.35 * rows(4, 15)


def forward_mode(f: Callable[[Tensor], Tensor], y: Tensor, v: Tensor) -> Tensor:
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(f(forward_ad.make_dual(y, v))).tangent
        return torch.zeros_like(v) if tangent is None else tangent


@pytest.mark.parametrize("name", SPECS)
def test_a_filter_gives_the_derivative_or_refuses_by_name(name: str) -> None:
    f, v, c = applied(name), rows(6, 15), rows(7, 15)
    ways = {
        "grad": lambda: (grad(lambda y: (f(y) * c).sum())(PROPOSAL) * v).sum(),
        "jvp": lambda: (jvp(f, (PROPOSAL,), (v,))[1] * c).sum(),
        "forward": lambda: (forward_mode(f, PROPOSAL, v) * c).sum(),
    }
    if name in JUMPS:
        for way in ways.values():
            with pytest.raises(NotDifferentiable):
                way()
        return
    ε = 1e-6
    with torch.no_grad():
        assert not torch.equal(f(PROPOSAL), PROPOSAL)  # it has something to do
        difference = ((f(PROPOSAL + ε * v) - f(PROPOSAL - ε * v)) * c).sum() / (2 * ε)
    for way in ways.values():
        assert float(way()) == pytest.approx(float(difference), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", SPECS)
def test_a_filter_takes_a_batch_of_vmap_or_refuses_by_name(name: str) -> None:
    f, both = applied(name), torch.stack([PROPOSAL, PROPOSAL + 0.1])
    if name not in BATCHES:
        with pytest.raises(NotDifferentiable, match="vmap|searched"):
            vmap(f)(both)
    else:
        torch.testing.assert_close(vmap(f)(both), torch.stack([f(y) for y in both]))


@pytest.mark.parametrize("kind", sorted(SETS))
def test_the_jets_of_every_set_under_a_transform(kind: str) -> None:
    """A filter's derivative is made of these."""
    unsafe = build_sets({"example": dict(SETS[kind].example)}, columns(kind), MAKERS)["example"]
    d = len(columns(kind))
    x, v, ε = rows(8, d=d) + 0.05, rows(9, d=d), 1e-6

    def f(y: Tensor) -> Tensor:
        jet = unsafe.jet(y)
        return jet.value + jet.gradient.sum(1)

    with torch.no_grad():
        difference = (f(x + ε * v) - f(x - ε * v)) / (2 * ε)
    wrong = (jvp(f, (x,), (v,))[1] - difference).abs()
    assert int((wrong > 1e-4).sum()) <= 1  # one of twelve may sit on a kink


# ---------------------------------------------------------------- steps of samplers


@pytest.mark.parametrize("kind", ["langevin", "underdamped"])
def test_a_step_with_an_unrolled_energy(kind: str) -> None:
    mixture = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.6).double()
    sampler = SAMPLERS[kind].constructor(Unrolled(mixture), 0.05)
    plain = SAMPLERS[kind].constructor(mixture, 0.05)

    def f(x: Tensor) -> Tensor:
        return sampler.step(Key(1), sampler.init(x))[0].x

    x, v, ε = rows(), rows(1), 1e-6
    with torch.no_grad():
        difference = (f(x + ε * v) - f(x - ε * v)) / (2 * ε)
    torch.testing.assert_close(jvp(f, (x,), (v,))[1], difference, rtol=1e-4, atol=1e-6)
    expected = (difference * v).sum()
    assert torch.isclose((grad(lambda y: (f(y) * v).sum())(x) * v).sum(), expected, rtol=1e-4)
    for transform in (lambda g: jvp(g, (x,), (v,)), lambda g: grad(lambda y: g(y).sum())(x)):
        with pytest.raises(ValueError, match="wrap the energy in Unrolled"):
            transform(lambda y: plain.step(Key(1), plain.init(y))[0].x)


def test_a_metropolis_step_is_refused() -> None:
    mala = SAMPLERS["mala"].constructor(from_table("gaussian"), 0.05)
    x, v = rows(), rows(1)
    with pytest.raises(NotDifferentiable, match="mala"):
        jvp(lambda y: mala.step(Key(1), mala.init(y))[0].x, (x,), (v,))


def test_a_guard_is_refused_inside_a_transform_and_unharmed_by_that() -> None:
    guard = lem_safe.guard({"b": {"kind": "ball", "center": [0.5, 0.5], "radius": 0.9}}, beta=0.1)
    x = torch.tensor([-3.0, 0.0]) + 0.1 * rows().float()
    with pytest.raises(NotDifferentiable, match="keeps its state"):
        jvp(lambda y: guard(x, y), (x,), (x,))
    with pytest.raises(NotDifferentiable, match="keeps its state"):
        vmap(lambda y: guard(y, y))(x[None])
    assert torch.equal(guard(x, x), x)


def test_planted_fault_an_energy_that_cuts_its_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    energy = from_table("gaussian")
    monkeypatch.setattr(type(energy), "forward", lambda self, x: x.detach().square().sum(-1))
    with pytest.raises(AssertionError):
        test_transforms_of_an_energy_are_its_derivatives(energy)
