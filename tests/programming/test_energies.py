"""`lem_safe.energy` and `lem_safe.score`: what is taken, and what is refused by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lem_safe
from lem_safe.energies import Gaussian
from lem_safe.keys import Key
from lem_safe.samplers import Langevin, Mala

X = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))


def net(*last: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.SiLU(), *last, nn.Linear(8, 1))


class Confined(nn.Module):
    """A network as people have it: [n, 1], with parameters that require grad."""

    def __init__(self, *last: nn.Module) -> None:
        super().__init__()
        self.net = net(*last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x) + 0.1 * x.square().sum(-1, keepdim=True)


def numpy_energy(x: Any) -> Any:
    return np.sum(np.asarray(x) ** 2, axis=1)


MODULE = Confined()
NORMAL = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "energy",
    [
        lem_safe.energy(Confined()),
        lem_safe.energy(Confined().double()),
        lem_safe.energy(lambda x: MODULE(x), temperature=0.5),
        lem_safe.energy(NORMAL),
        lem_safe.energy(NORMAL.log_prob, log_density=True),
        lem_safe.energy(numpy_energy, gradient=lambda x: 2 * np.asarray(x)),
        lem_safe.energy(Gaussian([0.0, 0.0], 1.0), temperature=2.0),
    ],
)
def test_every_sampler_takes_it(energy: Any, dtype: torch.dtype) -> None:
    x = X.to(dtype)
    for kind in (Langevin, Mala):
        sampler = kind(energy, 0.01)
        state, info = sampler.step(Key(0), sampler.init(x))
        assert state.x.dtype == dtype and bool(state.x.isfinite().all()) and bool(info.energy.isfinite())
    U, gradient = energy.value_and_gradient(x)
    assert U.shape == (30,) and gradient.shape == x.shape and U.dtype == gradient.dtype == dtype


def test_gradient_and_laplacian_are_those_of_the_function() -> None:
    energy, exact = lem_safe.energy(lambda x: (x**4).sum(-1) / 2.0, temperature=2.0), X.double()
    assert torch.allclose(energy.value_and_gradient(exact)[1], exact**3)
    assert torch.allclose(energy.laplacian(exact), (3 * exact**2).sum(1))
    along = torch.tensor([[0.6], [0.8]], dtype=torch.float64)
    assert torch.allclose(energy.laplacian(exact, along), (3 * exact**2) @ along[:, 0] ** 2)
    score = lem_safe.score(lambda x: -(x**3))
    assert torch.allclose(score.laplacian(exact), (3 * exact**2).sum(1))


def test_the_module_is_left_as_it_was() -> None:
    module = Confined().double().train()
    energy = lem_safe.energy(module)
    energy.to(torch.float32).requires_grad_(False)
    energy.value_and_gradient(X)
    assert module.training and all(p.requires_grad and p.grad is None for p in module.parameters())
    assert {p.dtype for p in module.parameters()} == {torch.float64}


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: lem_safe.energy(net()), "energy Sequential: U does not grow far out.*confined=False"),
    (lambda: lem_safe.energy(Confined(nn.Dropout()).train()), "energy Confined: .*random numbers.*eval"),
    (lambda: lem_safe.energy(Confined(nn.BatchNorm1d(8)).train()), "Confined: .*batch as a whole.*eval"),
    (lambda: lem_safe.energy(nn.Linear(3, 1)), r"energy Linear: failed on float32 rows \[8, 2\]"),
    (lambda: lem_safe.energy(lambda x: x.square()), r"one number a row, \[8\] or \[8, 1\].*sum over col"),
    (lambda: lem_safe.energy(lambda x: x.square().sum()), "one number for the whole batch"),
    (lambda: lem_safe.energy(lambda x: x.square().sum(-1).log()), "does not grow far out"),
    (lambda: lem_safe.energy(lambda x: (x[:, 0] - 100).log() + x.square().sum(-1)), "U is not finite at"),
    (lambda: lem_safe.energy(numpy_energy), "array of numpy, which has no gradient.*gradient="),
    (lambda: lem_safe.energy(numpy_energy, gradient=lambda x: 3 * x), "gradient= must be ∇ of the same"),
    (
        lambda: lem_safe.energy(numpy_energy, gradient=lambda x: x[:, 0]),
        "gradient of numpy_energy: must return",
    ),
    (lambda: lem_safe.energy(lambda x: x.detach().square().sum(-1)), "has no gradient in x.*detach"),
    (lambda: lem_safe.energy(torch.distributions.Normal(torch.zeros(2), 1.0)), "Independent"),
    (lambda: lem_safe.energy(torch.distributions.Exponential(torch.ones(2))), "its support is .*Transformed"),
    (lambda: lem_safe.energy(Confined(), dimension=3), "takes 3 columns; got rows of 2"),
    (lambda: lem_safe.energy(3), "needs a module, a function of rows .*got one of type int"),
    (lambda: lem_safe.energy(Confined(), temperature=0.0), "temperature: must be a number > 0"),
    (lambda: lem_safe.score(lambda x: x.sum(-1)), r"one vector a row, \[8, 2\].*lem_safe.energy"),
    (lambda: lem_safe.score(3), "needs a module or a function"),
]


@pytest.mark.parametrize(("make", "said"), REFUSED)
def test_what_is_wrong_is_refused_by_name(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(lem_safe.BadInput, match=said):
        make().value_and_gradient(X)


def test_an_energy_that_need_not_be_confined_says_so() -> None:
    with pytest.warns(UserWarning, match="Sequential: U does not grow far out"):
        lem_safe.energy(net(), confined=False).value_and_gradient(X)
    with pytest.warns(UserWarning, match="does not point inwards"):
        lem_safe.score(lambda x: x).value_and_gradient(X)


def test_a_score_has_no_energy() -> None:
    score = lem_safe.score(lambda x: -x, temperature=2.0)
    U, gradient = score.value_and_gradient(X)
    assert bool(U.isnan().all()) and torch.equal(gradient, X / 2) and not score.has_values
    with pytest.raises(lem_safe.BadInput, match="score <lambda>: is a score.*no line integral"):
        score(X)
    sampler = Mala(score, 0.1)
    with pytest.raises(lem_safe.BadInput, match="a Metropolis test compares U.*langevin"):
        sampler.step(Key(0), sampler.init(X))
