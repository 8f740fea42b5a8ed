"""The loss of a scenario that names none: modes get their share, whatever lies between them (T.9)."""

import pytest
import torch

from lem_safe.data.mixture import Mixture
from lem_safe.energies import MLP
from lem_safe.energies.images import Convolutional
from lem_safe.training import Calibrated, Denoising, Trained, TrainingSettings
from lem_safe.training import trained as module
from lem_safe.training.default_loss import default_loss, noise

FEW = [[2.0, 0.0], *[[-2.0, 0.0]] * 4]
"""One row in five on the right, five standard deviations and more from the rest."""
SHORT = TrainingSettings(steps=500, batch_size=128, learning_rate=0.01, ema=0.99)


def share_of_the_small_mode(trained: Trained) -> tuple[float, float]:
    """The mass right of the middle, by quadrature of the trained energy; and that of the rows themselves."""
    axis = torch.linspace(-4, 4, 161, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    energy, _ = trained.train(0)
    mass = (-energy(grid)).double().softmax(0)
    rows = trained.data.load(0).values
    return float(mass[grid[:, 0] > 0].sum()), float((rows[:, 0] > 0).double().mean())


def test_a_mode_gets_its_share() -> None:
    """Four standard errors of the share of 4,000 rows are .025."""
    law, rows = share_of_the_small_mode(Trained(Mixture(FEW, 0.35, samples=4000), MLP(32, 2), training=SHORT))
    assert law == pytest.approx(rows, abs=0.025)


def test_denoising_alone_would_miss_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault planted: what the default was."""
    monkeypatch.setattr(module, "default_loss", lambda *_: Denoising())
    with pytest.raises(AssertionError):
        test_a_mode_gets_its_share()


def test_the_noise_is_a_fifth_of_scotts_bandwidth() -> None:
    assert noise(20_000, 2) == pytest.approx(20_000 ** (-1 / 6) / 5)
    assert noise(569, 5) == pytest.approx(569 ** (-1 / 9) / 5)
    assert noise(10, 3) > noise(1000, 3) and noise(1000, 30) > noise(1000, 3)


def test_columns_are_calibrated_and_pictures_denoised() -> None:
    loss = default_loss(MLP(), 500, 4)
    assert isinstance(loss, Calibrated) and loss.sigma == pytest.approx(500 ** (-1 / 8) / 5)
    assert default_loss(Convolutional(image=[1, 8, 8]), 500, 64) == Denoising()


def test_the_file_says_which_loss_was_chosen() -> None:
    tiny = TrainingSettings(steps=4, batch_size=16)
    _, told = Trained(Mixture(FEW, 0.35, samples=200), MLP(4, 1), training=tiny).train(0)
    assert told["loss"]["kind"] == "calibrated" and told["loss"]["sigma"] == pytest.approx(noise(200, 2))


def test_a_chosen_loss_and_a_named_one_have_fingerprints_of_their_own() -> None:
    data = Mixture(FEW, 0.35, samples=200)
    assert Trained(data).fingerprint(0) != Trained(data, loss=Denoising()).fingerprint(0)
