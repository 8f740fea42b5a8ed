"""Networks: trunks against their formulas, Fourier features and their frequencies, confinement, and files old
and new.
"""

import math

import pytest
import torch

from lem_safe.energies import MLP, Fourier, NetworkEnergy, Residual
from lem_safe.energies.fourier import FourierTrunk
from lem_safe.energies.trunk import Perceptron, Traced, Trunk
from lem_safe.errors import BadInput
from lem_safe.registry import make
from lem_safe.training import Denoising, Trained, TrainingSettings, load_energy
from lem_safe.training.checkpoint import describe, network_of

F64 = torch.float64
X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
KINDS = [MLP(8, 2), Residual(8, 2), Fourier(4, 2.0, MLP(8, 2)), Fourier(4, 2.0, Residual(8, 2, "softplus"))]


def built(settings, dimension: int = 3, seed: int = 0) -> NetworkEnergy:
    return settings.build(dimension, torch.Generator().manual_seed(seed)).requires_grad_(False)


def test_residual_is_its_formula():
    """u ← u + R a(Wu + b), read out by w, typed again with Python floats."""
    energy = built(Residual(hidden=4, depth=2, activation="tanh", confinement=0.5))
    t = {name: value.double() for name, value in energy.trunk.state_dict().items()}
    for x in X[:5]:
        u = t["entry"] @ x + t["offset"]
        for k in range(2):
            h = t[f"matrices.{k}"] @ u + t[f"biases.{k}"]
            u = u + t[f"returns.{k}"] @ torch.tensor([math.tanh(v) for v in h.tolist()], dtype=F64)
        expected = float(t["readout"] @ u + 0.25 * x @ x)
        assert math.isclose(float(energy(x[None])), expected, rel_tol=1e-12)


class Last(Trunk):
    """The last input alone: with Fourier features, sin(bx)."""

    def __init__(self, inputs: int):
        super().__init__()
        self.inputs = self.widest = inputs

    def forward(self, x):
        return x[:, -1]

    def sweep(self, x):
        return self(x), self.gradient(x)

    def gradient(self, x):
        return torch.eye(self.inputs, dtype=x.dtype)[-1].expand_as(x)

    def trace(self, x, J, room=None):
        return Traced(self.gradient(x), x.new_zeros(len(x)))


def test_one_sine():
    """f = sin(b·x): ∇f = b cos(b·x), Δf = −‖b‖² sin(b·x), and along V only what V sees of b."""
    b = torch.tensor([[0.7, -1.1, 0.4]], dtype=F64)
    trunk, angle = FourierTrunk(Last(5), b), X @ b[0]
    torch.testing.assert_close(trunk(X), angle.sin())
    torch.testing.assert_close(trunk.gradient(X), b * angle.cos()[:, None])
    for V in (torch.eye(3, dtype=F64), X[:3, :2]):
        found = trunk.trace(X, V.T[None])
        torch.testing.assert_close(found.trace, -(b @ V).square().sum() * angle.sin())
        torch.testing.assert_close(found.gradient, trunk.sweep(X)[1])
    with pytest.raises(ValueError, match="inner must take 5 inputs; it takes 4"):
        FourierTrunk(Last(4), b)


def test_frequencies_come_from_the_seed_with_the_bandwidth():
    wide = Fourier(count=5000, bandwidth=2.5, network=MLP(4, 1))
    B = built(wide, 2).trunk.frequencies
    assert abs(float(B.std()) - 2.5) < 4 * 2.5 / math.sqrt(2 * B.numel())
    assert torch.equal(B, built(wide, 2).trunk.frequencies)
    assert not torch.equal(B, built(wide, 2, seed=1).trunk.frequencies)
    energy = Fourier(4).build(2, torch.Generator().manual_seed(0))
    assert "trunk.frequencies" in energy.state_dict() and "trunk.frequencies" not in dict(
        energy.named_parameters()
    )


@pytest.mark.parametrize("settings", KINDS, ids=lambda s: s.kind)
def test_every_network_is_confined(settings):
    """Far out U grows like ½κr², whatever the weights (E.4): every trunk is Lipschitz."""
    energy = built(settings)
    assert ((energy(1e6 * torch.nn.functional.normalize(X)) / (0.05 * 1e12) - 1).abs() < 1e-3).all()


@pytest.mark.parametrize("settings", KINDS, ids=lambda s: s.kind)
def test_the_laplacian_trains(settings):
    """Its derivative in a parameter, by differences: implicit score matching can use the exact trace."""
    energy = settings.build(3, torch.Generator().manual_seed(0)).double()
    energy.laplacian(X).sum().backward()
    for name in ("readout", "matrices.0"):
        p = next(p for n, p in energy.named_parameters() if n.endswith(name))
        assert p.grad is not None
        flat, analytic, step = p.detach().view(-1), float(p.grad.reshape(-1)[1]), 1e-5
        values = []
        for sign in (1, -1):
            flat[1] += sign * step
            values.append(float(energy.laplacian(X).sum().detach()))
            flat[1] -= sign * step
        assert math.isclose((values[0] - values[1]) / (2 * step), analytic, rel_tol=1e-5, abs_tol=1e-7)


def test_hidden_blocks_are_worked_through_in_parts(monkeypatch):
    from lem_safe.energies import network

    for settings in KINDS:
        energy = built(settings)
        whole = energy.laplacian(X)
        monkeypatch.setattr(network, "CACHED", 100)
        torch.testing.assert_close(energy.laplacian(X), whole)
        monkeypatch.undo()


@pytest.mark.parametrize("settings", KINDS, ids=lambda s: s.kind)
def test_networks_come_back_from_files(settings, tmp_path):
    """Kind, nested kind, weights and frequencies: the same values and gradients, and settings equal to what
    was written.
    """
    from lem_safe.data.distributions import EightGaussians

    assert network_of(describe(settings, settings.kind)) == settings
    trained = Trained(
        EightGaussians(samples=300), settings, Denoising(0.3), TrainingSettings(steps=5, batch_size=32)
    )
    energy, _ = trained.load_or_train(0, tmp_path)
    again = load_energy(trained.path(0, tmp_path)).energy
    for a, b in zip(energy.value_and_gradient(X[:, :2]), again.value_and_gradient(X[:, :2]), strict=True):
        assert torch.equal(a, b)


def test_a_file_from_before_trunks_loads(tmp_path):
    """Layers used to lie beside `center`; such a file is read as what it is, and one without a layer is
    refused.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    from lem_safe.data.distributions import EightGaussians

    trained = Trained(
        EightGaussians(samples=300), MLP(8, 2), Denoising(0.3), TrainingSettings(steps=5, batch_size=32)
    )
    energy, _ = trained.load_or_train(0, tmp_path)
    with safe_open(trained.path(0, tmp_path), framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    old = {name.replace("inner.trunk.", "inner."): value for name, value in tensors.items()}
    assert "inner.readout" in old
    save_file(old, tmp_path / "old.safetensors", metadata)
    x = X[:, :2]
    assert torch.equal(load_energy(tmp_path / "old.safetensors").energy(x), energy(x))
    del old["inner.readout"]
    save_file(old, tmp_path / "partial.safetensors", metadata)
    with pytest.raises(BadInput, match="does not hold what its metadata promise"):
        load_energy(tmp_path / "partial.safetensors")


def test_networks_of_a_scenario():
    made = make("networks", {"kind": "fourier", "count": 6, "network": {"kind": "residual", "hidden": 10}})
    assert made == Fourier(6, 4.0, Residual(hidden=10))
    assert isinstance(built(MLP(8, 2)).trunk, Perceptron)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Residual(confinement=0.0), "Residual: confinement must be > 0"),
        (lambda: Residual(depth=0), "Residual: hidden and depth must be >= 1; got 64 and 0"),
        (lambda: Fourier(bandwidth=0.0), "Fourier: bandwidth must be > 0"),
        (lambda: Fourier(count=0), "Fourier: count must be >= 1; got 0"),
        (lambda: Fourier(network=Fourier()), "Fourier: network must be mlp or residual; got fourier"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)
