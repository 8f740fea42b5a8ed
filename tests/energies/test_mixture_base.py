"""A network on a Gaussian mixture: how it is fitted, trained, kept in a file and composed."""

import sys

import pytest
import torch
from problems import on_a_mixture

from lem_safe.data.mixture import Mixture
from lem_safe.energies import (
    GaussianMixture,
    MixtureBase,
    MixtureBased,
    Negation,
    Transported,
    WeightedSum,
    mixture_based,
)
from lem_safe.energies.mixture_based import fitted
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.normalization.tails import check_tails
from lem_safe.progress import Silent
from lem_safe.registry import loads, make
from lem_safe.runs.problem import build
from lem_safe.training import (
    Calibrated,
    Denoising,
    EnergyMatching,
    Implicit,
    MultiScale,
    Sliced,
    Trained,
    TrainingSettings,
    fit,
    load_energy,
    save_energy,
)
from lem_safe.training.checkpoint import network_of

pytestmark = pytest.mark.simulation

F64 = torch.float64
A, B = (
    [[3.0, 3.0], [3.0, -3.0], [-3.0, 3.0], [-3.0, -3.0]],
    [[0.0, 4.0], [0.0, -4.0], [4.0, 0.0], [-4.0, 0.0]],
)
NETWORK = MixtureBase(components=6, hidden=16, depth=2)
SHORT = TrainingSettings(steps=60, batch_size=128)


def expert(means: list[list[float]]) -> Trained:
    return Trained(Mixture(means, 0.3, samples=4000), NETWORK, Denoising(0.03), SHORT)


@pytest.fixture(scope="module")
def experts() -> tuple[Transported, dict, Transported]:
    (a, metadata), (b, _) = (expert(means).train(0) for means in (A, B))
    return a, metadata, b


def test_one_gaussian_is_one_component():
    x = torch.randn(3000, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    assert fitted(x, 6, seed=0).means.shape == (1, 3)


def test_few_rows_have_few_components():
    """Twenty rows a component at least, and one whatever there is; columns of one value do not break it."""
    x = torch.tensor([[0.0, 1.0], [10.0, 1.0]], dtype=F64).repeat(25, 1)
    assert fitted(x, 12, seed=0).means.shape[0] <= 2
    alone = fitted(x[:5], 12, seed=0)
    assert alone.means.shape[0] == 1 and bool(torch.isfinite(alone(x)).all())


def test_the_mixture_is_fitted_and_not_trained(experts):
    energy, _, _ = experts
    assert isinstance(energy.inner, MixtureBased)
    assert energy.inner.base.means.shape[0] == 4
    assert not [name for name, _ in energy.inner.named_parameters() if name.startswith("base")]
    z = energy.coordinates.inverse(Mixture(A, 0.3, samples=4000).load(0).values)
    again = fitted(z.float(), 6, seed=1).means  # in another order
    assert (
        float(torch.cdist(energy.inner.base.means, again).min(1).values.max()) < 0.01
    )  # nine rows in ten of them


def test_held_out_rows_are_held_out_from_the_mixture_too(monkeypatch):
    """It sees the rows that are trained on, with the noise that the loss adds, and no other."""
    seen = []
    monkeypatch.setattr(MixtureBase, "begun", lambda self, energy, rows, seed: seen.append(rows) or energy)
    z = torch.arange(200.0)[:, None].repeat(1, 2)
    settings = TrainingSettings(steps=2, batch_size=8, held_out=0.25)
    fresh = NETWORK.build(2, torch.Generator().manual_seed(0))
    fit(fresh, z, Denoising(1e-6), settings, Key(0), prepare=NETWORK.begun)
    (rows,) = seen
    assert rows.shape == (150, 2) and len({round(v) for v in rows[:, 0].tolist()}) == 150
    held_out = set(range(200)) - {round(v) for v in rows[:, 0].tolist()}
    assert held_out == {int(v) for v in z[Key(0).fold("split").permutation(200)[:50], 0].tolist()}
    fit(
        fresh,
        z,
        Denoising(3.0),
        TrainingSettings(steps=2, batch_size=8, smoothing=4.0),
        Key(0),
        prepare=NETWORK.begun,
    )
    noise = (seen[1] - seen[1].round()).abs().max()
    assert (
        float(noise) > 0.1
        and abs(float((seen[1][:, 0] - seen[1][:, 1]).std()) - 2**0.5 * 5) < 4 * 2**0.5 * 5 / 360**0.5
    )


@pytest.mark.parametrize(
    ("loss", "variance"),
    [
        (Denoising(3.0), 9.0),
        (MultiScale([1.0, 2.0], [0.75, 0.25]), 1.75),
        (Implicit(0.5), 0.25),
        (Sliced(0.5), 0.25),
        (Calibrated(sigma=0.5, wide=4.0, share=0.2), 0.8 * 0.25 + 0.2 * 4.0),
        (EnergyMatching(), 0.0),
    ],
)
def test_the_mixture_is_of_the_law_that_the_loss_learns(loss, variance):
    """The variance that each loss adds to its rows, the rows' own 0."""
    x = loss.blurred(torch.zeros(200_000, 1), torch.Generator().manual_seed(0))
    assert abs(float(x.var()) - variance) <= 5 * variance * (2 * 6 / 200_000) ** 0.5


def test_a_wide_blur_is_learned():
    """Denoising with σ = 3 learns N(0, 10) of standard normal rows: the network's few nats alone could not go
    there.
    """
    rows = torch.randn(6000, 1, generator=torch.Generator().manual_seed(0))
    settings = TrainingSettings(steps=100, batch_size=256)
    network = MixtureBase(components=2, hidden=16, depth=2)
    found = fit(
        network.build(1, torch.Generator().manual_seed(0)),
        rows,
        Denoising(3.0),
        settings,
        Key(0),
        prepare=network.begun,
    ).energy
    x = torch.linspace(-20, 20, 2001)[:, None]
    p = (-found(x).detach()).softmax(0)
    assert abs(float((p * x[:, 0] ** 2).sum()) ** 0.5 - 10**0.5) < 0.15


def test_forward_mode_derivatives_are_exact_too():
    """A dual number asks for no gradient; the mixture's part must come with it all the same."""
    energy = on_a_mixture().double()
    x, v = (torch.randn(7, 2, generator=torch.Generator().manual_seed(k), dtype=F64) for k in (0, 1))
    slope = torch.func.jvp(energy, (x,), (v,))[1]
    torch.testing.assert_close(slope, (energy.value_and_gradient(x)[1] * v).sum(1))
    bend = torch.func.jvp(energy.gradient, (x,), (v,))[1]
    y = x.clone().requires_grad_()
    torch.testing.assert_close(bend, torch.autograd.grad((energy.gradient(y) * v).sum(), y)[0])


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: {**t, "base.whiteners": t["base.whiteners"] * torch.tensor([1.0, 0.0])},
        lambda t: {**t, "base.centers": t["base.centers"] * torch.nan},
        lambda t: {**t, "base.weights": -t["base.weights"]},
        lambda t: {**t, "base.factors": 2 * t["base.factors"]},
        lambda t: {
            **t,
            **{
                n: v.state_dict()[n[5:]]
                for v in [GaussianMixture([[0.0] * 3] * 4, 1.0)]
                for n in t
                if n[:5] == "base."
            },
        },
    ],
)
def test_a_file_whose_mixture_confines_nothing_is_refused(experts, damage, tmp_path):
    energy, metadata, _ = experts
    path, whole = tmp_path / "e.safetensors", energy.inner.state_dict
    try:
        energy.inner.state_dict = lambda: damage(whole())
        save_energy(energy, path, metadata)
    finally:
        del energy.inner.state_dict
    refused = r"base is not a Gaussian mixture over 2 columns|'inner\.base\.centers' must hold finite numbers"
    with pytest.raises(BadInput, match=refused):
        load_energy(path)


def test_equal_seeds_give_equal_energies(experts):
    again, _ = expert(A).train(0)
    for name, value in experts[0].state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_a_file_holds_the_mixture(experts, tmp_path):
    energy, metadata, _ = experts
    path = tmp_path / "e.safetensors"
    save_energy(energy, path, metadata)
    back, x = load_energy(path).energy, 3 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(back(x), energy(x)) and torch.equal(back.laplacian(x), energy.laplacian(x))
    assert network_of(load_energy(path).metadata["network"]) == NETWORK


def test_a_file_without_its_mixture_is_refused(experts, tmp_path):
    energy, metadata, _ = experts
    path, whole = tmp_path / "e.safetensors", energy.inner.state_dict
    try:
        energy.inner.state_dict = lambda: {name: t for name, t in whole().items() if name != "base.means"}
        save_energy(energy, path, metadata)
    finally:
        del energy.inner.state_dict
    with pytest.raises(BadInput, match=r"base\.means"):
        load_energy(path)


def test_weights_out_of_hand_change_nothing_far_out():
    """Whatever the network, U stays within c of the mixture; ½κ‖z‖² alone leaves a network all the room it
    takes.
    """
    energy = MixtureBase(most=2.0, hidden=16).build(2, torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for p in energy.parameters():
            p.mul_(30.0)
        x = torch.cat(
            [
                r * torch.randn(500, 2, generator=torch.Generator().manual_seed(1), dtype=F64)
                for r in (1.0, 10.0, 1e3)
            ]
        )
        assert 1.9 < float((energy(x) - energy.base(x)).abs().max()) < 2.0 + 1e-9


def test_compositions_are_those_of_the_energies_themselves(experts):
    """Five standard deviations from any centre: the conjunction's mass is where that of the exact energies
    is, midway between centres.
    """
    a, _, b = experts
    g = torch.linspace(-6, 6, 241, dtype=F64)
    x = torch.cartesian_prod(g, g)
    exact = WeightedSum([GaussianMixture(A, 0.3), GaussianMixture(B, 0.3)])
    masses = [(-u(x)).softmax(0) for u in (exact, WeightedSum([a, b]))]
    midway = torch.tensor(
        [[s * p, t * q] for s in (1, -1) for t in (1, -1) for p, q in ((3.5, 1.5), (1.5, 3.5))], dtype=F64
    )
    near = torch.cdist(x, midway).min(1).values < 0.6
    radii = [float((p * x.norm(dim=1)).sum()) for p in masses]
    assert float(masses[0][near].sum()) > 0.97 and abs(radii[0] - 3.814) < 0.002
    assert float(masses[1][near].sum()) > 0.9 and abs(radii[1] - radii[0]) < 0.05


def test_what_is_subtracted_is_weighed_by_the_mixtures_widths(experts):
    """U_B − λU_A of equal widths up to sampling error: λ < 1 can be normalised, λ > 1.1 cannot, and the
    refusal says about where.
    """
    a, _, b = experts
    check_tails(Negation(b, a, 0.9), b.coordinates)
    with pytest.raises(BadInput, match=r"multiply every negative weight by less than 0\.8\d"):
        check_tails(Negation(b, a, 1.15), b.coordinates)


def test_a_scenario_names_it(tmp_path):
    text = """
version: 1
name: on_a_mixture
energy:
  kind: trained
  data: {kind: eight_gaussians, samples: 500}
  network: {kind: mixture_base, components: 9, hidden: 8, depth: 2}
  training: {steps: 20, batch_size: 64}
unsafe: {disc: {kind: ball, center: [2, 0], radius: 0.5}}
constraints: [{set: disc, beta: 0.05}]
sampler: {kind: langevin, samples: 10, steps: 2, step_size: 0.001}
"""
    built = build(loads(text), progress=Silent(), cache=tmp_path)
    inner = next(part for part in built.energy.modules() if isinstance(part, MixtureBased))
    assert inner.base.means.shape[0] in (8, 9)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"most": 0.0}, "MixtureBase: most must be > 0"),
        ({"components": 0}, "components must be >= 1 and <= 1000; got 0"),
        ({"depth": 0}, "hidden and depth must be >= 1; got 64 and 0"),
        ({"activation": "relu"}, "activation must be one of silu, softplus, tanh; got 'relu'"),
    ],
)
def test_settings_that_make_no_energy_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        MixtureBase(**fields)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.mixture", None)
    with pytest.raises(BadInput, match=r"pip install 'lem-safe\[data\]'"):
        fitted(torch.randn(100, 2), 3, seed=0)


def test_validate_says_so_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(mixture_based, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs scikit-learn: pip install"):
        NETWORK.must_fit(2)


def test_the_table_makes_it():
    assert make("networks", {"kind": "mixture_base", "most": 3}) == MixtureBase(most=3)
