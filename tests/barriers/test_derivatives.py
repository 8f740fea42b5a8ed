"""Closed forms of a gradient: the bits of automatic differentiation, and never those of another function."""

from typing import Any

import pytest
import torch
from torch import Tensor

from barriers.coordinates import identity
from barriers.declared import declares
from barriers.derivatives import in_graph, jacobian, value_and_gradient
from barriers.functionals import BARRIERS, MassBarrier
from barriers.sets import SETS, Ball, UnsafeSet, build_sets, pull
from barriers.surrogates import SURROGATES
from lem_safe.keys import Key
from lem_safe.registry import MAKERS, make

CLOSED = [
    kind
    for kind, entry in SETS.items()
    if isinstance(entry.constructor, type) and getattr(entry.constructor, "has_gradient", False)
]


def autodiff(f: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    value = f(x)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def points(dtype: torch.dtype) -> Tensor:
    """Random ones, the centre of the example's ball, and the origin."""
    drawn = 3 * Key(4).normal(torch.empty(500, 2, dtype=dtype))
    return torch.cat([drawn, torch.tensor([[0.5, -0.3], [0.0, 0.0]], dtype=dtype)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", CLOSED)
def test_a_closed_form_has_the_bits_of_automatic_differentiation(kind: str, dtype: torch.dtype) -> None:
    unsafe = build_sets({"it": SETS[kind].example}, ["x0", "x1"], MAKERS)["it"]
    several = points(dtype)
    for x in (several, several.reshape(2, 251, 2), several[:1]):
        for one in (unsafe, pull(unsafe, identity(2, dtype))):
            assert declares(one, "has_gradient", "forward")
            for found, expected in zip(value_and_gradient(one, x), autodiff(one, x), strict=True):
                assert torch.equal(found, expected)


def test_the_ball_and_the_half_space_have_one() -> None:
    assert {"ball", "half_space"} <= set(CLOSED)


def test_another_forward_has_not_the_closed_form_of_the_ball() -> None:
    class Scaled(Ball):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    one, x = Scaled([0.5, -0.3], 0.8), points(torch.float64)
    for unsafe in (one, pull(one, identity(2, torch.float64))):
        for found, expected in zip(value_and_gradient(unsafe, x), autodiff(one, x), strict=True):
            assert torch.equal(found, expected)


def test_a_graph_is_kept_through_a_closed_form() -> None:
    x = points(torch.float64)[:5].requires_grad_()
    unsafe: UnsafeSet = Ball([0.5, -0.3], 0.8)
    assert in_graph(unsafe, x) and value_and_gradient(unsafe, x)[1].requires_grad


@pytest.mark.parametrize("name", list(BARRIERS))
def test_a_constant_jacobian_is_that_of_automatic_differentiation(name: str) -> None:
    barrier = BARRIERS[name].example()
    mean = barrier.statistics(points(torch.float64)).mean(0)
    for at in (mean, torch.stack([mean, 2 * mean])):
        assert torch.equal(barrier.jacobian(at), jacobian(barrier.barriers, at))
    with torch.no_grad():
        assert torch.equal(barrier.jacobian(mean), jacobian(barrier.barriers, mean))


def test_another_readout_has_not_the_constant_jacobian() -> None:
    class Halved(MassBarrier):
        def readout(self, mean: Tensor) -> Tensor:
            return self.limits - mean / 2

    barrier = MassBarrier.example()
    other = Halved(list(barrier.sets), barrier.surrogates, barrier.betas)
    assert torch.equal(other.jacobian(torch.zeros(2)), -torch.eye(2) / 2)


@pytest.mark.parametrize("kind", list(SURROGATES))
def test_the_slope_of_a_surrogate_is_that_of_its_profile(kind: str) -> None:
    φ, s = make("surrogates", SURROGATES[kind].example), points(torch.float32)[:, 0]
    for found, expected in zip(φ.slope(s), φ.profile(s)[:2], strict=True):
        assert torch.equal(found, expected)
