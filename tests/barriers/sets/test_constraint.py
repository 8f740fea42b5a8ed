"""A region given by a function of rows: by its sign, or by truth values."""

import pytest
import torch
from torch import nn

from barriers.derivatives import value_and_gradient
from barriers.sets import Ball, Constraint, NotSmooth
from barriers.sets.any_dtype import AnyDtype

X = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, 0.0]])


def level(x: torch.Tensor) -> torch.Tensor:
    return x.square().sum(-1, keepdim=True) - 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_its_sign_is_what_counts(dtype: torch.dtype) -> None:
    region, x = Constraint(level), X.to(dtype)
    assert region.contains(x).tolist() == [True, False, True]  # zero is inside
    assert region(x).dtype == dtype and region(x).tolist() == [-1.0, 3.0, 0.0]
    assert torch.equal(value_and_gradient(region, x)[1], 2 * x)
    assert torch.equal(region.contains(x), Ball([0.0, 0.0], 1.0).contains(x))
    assert (~region).contains(x).tolist()[:2] == [False, True] and (region | region).contains(x)[0]
    assert bool(Constraint(lambda x: x[:, 0] * torch.nan).contains(x).all())


def test_a_module_is_a_copy_in_float64() -> None:
    module = nn.Linear(2, 1)
    region = Constraint(module)
    before = region.contains(X)
    nn.init.constant_(module.bias, 1e6)
    assert torch.equal(region.contains(X), before) and module.weight.dtype == torch.float32
    assert {name for name, _ in region.named_children()} == {"frozen", "judge"}  # .to(device) moves both
    closed = Constraint(lambda x: module(x))  # computes in float32, whatever the rows are
    assert not bool(closed.contains(X.double()).any()) and closed(X.double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x[:, 0] > 1, "answers yes or no"),
        (lambda x: (level(x) < 0)[:, 0].numpy(), "answers yes or no"),
        (lambda x: level(x.detach()), "has no gradient in x"),
        (lambda x: x.numpy()[:, 0], "outside of torch"),
    ],
)
def test_membership_alone_is_told_from_a_distance(function, why: str) -> None:
    region = Constraint(function)
    assert region.contains(X).shape == (3,)
    with pytest.raises(NotSmooth, match=why):
        value_and_gradient(region, X)


def test_other_shapes_and_other_errors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one number or truth value a row.*\(3, 2\) for 3 rows of 2"):
        Constraint(lambda x: x).contains(X)
    with pytest.raises(ValueError, match="needs a function of rows"):
        Constraint(3)  # what is no function is a mistake of its caller
    with pytest.raises(RuntimeError, match="shapes"):
        AnyDtype(nn.Linear(3, 1))(X)
