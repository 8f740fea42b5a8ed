"""Products of rows with weights, by torch's operators and by oneDNN's: the same numbers, the same bits in any
number of rows, and derivatives wherever one is taken.
"""

import math

import pytest
import torch
from torch import Tensor

from barriers import products as module
from barriers.products import LEAST, LONGEST, TORCH, OneDNN, products
from lem_safe.energies.mlp import MLP, Network, Residual
from lem_safe.energies.network import Trainable

LINEAR = (
    getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None
)
has_onednn = pytest.mark.skipif(LINEAR is None, reason="torch was built without oneDNN")
SHAPES = [(3, 5, 2), (64, 128, 128), (500, 100, 90), (2048, 32, 64), (257, 256, 33), (40, 784, 256)]


def drawn(n: int, k: int, w: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Rows [n, k] and [n, w], weights [w, k], offsets [w], and a stream [n, k]."""
    g = torch.Generator().manual_seed(seed)
    sizes = [(n, k), (n, w), (w, k), (w,), (n, k)]
    x, δ, W, b, u = (torch.randn(size, generator=g) for size in sizes)
    return x, δ, W / k**0.5, b, u


@has_onednn
@pytest.mark.parametrize(("n", "k", "w"), SHAPES)
def test_onednn_gives_the_products(n: int, k: int, w: int) -> None:
    x, δ, W, b, u = drawn(n, k, w)
    ours = OneDNN(LINEAR)
    for found, exact in [
        (ours.affine(b, x, W), x.double() @ W.double().T + b.double()),
        (ours.times(δ, W), δ.double() @ W.double()),
        (ours.plus(u, δ, W), u.double() + δ.double() @ W.double()),
    ]:
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)


@has_onednn
@pytest.mark.parametrize("k", [16, 100, LONGEST, 256, 784])
@pytest.mark.parametrize("w", [33, 128, 256])
def test_a_row_has_the_same_bits_in_a_small_cloud_and_in_a_large_one(k: int, w: int) -> None:
    """Small products are torch's, large ones oneDNN's where both sum alike; long sums are always oneDNN's."""
    if not isinstance(module._here(), OneDNN):
        pytest.skip("this processor's products are all torch's")
    x, _, W, b, _ = drawn(4000, k, w)
    whole = products(x, W).affine(b, x, W)
    assert len(x) * W.numel() >= LEAST
    for n in (16, 20, 64, 129, 1000):
        assert torch.equal(products(x[:n], W).affine(b, x[:n], W), whole[:n]), n


@pytest.mark.parametrize("what", ["rows", "weights"])
def test_derivatives_flow_wherever_one_is_taken(what: str) -> None:
    x, _, W, b, _ = drawn(600, 128, 128)
    (x if what == "rows" else W).requires_grad_()
    assert products(x, W, b) is TORCH
    products(x, W, b).affine(b, x, W).sum().backward()
    if what == "rows":
        torch.testing.assert_close(x.grad, W.sum(0).expand_as(x), rtol=1e-4, atol=1e-4)
    else:
        torch.testing.assert_close(W.grad, x.sum(0).expand_as(W), rtol=1e-4, atol=1e-3)


def test_forward_mode_and_transforms_have_torchs_products() -> None:
    x, _, W, b, _ = drawn(600, 128, 128)

    def f(z: Tensor) -> Tensor:
        return products(z, W).affine(b, z, W)

    t = torch.ones_like(x)
    with torch.no_grad():
        _, along = torch.func.jvp(f, (x,), (t,))
    torch.testing.assert_close(along, t @ W.T)
    each = torch.func.vmap(lambda z: f(z[None])[0])(x)
    torch.testing.assert_close(each, x @ W.T + b, rtol=1e-5, atol=1e-5)


NETWORKS = pytest.mark.parametrize("network", [MLP(hidden=128), Residual(hidden=128)])


def built(network: Network) -> tuple[Trainable, Tensor]:
    """An energy whose products are oneDNN's where it is there, and rows for it."""
    energy = network.build(2, torch.Generator().manual_seed(0)).requires_grad_(False)
    return energy, torch.randn(600, 2, generator=torch.Generator().manual_seed(1))


@NETWORKS
@pytest.mark.parametrize("how", ["exported", "traced"])
def test_what_is_exported_or_traced_has_torchs_products(how: str, network: Network) -> None:
    energy, x = built(network)
    with torch.no_grad():
        if how == "exported":
            made = torch.export.export(energy, (x,)).module()
        else:
            made = torch.jit.trace(energy, (x,), check_trace=False)
        assert "_linear_pointwise" not in str(made.graph)
        torch.testing.assert_close(made(x), energy(x), rtol=1e-5, atol=1e-5)


@pytest.mark.simulation  # there calls are not wrapped by checks of their shapes, which cannot be compiled
@NETWORKS
def test_what_is_compiled_has_torchs_products(network: Network) -> None:
    energy, x = built(network)
    if hasattr(type(energy).forward, "__wrapped__"):
        pytest.skip("the checks of shapes cannot be compiled; see tests/gate.py")
    torch._dynamo.reset()
    with torch.no_grad():
        made = torch.compile(energy, fullgraph=True, backend="eager")
        torch.testing.assert_close(made(x), energy(x), rtol=1e-5, atol=1e-5)


def test_one_layer_alone_can_be_trained() -> None:
    energy, x = built(MLP(hidden=128))
    middle = energy.trunk.matrices[1].requires_grad_()
    energy(x).sum().backward()
    with torch.no_grad():
        before, h = energy(x).double().sum(), 1e-2
        middle += h * middle.grad / middle.grad.norm()
        along = (energy(x).double().sum() - before) / h
    torch.testing.assert_close(along.float(), middle.grad.norm(), rtol=0.02, atol=0.0)


@has_onednn
@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_and_none(n: int) -> None:
    x, δ, W, b, u = drawn(n, 256, 256)
    ours = OneDNN(LINEAR)
    torch.testing.assert_close(ours.affine(b, x, W), x @ W.T + b, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.times(δ, W), δ @ W, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.plus(u, δ, W), u + δ @ W, rtol=1e-4, atol=1e-4)


@has_onednn
def test_any_layout_and_rows_that_are_not_finite() -> None:
    _, _, W, b, _ = drawn(0, 256, 64)
    ours, g = OneDNN(LINEAR), torch.Generator().manual_seed(0)
    for x in (
        torch.randn(256, 900, generator=g).T,
        torch.randn(1, 256, generator=g).expand(900, 256),
        torch.randn(1800, 512, generator=g)[::2, ::2],
        torch.randn(900 * 256 + 1, generator=g)[1:].view(900, 256),
    ):
        torch.testing.assert_close(ours.affine(b, x, W), x @ W.T + b, rtol=1e-4, atol=1e-4)
    x = torch.randn(900, 256, generator=g)
    for b in (torch.randn(128, generator=g)[::2], torch.ones(1).expand(64), torch.ones(64, 3)[:, 1]):
        torch.testing.assert_close(ours.affine(b, x, W), x @ W.T + b, rtol=1e-4, atol=1e-4)
    for W in (torch.randn(128, 512, generator=g)[::2, ::2], torch.randn(64, 300, generator=g)[:, :256]):
        torch.testing.assert_close(ours.times(x, W.T), x @ W.T, rtol=1e-4, atol=1e-4)
    u = torch.randn(64, 900, generator=g).T
    for stream in (u, u[:, :1].expand(900, 64), torch.randn(1800, 128, generator=g)[::2, ::2]):
        torch.testing.assert_close(ours.plus(stream, x, W.T), stream + x @ W.T, rtol=1e-4, atol=1e-4)
    x[5, 3], x[7, 0] = math.nan, math.inf
    assert (~ours.affine(b, x, W).isfinite()).any(1).nonzero()[:, 0].tolist() == [5, 7]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes_have_torchs_products(dtype: torch.dtype) -> None:
    x, _, W, _, _ = drawn(600, 128, 128)
    assert products(x.to(dtype), W.to(dtype)) is TORCH


@pytest.mark.parametrize("missing", ["oneDNN", "MKL", "operator", "maker"])
def test_torchs_products_where_onednn_is_not_there_or_not_faster(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "maker":
        monkeypatch.setattr(module, "maker", lambda: "GenuineIntel")
    elif missing == "operator":
        monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", None, raising=False)
    else:
        backend = torch.backends.mkldnn if missing == "oneDNN" else torch.backends.mkl
        monkeypatch.setattr(backend, "is_available", lambda: False)
    module._here.cache_clear()
    try:
        x, _, W, _, _ = drawn(600, 128, 128)
        assert products(x, W) is TORCH
    finally:
        module._here.cache_clear()
