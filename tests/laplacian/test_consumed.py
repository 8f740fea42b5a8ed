"""An activation that may overwrite its argument has the values and slopes of the one that may not."""

import pytest
import torch

from lem_safe.laplacian.elementwise import ELEMENTWISE, Elementwise


@pytest.mark.parametrize("function", ELEMENTWISE.values(), ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_consumed_has_the_values_and_slopes(function: Elementwise, dtype: torch.dtype) -> None:
    largest = torch.finfo(dtype).max / 4
    ends = torch.tensor([-largest, -1e-30, 0.0, 1e-30, largest], dtype=dtype)
    h = torch.cat([torch.linspace(-40, 40, 4001, dtype=dtype), ends])
    a, slope = function.consumed(h.clone())
    exactly, bends = function.value_and_slope(h.double())
    ulp = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(a.double(), exactly, rtol=ulp, atol=40 * ulp)
    torch.testing.assert_close(slope.double(), bends, rtol=ulp, atol=40 * ulp)


@pytest.mark.parametrize("function", ELEMENTWISE.values(), ids=lambda f: type(f).__name__)
def test_backward_takes_the_slope(function: Elementwise) -> None:
    h = torch.linspace(-20, 20, 401, dtype=torch.float64)
    γ = torch.linspace(1, 3, 401, dtype=torch.float64)
    a, slope = function.value_and_slope(h)
    torch.testing.assert_close(function.backward(γ, h, a), γ * slope, rtol=1e-12, atol=1e-12)
