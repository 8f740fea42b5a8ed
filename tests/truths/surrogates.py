"""Surrogates: majorants, derivatives, widths (B.2, B.5)."""

import math

import torch

from barriers import surrogates
from barriers.derivatives import autodiff_jet
from barriers.surrogates import Exponential, Hinge, Sigmoid, SoftHinge, Surrogate
from truths.clouds import F64, close, close_jets, cloud

SMOOTH: list[Surrogate] = [Sigmoid(0.2), Sigmoid(0.1, 0.3), SoftHinge(0.3), Exponential(0.4)]


S = torch.arange(-300, 301, dtype=F64) / 100


def majorant() -> None:
    """φ ≥ κ·1_𝒰, with equality on the boundary (B.2)."""
    for φ in [*SMOOTH, Hinge(0.3)]:
        assert (φ.value(S) >= φ.level * (S <= 0).double() - 1e-12).all()
        close(φ.value(torch.zeros(1, dtype=F64)), torch.full((1,), φ.level, dtype=F64))


def sigmoid_centred_at_the_margin() -> None:
    """σ is ½ where s = δ, outside the set (B.2)."""
    close(Sigmoid(0.1, 0.3).value(torch.tensor([0.3], dtype=F64)), torch.tensor([0.5], dtype=F64))


def profile() -> None:
    """φ' and φ'' by differences."""
    ε = 1e-5
    for φ in SMOOTH:
        p, up, down = φ.profile(S), φ.profile(S + ε), φ.profile(S - ε)
        scale = 1 + p.value.abs() / φ.width**2
        close((p.first - (up.value - down.value) / (2 * ε)) / scale, torch.zeros_like(S), 1e-7)
        close((p.second - (up.first - down.first) / (2 * ε)) / scale, torch.zeros_like(S), 1e-7)


def chain_rule() -> None:
    """∇φ = φ'∇s, Δφ = φ''‖∇s‖² + φ'Δs, on a level function whose gradient is no unit vector."""
    x = cloud(50)
    for φ in SMOOTH:
        s = autodiff_jet(lambda y: y.square().sum(-1) - 1, x)
        expected = autodiff_jet(lambda y, φ=φ: φ.value(y.square().sum(-1) - 1), x)
        close_jets(surrogates.chain(φ.profile(s.value), s), expected)


def width_of_two_noise_steps() -> None:
    """w = 2√(2h) (B.2), and σ(1) for the margin of one width."""
    for h in (0.001, 0.02):
        φ = surrogates.for_drift(h)
        assert abs(φ.width - 2 * math.sqrt(2 * h)) < 1e-12
        assert abs(φ.level - 1 / (1 + math.exp(-1))) < 1e-12
