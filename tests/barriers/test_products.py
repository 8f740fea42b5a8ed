"""Products of rows with weights, by torch's operators and by oneDNN's: the same numbers, the same bits in any
number of rows, and derivatives wherever one is taken.
"""

import pytest
import torch
from torch import Tensor

from barriers import products as module
from barriers.products import LEAST, LONGEST, TORCH, OneDNN, products

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
