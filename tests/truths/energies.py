"""Energies, the sampler and its loop, training losses (C, E, T)."""

import math

import numpy as np
import torch
from jaxtyping import Float
from problems import beyond, on_a_mixture, simulate, standard
from scipy.stats import multivariate_normal
from torch import Tensor, nn

from barriers.coordinates import identity
from barriers.derivatives import Jet, autodiff_jet
from barriers.sets import pull
from lem_safe.energies import MLP, Fourier, Gaussian, GaussianMixture, Residual, Tempered, composed
from lem_safe.energies.mixture_based import fitted
from lem_safe.energies.network import Trainable
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.runs import chain
from lem_safe.samplers import Langevin
from lem_safe.training import energy_matching, losses
from truths.clouds import F64, close, close_jets, cloud


def mixture() -> None:
    """U = −log Σ w_k N(m_k, Σ), its gradient and Laplacian (C.2)."""
    means, w, x = [[1.0, 0.0], [-0.8, 0.6], [0.1, -1.2]], np.array([2.0, 1.0, 5.0]) / 8, cloud(40)
    energy = GaussianMixture(means, 0.7, weights=[2.0, 1.0, 5.0])
    density = sum(
        p * multivariate_normal(m, 0.49 * np.eye(2)).pdf(x.numpy()) for p, m in zip(w, means, strict=True)
    )
    expected = autodiff_jet(energy, x)
    close(expected.value, -torch.from_numpy(density).log())
    close_jets(Jet(*energy.value_and_gradient(x), energy.laplacian(x)), expected)


def composition() -> None:
    """U_safe = U − λU₋ (C.1), and V at temperature ε enters as V/ε (E.1)."""
    x, U, V = cloud(20), Gaussian([0.0, 0.0], 1.0), Gaussian([1.0, 0.0], 2.0)
    safe = composed.compose(U, [(0.3, V)])
    close(safe(x), U(x) - 0.3 * V(x))
    close(safe.value_and_gradient(x)[1], x - 0.3 * (x - torch.tensor([1.0, 0.0], dtype=F64)) / 4)
    close(Tempered(U, 0.5)(x), 2 * U(x))


def langevin_step() -> None:
    """From x₀, one step of U = x²/2 is N(x₀(1 − h), 2h) (E.2)."""
    n, h = 100_000, 0.05
    x = torch.full((n, 1), 1.5, dtype=F64)
    sampler = Langevin(standard(1, F64), h)
    y = sampler.step(Key(5), sampler.init(x))[0].x[:, 0]
    assert abs(float(y.mean()) - 1.5 * (1 - h)) < 4 * math.sqrt(2 * h / n)
    assert abs(float(y.var()) - 2 * h) < 4 * 2 * h * math.sqrt(2 / n)


def _followed(steps: int, n: int = 4000) -> chain.Finished:
    sampler = Langevin(standard(1, F64), 0.1)
    course = chain.Course(
        "check", sampler, (pull(beyond(1.0), identity(1, F64)),), ("beyond",), (0.1,), steps
    )
    return chain.follow(course, Key(3), torch.zeros(n, 1, dtype=F64), progress=Silent())


def noise_is_new_at_every_step() -> None:
    """ξ₁ and ξ₂, solved from x' = (1 − h)x + √(2h)ξ, are uncorrelated; and the same key gives the same
    cloud.
    """
    x1, x2 = _followed(1).x[:, 0], _followed(2).x[:, 0]
    ξ1, ξ2 = x1 / math.sqrt(0.2), (x2 - 0.9 * x1) / math.sqrt(0.2)
    assert abs(float((ξ1 * ξ2).mean())) < 5 / math.sqrt(4000)
    assert torch.equal(x2, _followed(2).x[:, 0])


def trace_rows() -> None:
    """Row k of the trace is the cloud after step k + 1 (A.2)."""
    for steps in (1, 2, 5):
        run = _followed(steps)
        assert run.trace["fraction"].shape == (steps, 1)
        assert run.trace["fraction"][-1, 0] == float((run.x >= 1).double().mean())
        assert run.trace["step"].tolist() == list(range(1, steps + 1))


def unfiltered_run() -> None:
    """The mean and spread of the Ornstein–Uhlenbeck chain after 20 steps, Euler's own (E.2)."""
    n, h = 20_000, 0.05
    x = simulate(
        standard(1, F64),
        [beyond(1.0)],
        [0.5],
        "none",
        torch.full((n, 1), -2.0, dtype=F64),
        step_size=h,
        steps=20,
    ).x
    a = (1 - h) ** 20
    var = 2 * h * (1 - a * a) / (1 - (1 - h) ** 2)
    assert abs(float(x.mean()) + 2 * a) < 4 * math.sqrt(var / n)
    assert abs(float(x.var()) / var - 1) < 4 * math.sqrt(2 / n)


class Parabola(Trainable):
    """U = ax²/2: every score-matching loss is a parabola in a."""

    dimension = 1

    def __init__(self, a: float):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=F64))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return 0.5 * self.a * x[:, 0] ** 2

    def gradient(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.a * x

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self(x).detach(), self.gradient(x).detach()

    def laplacian(self, x: Tensor, directions: Tensor | None = None) -> Tensor:
        return self.a.expand(x.shape[0])


def score_matching() -> None:
    """On N(0,1) smoothed by σ, every loss is least at a = 1/(1 + σ²) (T.1–T.4)."""
    z = cloud(100_000, d=1)
    z = (z - z.mean()) / z.std()
    for loss in (losses.Denoising(1.0), losses.Implicit(1.0), losses.Sliced(1.0)):
        low, mid, high = (
            float(loss(Parabola(a), z, torch.Generator().manual_seed(1)).detach()) for a in (-1.0, 0.0, 1.0)
        )
        assert low - 2 * mid + high > 0
        assert abs((low - high) / (2 * (low - 2 * mid + high)) - 0.5) < 0.02


def several_scales() -> None:
    """On N(0,1) data at scales .5 and 1.5 with mixture weights .7 and .3: a = 1/(1 + .7·.25 + .3·2.25)
    (T.6).
    """
    z = cloud(100_000, d=1)
    z = (z - z.mean()) / z.std()
    loss = losses.MultiScale([0.5, 1.5], [0.7, 0.3])
    low, mid, high = (
        float(loss(Parabola(a), z, torch.Generator().manual_seed(1)).detach()) for a in (-1.0, 0.0, 1.0)
    )
    assert low - 2 * mid + high > 0
    assert abs((low - high) / (2 * (low - 2 * mid + high)) - 1 / 1.85) < 0.02


def flow_warm_up() -> None:
    """On N(0, ¼) data, paired optimally with N(0, 1): εa = 3(1 − s²)/(2(1 + s + s²)) = .643 at s = ½
    (T.5).
    """
    ε, found = 0.5, []
    for seed in range(12):
        z = 0.5 * torch.randn(250, 1, generator=torch.Generator().manual_seed(seed), dtype=F64)
        flow = energy_matching.Flow(ε)
        low, mid, high = (
            float(flow(Parabola(a), z, torch.Generator().manual_seed(seed + 50)).detach())
            for a in (-1.0, 0.0, 1.0)
        )
        found.append(ε * (low - high) / (2 * (low - 2 * mid + high)))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert error < 0.03
    assert abs(np.mean(found) - 9 / 14) < 4 * error + 0.02


def contrastive_divergence() -> None:
    """dL/da = ε(E x² − E y²)/2 with y's variance v ← (1 − ha)²v + 2h, from half rows and half noise (T.5)."""
    n, ε, a, h, k, s2 = 400_000, 0.4, 2.0, 0.1, 6, 0.36
    z = math.sqrt(s2) * torch.randn(n, 1, generator=torch.Generator().manual_seed(0), dtype=F64)
    model = Parabola(a)
    energy_matching.Contrastive(ε, k, h, 0.5)(model, z, torch.Generator().manual_seed(1)).backward()
    v = 0.5 * s2 + 0.5
    for _ in range(k):
        v = (1 - h * a) ** 2 * v + 2 * h
    assert model.a.grad is not None
    assert abs(float(model.a.grad) - 0.5 * ε * (s2 - v)) < 4 * 0.5 * ε * math.sqrt(2 * (s2 * s2 + v * v) / n)


def network_derivatives() -> None:
    """∇U and tr(VᵀHV) of every trunk, by autodiff (E.4)."""
    V = cloud(2, d=3)
    for settings in (MLP(9, 2), Residual(7, 2), Fourier(5, 1.5, Residual(7, 2, "tanh"))):
        energy, x = settings.build(2, torch.Generator().manual_seed(0)).requires_grad_(False), cloud(30)
        close_jets(Jet(*energy.value_and_gradient(x), energy.laplacian(x)), autodiff_jet(energy, x))
        along = autodiff_jet(
            lambda y, energy=energy, x=x: energy(x + y @ V.T), torch.zeros(30, 3, dtype=F64)
        ).laplacian
        close(energy.laplacian(x, V), along)
        close(energy.gradient(x), energy.value_and_gradient(x)[1])


def bounded_correction() -> None:
    """U = c tanh(f/c) − log Σ w_k N(m_k, Σ_k), its gradient and traces, and never c nats from the mixture
    (E.22).
    """
    energy, x, V = on_a_mixture(), cloud(30), cloud(2, d=3)
    f, base = energy.trunk.inner(x), energy.base(x)
    assert float(f.abs().max()) > 1.5 > float((energy(x) - base).abs().max()) > 0.5
    close(energy(x), 1.5 * torch.tanh(f / 1.5) + base)
    close_jets(Jet(*energy.value_and_gradient(x), energy.laplacian(x)), autodiff_jet(energy, x))
    along = autodiff_jet(lambda y: energy(x + y @ V.T), torch.zeros(30, 3, dtype=F64)).laplacian
    close(energy.laplacian(x, V), along)
    close(energy.gradient(x), energy.value_and_gradient(x)[1])
    y = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(energy(y).sum(), y, create_graph=True)
    close(*(torch.autograd.grad(g.sum(), y)[0] for g in (energy.gradient(y), slope)))


def fitted_mixture() -> None:
    """EM finds the means, the covariances and the weights that rows were drawn with, and BIC how many there
    are (E.22).
    """
    n, true = (
        20_000,
        GaussianMixture(
            [[2.0, 0.0], [-2.0, 1.0]],
            covariances=[[[0.3, 0.1], [0.1, 0.2]], [[0.1, 0.0], [0.0, 0.4]]],
            weights=[0.3, 0.7],
        ),
    )
    found = fitted(true.sample(torch.Generator().manual_seed(0), n), 5, seed=0)
    assert found.means.shape == (2, 2)
    order = found.means[:, 0].argsort(descending=True)
    Σ, S = (u.factors @ u.factors.mT for u in (true, found))
    counts = n * true.weights[:, None]
    assert bool(
        ((found.means[order] - true.means).abs() < 4.5 * (Σ.diagonal(dim1=1, dim2=2) / counts).sqrt()).all()
    )
    assert bool(
        (
            (S[order] - Σ).abs()
            < 5 * Σ.diagonal(dim1=1, dim2=2).amax(1)[:, None, None] * (2 / counts[..., None]).sqrt()
        ).all()
    )
    assert bool(((found.weights[order] - true.weights).abs() < 4.5 * (0.21 / n) ** 0.5).all())
