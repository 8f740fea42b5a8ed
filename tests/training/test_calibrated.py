"""The calibrated loss: least at the blurred data's own energy, and it sees the mode weights that score
matching does not (T.7).
"""

import math

import pytest
import torch
from truths.energies import Parabola

from lem_safe.energies import GaussianMixture
from lem_safe.keys import Key
from lem_safe.training.calibrated import Calibrated
from lem_safe.training.loss import score
from lem_safe.training.losses import Denoising


def test_least_at_the_gaussians_own_energy() -> None:
    """N(0, 1) data blurred by σ and, a share of them, by 2σ: over U = ax²/2 the denoising part is least at a
    = 1/(1 + (1 + 3 share)σ²).

    The comparison is least at the same a but for the blur's not being Gaussian, which a share this small
    hides.
    """
    z = Key(0).normal(torch.empty(200_000, 1, dtype=torch.float64))
    z = (z - z.mean()) / z.std()
    σ, share = 0.6, 0.01
    expected = 1 / (1 + (1 + 3 * share) * σ**2)
    for weight in (1e-6, 1.0):
        loss = Calibrated(sigma=σ, wide=2.0, share=share, weight=weight, draws=4096)
        grid = [expected + step for step in (-0.1, 0.0, 0.1)]
        low, mid, high = (
            float(loss(Parabola(a), z, torch.Generator().manual_seed(1)).detach()) for a in grid
        )
        assert low - 2 * mid + high > 0
        assert abs(0.1 * (low - high) / (2 * (low - 2 * mid + high))) < 0.02


@pytest.mark.parametrize("rarity", [0.0, 0.3, 0.6])
def test_counting_rare_rows_for_more_moves_no_minimiser(rarity: float) -> None:
    """N(0, 1) data blurred by σ: the slope of the loss in a, h held fixed, is 0 at a = 1/(1 + σ²) whatever p,
    and rises through it.

    Where U = ax²/2 and h = e^{pU}, up to its bound, the slope at a ± .1 is that of a parabola with E[h
    x²]/E[h] for E[x²].
    """
    z = Key(0).normal(torch.empty(400_000, 1, dtype=torch.float64))
    z, σ = (z - z.mean()) / z.std(), 0.6
    loss, best = Calibrated(sigma=σ, wide=1.0, weight=1e-9, draws=1, rarity=rarity), 1 / (1 + σ**2)

    def slope(a: float) -> float:
        energy = Parabola(a)
        loss(energy, z, torch.Generator().manual_seed(1)).backward()
        return float(energy.a.grad)

    x = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    for a in (best - 0.1, best, best + 0.1):
        common = (
            0.5 * a * (torch.special.ndtri(torch.tensor(0.51, dtype=torch.float64)) / best**0.5) ** 2
        )  # |x| below it: 2 %
        p = (-0.5 * best * x**2 + (rarity * (0.5 * a * x**2 - common)).clamp(max=5.0)).softmax(0)
        expected = 2 * σ**2 * (a - best) * float((p * x**2).sum())
        assert slope(a) == pytest.approx(expected, abs=0.02)


def test_counting_common_rows_for_more_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault planted: density^p for density^-p."""
    counts = Calibrated._counts
    monkeypatch.setattr(Calibrated, "_counts", lambda self, U, w: counts(self, -U, w))
    with pytest.raises(AssertionError):
        test_counting_rare_rows_for_more_moves_no_minimiser(0.6)


def test_what_a_row_counts_is_held_fixed() -> None:
    """Else calling easy rows rare lowers the loss. Mean 1 under the rows' weights, and twice the energy's
    excess is the square.
    """
    U = torch.tensor([0.0, 1.0, 2.0, 50.0], dtype=torch.float64, requires_grad=True)
    w = torch.tensor([1.0, 2.0, 1.0, 0.5], dtype=torch.float64)
    h = Calibrated(rarity=0.5)._counts(U, w)
    assert not h.requires_grad
    assert float((w * h).sum() / w.sum()) == pytest.approx(1.0)
    assert float(h[1] / h[0]) == pytest.approx(math.exp(0.5)) and float(h[2] / h[0]) == pytest.approx(math.e)
    assert float(h[3] / h[0]) == pytest.approx(
        math.exp(5 + 0.5 * 0.06)
    )  # the bound, from the energy at the 2 % quantile


def test_a_score_counts_all_rows_alike() -> None:
    """What early stopping compares must not depend on which rows an energy thinks rare."""
    z = Key(0).normal(torch.empty(600, 1, dtype=torch.float64))
    plain, rare = (
        score(Calibrated(rarity=p), Parabola(0.8), z, torch.Generator().manual_seed(3)) for p in (0.0, 0.6)
    )
    assert plain == rare
    losses = [
        float(Calibrated(rarity=p)(Parabola(0.8), z, torch.Generator().manual_seed(3)).detach())
        for p in (0.0, 0.6)
    ]
    assert abs(losses[0] - losses[1]) > 1e-3


class Weighted(Parabola):
    """Two modes at ±6, the one on the right holding the mass p: what score matching cannot tell."""

    def __init__(self, p: float):
        super().__init__(1.0)
        self.modes = GaussianMixture([[-6.0], [6.0]], 0.6, weights=[1 - p, p])

    def forward(self, x):
        return self.modes(x)

    def gradient(self, x):
        return self.modes.value_and_gradient(x)[1]


def test_mode_weights_count() -> None:
    """Data with masses .3 and .7: calibrated is least near p = .7, denoising hardly changes between p = .2
    and .95.
    """
    z = GaussianMixture([[-6.0], [6.0]], 0.5, weights=[0.3, 0.7]).sample(Key(0).generator(), 20_000)
    share = [0.2, 0.5, 0.7, 0.85, 0.95]

    def curve(loss) -> list[float]:
        return [float(loss(Weighted(p), z, torch.Generator().manual_seed(2))) for p in share]

    calibrated, denoising = (
        curve(Calibrated(sigma=0.33, wide=1.0, spread=6.0, draws=16384)),
        curve(Denoising(0.33)),
    )
    assert min(calibrated) == calibrated[2] and calibrated[0] - calibrated[2] > 0.3
    entropy = [-0.3 * math.log(1 - p) - 0.7 * math.log(p) for p in share]
    assert [c - calibrated[2] for c in calibrated] == pytest.approx(
        [e - entropy[2] for e in entropy], abs=0.05
    )
    assert max(denoising) - min(denoising) < 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma": 0.0},
        {"wide": 0.5},
        {"share": 1.0},
        {"weight": -1.0},
        {"spread": 0.0},
        {"draws": 0},
        {"drawn_wide": 1.0},
        {"rarity": -0.1},
    ],
)
def test_settings_are_checked(wrong) -> None:
    with pytest.raises(ValueError, match=f"Calibrated: .*{next(iter(wrong))}"):
        Calibrated(**wrong)
