"""An interrupted training continues bit for bit; a journal that is damaged, or another's, is none. Smoothing
is exact, and drawn anew.
"""

import math

import pytest
import torch

from lem_safe.data.distributions import EightGaussians
from lem_safe.energies import MLP, Fourier, Residual
from lem_safe.keys import Key
from lem_safe.training import (
    Denoising,
    EnergyMatching,
    Journal,
    MultiScale,
    Sliced,
    Trained,
    TrainingSettings,
    fit,
    load_energy,
)
from lem_safe.training.learner import smoothed
from lem_safe.training.trained import JOURNAL

pytestmark = pytest.mark.simulation

SETTINGS = TrainingSettings(steps=80, batch_size=32, smoothing=0.1, patience=100)
LOSSES = [
    Denoising(0.3),
    Sliced(0.1),
    MultiScale([0.1, 0.4]),
    EnergyMatching(negative_steps=2, step_size=0.01),
]
NETWORKS = [
    MLP(hidden=8, depth=2),
    Residual(hidden=8, depth=2),
    Fourier(count=4, network=MLP(hidden=8, depth=2)),
]


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    """What early stopping looks at, cut short: these tests train more often than they look."""
    monkeypatch.setattr("lem_safe.training.energy_matching.SCORED_ROWS", 64)
    monkeypatch.setattr("lem_safe.training.loop.HELD_OUT_ROWS", 64)


def rows() -> torch.Tensor:
    return torch.randn(300, 2, generator=torch.Generator().manual_seed(0))


def learned(result) -> dict[str, torch.Tensor]:
    return result.energy.state_dict()


def stop_at(step):
    def progress(now, total, loss, held_out):
        if now == step:
            raise KeyboardInterrupt

    return progress


def train(loss, network, journal=None, progress=lambda *_: None):
    fresh = network.build(2, Key(3).generator())
    return fit(fresh, rows(), loss, SETTINGS, Key(7), progress, journal)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.kind)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda f: type(f).__name__)
def test_resumed_training_is_bit_equal(loss, network, tmp_path):
    """Interrupted at steps 13 and 47, with an entry after every step: the same weights, history and best as
    in one go.
    """
    whole = train(loss, network)
    for step in (13, 47):
        with pytest.raises(KeyboardInterrupt):
            train(loss, network, Journal(tmp_path / "j", "f", seconds=0), stop_at(step))
    again = train(loss, network, Journal(tmp_path / "j", "f", seconds=0))
    assert again.resumed_from_step == 46
    assert (again.held_out, again.history) == (whole.held_out, whole.history)
    assert all(torch.equal(value, learned(again)[name]) for name, value in learned(whole).items())


def test_an_older_entry_resumes_to_the_same_end(tmp_path):
    """Entries are seconds apart: what was done since the last is done again, alike."""
    loss, network = LOSSES[0], NETWORKS[0]
    path = tmp_path / "j"
    with pytest.raises(KeyboardInterrupt):
        train(loss, network, Journal(path, "f", seconds=0), stop_at(20))
    with pytest.raises(KeyboardInterrupt):
        train(loss, network, Journal(path, "f", seconds=1e9), stop_at(50))
    again = train(loss, network, Journal(path, "f", seconds=1e9))
    assert again.resumed_from_step == 19
    assert all(
        torch.equal(value, learned(again)[name]) for name, value in learned(train(loss, network)).items()
    )


def test_a_finished_journal_trains_no_further(tmp_path):
    """No step is taken where the journal says that all are done."""
    loss, network, steps = LOSSES[0], NETWORKS[0], []
    first = train(loss, network, Journal(tmp_path / "j", "f", seconds=0))
    again = train(loss, network, Journal(tmp_path / "j", "f", seconds=0), lambda *call: steps.append(call))
    assert steps == [] and again.resumed_from_step == 80
    assert all(torch.equal(value, learned(again)[name]) for name, value in learned(first).items())


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign", "another run", "another network"])
def test_a_damaged_or_foreign_journal_trains_anew(damage, tmp_path):
    loss, network, path = LOSSES[0], NETWORKS[0], tmp_path / "j"
    other = MLP(hidden=9, depth=2) if damage == "another network" else network
    with pytest.raises(KeyboardInterrupt):
        train(loss, other, Journal(path, "g" if damage == "another run" else "f", seconds=0), stop_at(30))
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-7])
    elif damage == "flipped":
        path.write_bytes(b"\xff" * 64 + content[64:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        path.write_text("no such format")
    again = train(loss, network, Journal(path, "f", seconds=0))
    assert again.resumed_from_step == 0
    assert all(
        torch.equal(value, learned(again)[name]) for name, value in learned(train(loss, network)).items()
    )


def test_load_or_train_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """An interrupted call leaves a journal beside the energy to be; the next ends bit-equal and leaves only
    the energy.
    """
    monkeypatch.setattr("lem_safe.training.journal.SECONDS", 0.0)
    quick = Trained(EightGaussians(samples=400), MLP(hidden=8, depth=2), Denoising(0.3), SETTINGS)
    whole, _ = quick.load_or_train(0, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        quick.load_or_train(0, tmp_path / "cut", stop_at(40))
    path = quick.path(0, tmp_path / "cut")
    assert [p.name for p in path.parent.iterdir()] == [JOURNAL]
    resumed, origin = quick.load_or_train(0, tmp_path / "cut")
    assert origin == "trained"
    assert [p.name for p in path.parent.iterdir()] == ["energy.safetensors"]
    assert load_energy(path).metadata["resumed_from_step"] == 39
    state = resumed.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in whole.state_dict().items())


def test_smoothing_is_exact():
    """z + hξ of N(0, 1) rows has variance 1 + h², skewness 0 and a normal's fourth moment; h = 0 draws
    nothing (T.4).
    """
    z, h = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 0.7
    generator = torch.Generator().manual_seed(1)
    x = smoothed(z, h, generator)[:, 0]
    v, n = 1 + h * h, len(x)
    assert abs(float(x.var()) - v) < 4 * v * math.sqrt(2 / n)
    assert abs(float((x**4).mean()) - 3 * v * v) < 4 * v * v * math.sqrt(96 / n)
    assert abs(float(((x - z[:, 0]) * z[:, 0]).mean())) < 4 * h / math.sqrt(n)
    before = generator.get_state()
    assert smoothed(z, 0.0, generator) is z and torch.equal(before, generator.get_state())


def test_training_learns_the_smoothed_data(monkeypatch):
    """Denoising with σ on rows smoothed by h learns N(0, 1 + h² + σ²): a confined quadratic energy fits it,
    and a = its precision.
    """
    from truths.energies import Parabola

    monkeypatch.setattr("lem_safe.training.loop.HELD_OUT_ROWS", 4096)
    z = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    settings = TrainingSettings(
        steps=400, batch_size=4096, learning_rate=0.02, weight_decay=0.0, ema=0.99, smoothing=0.6
    )
    found = float(fit(Parabola(0.2), z, Denoising(0.5), settings, Key(0)).energy.a.detach())
    assert abs(found - 1 / (1 + 0.36 + 0.25)) < 0.02
    assert abs(found - 1 / (1 + 0.25)) > 0.1
