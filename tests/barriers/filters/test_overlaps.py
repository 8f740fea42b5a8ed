"""The means of products of gradients, particle by particle and as one product of matrices."""

import pytest
import torch
from torch import Tensor

from barriers.filters import ensemble, whole
from barriers.filters.whole import HERE, overlaps

F64 = torch.float64
SHAPES = [(50, 3, 2, 2), (3, 40, 2, 5, 3), (1, 30, 1, 4, 1)]
"""Clouds, if any, n, k, l, d."""


def drawn(shape: tuple[int, ...], dtype: torch.dtype = F64) -> tuple[Tensor, Tensor]:
    *clouds, n, k, l_, d = shape
    generator = torch.Generator().manual_seed(5)
    a = torch.randn(*clouds, n, k, d, generator=generator, dtype=dtype)
    return a, torch.randn(*clouds, n, l_, d, generator=generator, dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("at_once", [0, 1 << 18])
def test_overlaps_are_those_of_the_definition(
    shape: tuple[int, ...], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "AT_ONCE", at_once)
    for dtype in (torch.float32, F64):
        a, b = drawn(shape, dtype)
        expected = torch.einsum("...nkd,...nld->...kl", a.double(), b.double()) / a.shape[-3]
        assert torch.allclose(overlaps(HERE, a, b), expected, atol=1e-6 if dtype != F64 else 1e-14)


def test_one_product_of_matrices_has_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "AT_ONCE", 0)
    a, b = (x.requires_grad_() for x in drawn((4, 2, 3, 2)))
    assert torch.autograd.gradcheck(lambda a, b: overlaps(HERE, a, b), [a, b])


def test_a_sum_taken_for_a_mean_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "AT_ONCE", 0)
    honest = whole.rows_products
    monkeypatch.setattr(whole, "rows_products", lambda a, b: honest(a, b) * a.shape[2])
    a, b = drawn(SHAPES[0])
    expected = torch.einsum("nkd,nld->kl", a, b) / 50
    assert not torch.allclose(overlaps(HERE, a, b), expected, atol=1e-3)


@pytest.mark.parametrize("few", [0, 1 << 15])
def test_the_products_of_the_drift_filter_are_those_of_the_definition(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "FEW", few)
    g, v = drawn((50, 3, 1, 2))
    along, gram = ensemble._products(g, v[:, 0])
    assert torch.allclose(along, torch.einsum("nkd,nd->k", g, v[:, 0]) / 50, atol=1e-14)
    assert torch.allclose(gram, torch.einsum("nkd,nld->kl", g, g) / 50, atol=1e-14)
    inputs = [x[:4].requires_grad_() for x in (g, v[:, 0])]
    assert torch.autograd.gradcheck(ensemble._products, inputs)
