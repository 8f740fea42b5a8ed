"""The convolutional image energy: what it learns, how it starts, what it refuses."""

import pytest
import torch

from barriers.specification import SpecificationError
from lem_safe import registry as catalogue
from lem_safe.energies import Convolutional, NetworkEnergy
from lem_safe.energies.images.layered import LayeredTrunk
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.training import Denoising, TrainingSettings, fit

SCENARIO = """
version: 1
name: digits
energy:
  kind: trained
  data: {{kind: digits, size: 8}}
  network: {{kind: convolutional, image: {image}}}
unsafe: {{bright: {{kind: rule, where: "p0_3_3 > 0.9"}}}}
constraints: [{{set: bright, beta: 0.1}}]
sampler: {{kind: langevin, samples: 20, steps: 5, step_size: 0.01}}
"""


def test_denoising_learns_correlated_pixels():
    """On N(0, Σ) images the learned ∇U is (Σ + σ²I)⁻¹x: a fifth of the error that the best energy without
    correlations has.
    """
    d, σ = 16, 0.5
    place = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
    Σ = torch.exp(-torch.cdist(place, place) / 2)
    z = torch.randn(4000, d, generator=torch.Generator().manual_seed(0)) @ torch.linalg.cholesky(Σ).T
    network = Convolutional([1, 4, 4], [8], hidden=32).build(d, torch.Generator().manual_seed(1))
    settings = TrainingSettings(steps=140, batch_size=64, learning_rate=8e-3, ema=0.97)
    energy = fit(network, z, Denoising(σ), settings, Key(0)).energy
    x = z[:1000] + σ * torch.randn(1000, d, generator=torch.Generator().manual_seed(2))
    expected = x @ torch.linalg.inv(Σ + σ**2 * torch.eye(d))
    error = float((energy.value_and_gradient(x)[1] - expected).square().sum(1).mean())
    apart = x / (1 + σ**2)
    assert error < 0.2 * float((apart - expected).square().sum(1).mean())


def test_weights_come_from_the_generator_alone():
    """Equal seeds, equal weights, whatever the global generator does; uniform in ±1/√fan_in."""
    torch.manual_seed(0)
    first = Convolutional([1, 8, 8], [4], hidden=6).build(64, torch.Generator().manual_seed(3)).state_dict()
    torch.manual_seed(1)
    again = Convolutional([1, 8, 8], [4], hidden=6).build(64, torch.Generator().manual_seed(3)).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    kernels = first["trunk.layers.1.weight"]
    assert 0.6 / 3 < float(kernels.abs().max()) <= 1 / 3


def test_a_stage_halves_an_image_until_it_is_small():
    """28 → 14 → 7 → 3, and then no further; every size of image has some network."""
    for image, last in (
        ([1, 28, 28], 64 * 9),
        ([3, 32, 32], 64 * 16),
        ([2, 3, 9], 64 * 3 * 9),
        ([1, 1, 1], 64),
    ):
        columns = image[0] * image[1] * image[2]
        energy = Convolutional(image).build(columns, torch.Generator().manual_seed(0))
        assert isinstance(energy, NetworkEnergy) and isinstance(energy.trunk, LayeredTrunk)
        dense = next(layer for layer in energy.trunk.layers if isinstance(layer, torch.nn.Linear))
        assert dense.in_features == last
        assert energy(torch.zeros(2, columns)).shape == (2,)


def test_it_is_confined():
    """U(x) → ½κ‖x‖² far out, whatever the weights (E.4)."""
    energy = (
        Convolutional([1, 6, 6], [4, 8], confinement=0.3).build(36, torch.Generator().manual_seed(0)).double()
    )
    far = 1e6 * torch.nn.functional.normalize(
        torch.randn(20, 36, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )
    assert ((energy(far) / (0.15e12) - 1).abs() < 1e-4).all()


def test_many_images_are_swept_in_parts(monkeypatch):
    from lem_safe.energies.images import layered

    energy = (
        Convolutional([1, 6, 6], [4])
        .build(36, torch.Generator().manual_seed(0))
        .double()
        .requires_grad_(False)
    )
    x = torch.randn(7, 36, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    whole, trace = energy.value_and_gradient(x), energy.laplacian(x)
    monkeypatch.setattr(energy.trunk, "swept", 300)
    monkeypatch.setattr(layered, "CARRIED", 3 * 144)
    for part, expected in zip(energy.value_and_gradient(x), whole, strict=True):
        torch.testing.assert_close(part, expected)
    torch.testing.assert_close(energy.laplacian(x), trace)


def test_an_image_must_fit_its_columns():
    """Found when the scenario loads, at the key that is wrong."""
    assert catalogue.loads(SCENARIO.format(image="[1, 8, 8]")).energy["network"]["channels"] == [16, 32, 64]
    with pytest.raises(BadInput) as caught:
        catalogue.loads(SCENARIO.format(image="[1, 8, 9]"))
    assert (
        "energy.network.image: must be channels, height and width of the data's 64 columns; 1 x 8 x 9 "
        "makes 72" in str(caught.value)
    )
    with pytest.raises(SpecificationError, match="the data's 5 columns; 1 x 2 x 3 makes 6"):
        Convolutional([1, 2, 3]).build(5, torch.Generator())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image": [8, 8]}, "image must be three numbers >= 1"),
        ({"image": [1, 8, 0]}, "image must be three numbers >= 1"),
        ({"image": [1, 8, 8], "channels": []}, "channels, depth and hidden must be >= 1"),
        ({"image": [1, 8, 8], "depth": 0}, "channels, depth and hidden must be >= 1"),
        ({"image": [1, 8, 8], "activation": "relu"}, "activation must be one of silu, softplus, tanh"),
        ({"image": [1, 8, 8], "confinement": 0.0}, "confinement must be > 0"),
    ],
)
def test_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        Convolutional(**fields)
