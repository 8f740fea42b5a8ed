"""The forward Laplacian layer by layer, what it refuses, and the estimate that takes over where it costs too
much.
"""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from barriers.derivatives import autodiff_jet
from lem_safe.energies import MLP, NETWORKS, Convolutional, Gaussian, Network, Tempered, WeightedSum
from lem_safe.energies.network import NetworkEnergy
from lem_safe.laplacian import (
    ELEMENTWISE,
    EXACT_UP_TO,
    RULES,
    Hutchinson,
    Residual,
    Sum,
    Total,
    estimator,
    forward_laplacian,
    linearize,
)
from lem_safe.laplacian.rules import Affine
from lem_safe.training import Implicit

F64 = torch.float64


def wide(layer: nn.Module) -> nn.Module:
    """The layer in float64, its weights three times as large as torch makes them, from a seed."""
    generator = torch.Generator().manual_seed(1)
    layer = layer.double()
    for p in layer.parameters():
        p.data = 3 * (2 * torch.rand(p.shape, generator=generator, dtype=F64) - 1) * p[0].numel() ** -0.5
    return layer


BEND = nn.Sequential(nn.Linear(12, 12), nn.SiLU())
"""Before every layer, so that it is met with a Jacobian and a Laplacian of its own."""

LAYERS: dict[str, nn.Module] = {
    "Linear": nn.Linear(12, 5),
    "Linear without bias": nn.Linear(12, 5, bias=False),
    **{kind.__name__: kind() for kind in ELEMENTWISE},
    "Conv2d": nn.Sequential(nn.Unflatten(1, (1, 4, 3)), nn.Conv2d(1, 3, 3, padding=1)),
    "Conv2d strided, dilated, in groups": nn.Sequential(
        nn.Unflatten(1, (2, 6, 1)),
        nn.Conv2d(2, 4, (3, 1), stride=(2, 1), padding=(2, 0), dilation=(2, 1), groups=2),
    ),
    "AvgPool2d": nn.Sequential(nn.Unflatten(1, (1, 4, 3)), nn.AvgPool2d(2)),
    "AvgPool2d overlapping, padded": nn.Sequential(
        nn.Unflatten(1, (1, 4, 3)), nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    ),
    "Flatten": nn.Sequential(nn.Unflatten(1, (3, 2, 2)), nn.Flatten()),
    "Residual": Residual(nn.Sequential(nn.Linear(12, 12), nn.Tanh())),
    "Sum": Sum([nn.Linear(12, 4), nn.Sequential(nn.Linear(12, 4), nn.Softplus()), nn.Linear(12, 4)]),
}


def closed(layer: nn.Module) -> nn.Sequential:
    return wide(nn.Sequential(BEND, layer, nn.Flatten(), nn.Tanh(), Total()))


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_is_exact(name):
    """Value, Jacobian and trace against d backward passes, to 1e-10; the adjoint too, recorded and not."""
    net, x = closed(LAYERS[name]), torch.randn(6, 12, generator=torch.Generator().manual_seed(0), dtype=F64)
    jet = autodiff_jet(net, x)
    found = forward_laplacian(net, x, torch.eye(12, dtype=F64)[None])
    for part, expected in zip((found.value, found.jacobian, found.laplacian), jet, strict=True):
        torch.testing.assert_close(part, expected, rtol=1e-10, atol=1e-10)
    for mode in (torch.enable_grad, torch.no_grad):
        with mode():
            value, pull = linearize(net, x)
            torch.testing.assert_close(pull(torch.ones_like(value)), jet.gradient, rtol=1e-10, atol=1e-10)
    assert float(jet.laplacian.detach().abs().max()) > 1e-3


def test_every_rule_has_a_layer_here():
    met = {type(part) for layer in LAYERS.values() for part in closed(layer).modules()}
    assert set(RULES) <= met


@pytest.mark.parametrize("name", ["Conv2d", "Residual", "Sum", "Softplus", "GELU"])
def test_the_trace_is_differentiable_in_the_parameters(name):
    """gradcheck: what implicit score matching descends is the derivative of the trace itself."""
    net, x = closed(LAYERS[name]), torch.randn(2, 12, generator=torch.Generator().manual_seed(0), dtype=F64)

    class Trace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> Tensor:
            return forward_laplacian(self.net, x, torch.eye(12, dtype=F64)[None]).laplacian

    trace = Trace()
    named = {name: p for name, p in trace.named_parameters() if p.numel() <= 48}
    names = tuple(named)
    assert torch.autograd.gradcheck(
        lambda *p: functional_call(trace, dict(zip(names, p, strict=True)), (x,)),
        tuple(named.values()),
        atol=1e-7,
    )


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.ReLU(), "no rule for ReLU; known: AvgPool2d"),
        (nn.MaxPool2d(2), "no rule for MaxPool2d"),
        (nn.Softplus(beta=2), "must be Softplus(beta=1.0, threshold=20.0)"),
        (nn.GELU(approximate="tanh"), "must be GELU(approximate='none')"),
        (nn.Conv2d(1, 1, 3, padding="same"), "must pad with a number of zeros; got 'same'"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), "circular"),
    ],
)
def test_what_is_not_smooth_or_not_known_is_refused(layer, message):
    """A kink would hide curvature without a word."""
    x = torch.randn(2, 1, 4, 4)
    with pytest.raises(ValueError) as caught:
        forward_laplacian(layer, x, torch.eye(16).view(1, 16, 1, 4, 4))
    assert message in str(caught.value)


def networks() -> dict[str, Network]:
    made: dict[str, Network] = {}
    for kind, cls in NETWORKS.items():
        fields = {name: value for name, value in cls.example.items() if name != "kind"}
        if isinstance(fields.get("network"), dict):
            fields["network"] = MLP(hidden=16, depth=2)
        made[kind] = cls(**fields)
    return made


def built(network: Network) -> NetworkEnergy:
    columns = network.columns if isinstance(network, Convolutional) else 6
    energy = network.build(columns, torch.Generator().manual_seed(0))
    assert isinstance(energy, NetworkEnergy)
    return energy


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_network_is_exact(kind):
    """Value, gradient, trace and trace along directions, recorded (training) and not (sampling), against d
    backward passes.
    """
    energy = built(networks()[kind]).double()
    d = energy.dimension
    x = 2 * torch.randn(5, d, generator=torch.Generator().manual_seed(0), dtype=F64)
    V = torch.randn(d, 3, generator=torch.Generator().manual_seed(1), dtype=F64)
    jet = autodiff_jet(energy, x)
    along = autodiff_jet(lambda y: energy(x + y @ V.T), torch.zeros(5, 3, dtype=F64)).laplacian
    torch.testing.assert_close(energy.value_and_gradient(x)[0], jet.value, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(energy.value_and_gradient(x)[1], jet.gradient, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(energy.gradient(x), jet.gradient, rtol=1e-10, atol=1e-10)
    for mode in (torch.enable_grad, torch.no_grad):
        with mode():
            torch.testing.assert_close(energy.laplacian(x), jet.laplacian, rtol=1e-10, atol=1e-10)
            torch.testing.assert_close(energy.laplacian(x, V), along, rtol=1e-10, atol=1e-10)
    assert energy.laplacian_method == "exact"


@pytest.mark.parametrize("kind", NETWORKS)
def test_sampling_computes_no_parameter_gradient(kind):
    """Nothing is saved for a backward pass and nothing comes back with a graph, even where the parameters
    were left trainable.
    """
    energy, saved = built(networks()[kind]), []
    x = torch.randn(5, energy.dimension, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert any(p.requires_grad for p in energy.parameters())
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        value, gradient = energy.value_and_gradient(x)
        assert not saved
        energy.gradient(x).sum().backward()
        assert saved  # the check sees what training saves
    assert not value.requires_grad and not gradient.requires_grad


@pytest.mark.parametrize("kind", NETWORKS)
def test_implicit_score_matching_descends_the_exact_trace(kind):
    """The parameter gradient of E[½‖∇U‖² − ΔU] is that of the same loss written with autograd alone."""
    energy = built(networks()[kind]).double()
    z = torch.randn(4, energy.dimension, generator=torch.Generator().manual_seed(2), dtype=F64)
    Implicit(0.0)(energy, z, torch.Generator()).backward()
    found = [p.grad.clone() for p in energy.parameters() if p.grad is not None]
    energy.zero_grad()
    x = z.clone().requires_grad_()
    (g,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
    trace = sum(torch.autograd.grad(g[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(x.shape[1]))
    (0.5 * g.square().sum(1) - trace).mean().backward()
    expected = [p.grad for p in energy.parameters() if p.grad is not None and bool((p.grad != 0).any())]
    found = [g for g in found if bool((g != 0).any())]
    assert len(found) == len(expected) > 1
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-10)


def test_the_estimate_is_exact_for_a_diagonal_hessian():
    """v_i² = 1, so that without off-diagonal entries one probe is enough."""
    k = torch.tensor([1.0, 2.0, 5.0], dtype=F64)
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    found = Hutchinson(1).laplacian(lambda y: (k * y**3).sum(1), x, None, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, (6 * k * x).sum(1))


def test_the_method_is_chosen_by_dimension_and_stated():
    assert estimator(EXACT_UP_TO) is None
    assert (
        str(estimator(EXACT_UP_TO + 1)) == "Hutchinson, 32 probes"
        and str(Hutchinson(1)) == "Hutchinson, 1 probe"
    )
    small, large = MLP(hidden=4, depth=1), MLP(hidden=4, depth=1)
    exact, estimated = (
        net.build(d, torch.Generator().manual_seed(0))
        for net, d in ((small, EXACT_UP_TO), (large, EXACT_UP_TO + 1))
    )
    assert exact.laplacian_method == "exact"
    composed = Tempered(WeightedSum([estimated, Gaussian([0.0] * (EXACT_UP_TO + 1), 1.0)]), 2.0)
    assert estimated.laplacian_method == composed.laplacian_method == "Hutchinson, 32 probes"


def test_beyond_the_limit_a_network_estimates():
    """Within 5 standard errors of the exact trace (from two halves of the directions, each below the limit),
    and the same every time.
    """
    d, n = EXACT_UP_TO + 76, 60
    energy = (
        MLP(hidden=8, depth=2, confinement=1e-3)
        .build(d, torch.Generator().manual_seed(0))
        .double()
        .requires_grad_(False)
    )
    with torch.no_grad():
        energy.trunk.matrices[0].mul_(20)
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(1), dtype=F64) / 10
    identity = torch.eye(d, dtype=F64)
    halves = [energy.laplacian(x, identity[:, part]) for part in (slice(0, 600), slice(600, d))]
    found, error = energy.laplacian(x), energy.laplacian(x) - sum(halves)
    assert torch.equal(found, energy.laplacian(x))
    assert abs(float(error.mean())) < 5 * float(error.std()) / n**0.5
    assert 0 < float(error.std()) < 0.5 * float(sum(halves).abs().mean())


def test_a_user_can_carry_a_layer_of_their_own(monkeypatch):
    """A new type of layer is one class and one line of the table; without the line it is refused."""

    class Doubled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

    class DoubledRule(Affine):
        def apply(self, layer: Doubled, x: Tensor) -> Tensor:
            return 2 * x

        def transposed(self, layer: Doubled, δ: Tensor, x: Tensor) -> Tensor:
            return 2 * δ

    net, x = nn.Sequential(Doubled(), nn.Tanh(), Total()), torch.tensor([[0.3, -0.4]], dtype=F64)
    with pytest.raises(ValueError, match="no rule for Doubled"):
        forward_laplacian(net, x, torch.eye(2, dtype=F64)[None])
    monkeypatch.setitem(RULES, Doubled, DoubledRule())
    t = torch.tanh(2 * x)
    found = forward_laplacian(net, x, torch.eye(2, dtype=F64)[None]).laplacian
    torch.testing.assert_close(found, (-8 * t * (1 - t * t)).sum(1))
