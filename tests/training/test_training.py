"""Training: the sign and minimiser of each loss, the whitening, the loop's promises, and trained energies as
files.
"""

import math

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lem_safe.data.distributions import EightGaussians, Planar
from lem_safe.data.sources import SklearnTable
from lem_safe.energies import MLP
from lem_safe.energies.network import Trainable
from lem_safe.errors import BadInput, NumericalFailure
from lem_safe.keys import Key
from lem_safe.training import (
    LOSSES,
    Denoising,
    Implicit,
    Sliced,
    Trained,
    TrainingSettings,
    fit,
    learner,
    load_energy,
    whiten,
)
from lem_safe.training.loss import Loss

pytestmark = pytest.mark.simulation

QUICK = Trained(
    EightGaussians(samples=400),
    MLP(hidden=8, depth=2),
    Denoising(0.3),
    TrainingSettings(steps=80, batch_size=64),
)


class Quadratic(Trainable):
    """U = a x²/2 in one dimension: every score-matching loss has a closed-form minimiser in a."""

    dimension = 1

    def __init__(self, a: float):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return 0.5 * self.a * x[:, 0] ** 2

    def gradient(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.a * x

    def value_and_gradient(self, x):
        return self(x).detach(), self.gradient(x).detach()

    def laplacian(self, x, directions=None):
        return self.a.expand(x.shape[0])


def minimiser(loss) -> tuple[float, float]:
    """The a that makes a loss, quadratic in a, least on N(0, 1) rows: by a parabola through three values; and
    its error.
    """
    estimates = []
    for seed in range(16):
        z = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        noise = [torch.Generator().manual_seed(99 + seed) for _ in range(3)]
        low, mid, high = (
            float(loss(Quadratic(a), z, g).detach()) for a, g in zip((-1.0, 0.0, 1.0), noise, strict=True)
        )
        estimates.append((low - high) / (2 * (low - 2 * mid + high)))
    a = torch.tensor(estimates)
    return float(a.mean()), float(a.std()) / 4


class Flipped(Denoising):
    """The planted fault: the sign as the paper prints it."""

    def __call__(self, energy, z, generator):
        ξ = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        return (self.sigma * energy.gradient(z + self.sigma * ξ) + ξ).square().sum(-1).mean()


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_denoising_minimiser(sigma):
    """a = 1/(1 + σ²) (T.2); the flipped sign finds −a."""
    a, error = minimiser(Denoising(sigma))
    assert abs(a - 1 / (1 + sigma**2)) < 4 * error
    assert error < 0.02
    assert minimiser(Flipped(sigma))[0] < -0.4


@pytest.mark.parametrize("make", [Implicit, Sliced])
@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_trace_losses_minimiser(make, smoothing):
    """a = 1/(1 + h²) (T.1, T.3, T.4), the precision of the smoothed data."""
    a, error = minimiser(make(smoothing))
    assert abs(a - 1 / (1 + smoothing**2)) < 4 * error
    assert error < 0.02


def test_sliced_estimates_implicit():
    """On a network with ten inputs: the same value within the slices' standard error, nearly the same
    parameter gradient.
    """
    network = MLP(hidden=16, depth=2).build(10, torch.Generator().manual_seed(0)).double()
    z = torch.randn(4000, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients = []
    for loss in (Implicit(0.0), Sliced(0.0)):
        network.zero_grad()
        value = loss(network, z, torch.Generator().manual_seed(2))
        value.backward()
        gradients.append(
            (
                float(value.detach()),
                torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]),
            )
        )
    (exact, g), (sliced, estimate) = gradients
    assert abs(exact - sliced) < 0.02
    assert float(torch.cosine_similarity(g, estimate, dim=0)) > 0.95


@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss_learns_a_gaussian(kind):
    """Every loss of the table, from its example, by gradient descent: a ends between 1/(1 + σ²) of its
    smoothing and 1.
    """
    fields = {name: value for name, value in LOSSES[kind].example.items() if name != "kind"}
    loss, model = LOSSES[kind](**fields), Quadratic(0.3)
    z = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    optimizer, generator = torch.optim.Adam(model.parameters(), lr=0.02), torch.Generator().manual_seed(1)
    for _ in range(150):
        optimizer.zero_grad()
        loss(model, z, generator).backward()
        optimizer.step()
    assert 0.85 < float(model.a.detach()) < 1.1


def test_whitening_whitens():
    rows = SklearnTable("breast_cancer", ["mean_radius", "mean_perimeter", "mean_area"]).load(0)
    coordinates = whiten(rows.values, rows.columns)
    z = coordinates.inverse(rows.values)
    torch.testing.assert_close(z.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-8, rtol=0)
    torch.testing.assert_close(torch.cov(z.T), torch.eye(3, dtype=torch.float64), atol=1e-8, rtol=0)
    torch.testing.assert_close(coordinates(z), rows.values, atol=1e-9, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: torch.cat([v, 2 * v[:, :1] + 1], 1), "columns a, c determine each other exactly"),
        (lambda v: torch.cat([v, v[:, :1] - v[:, 1:2]], 1), "columns a, b, c determine each other exactly"),
        (lambda v: torch.cat([v, torch.full_like(v[:, :1], 7.0)], 1), "column 'c' is constant"),
        (lambda v: torch.cat([v, 1e-300 * v[:, :1]], 1), "column 'c' holds numbers of size .*smaller units"),
        (lambda v: torch.cat([v, 1.7e18 + 1e4 * v[:, :1]], 1), "column 'c' is within .*subtract a constant"),
        (lambda v: torch.cat([v, v[:, :1]], 1)[:3], "3 rows are too few for 3 columns"),
    ],
)
def test_degenerate_tables_are_refused(change, message):
    values = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with pytest.raises(BadInput, match=message):
        whiten(change(values), ["a", "b", "c"])


def test_trained_weights_are_a_function_of_the_seed():
    first, again, other = (QUICK.train(seed)[0].inner.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["trunk.readout"], other["trunk.readout"])


def test_progress_and_history():
    seen = []
    result = QUICK.train(0, lambda *call: seen.append(call))[1]
    assert [call[0] for call in seen] == list(range(1, 81))
    assert {call[1] for call in seen} == {80}
    assert seen[0][3] is None and seen[-1][3] == result["history"][-1]["held_out"]
    assert result["held_out"] == min(check["held_out"] for check in result["history"])


def test_early_stopping_keeps_the_best():
    """Thirty rows and a large network overfit at once: training stops long before its last step."""
    z = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    network = MLP(hidden=64, depth=2).build(2, torch.Generator().manual_seed(0))
    settings = TrainingSettings(
        steps=4000, batch_size=64, learning_rate=1e-2, held_out=0.3, patience=3, ema=0.0
    )
    result = fit(network, z, Denoising(0.05), settings, Key(0))
    assert result.history[-1].step < 2000
    assert result.held_out < result.history[-1].held_out


def test_divergence_names_step_and_value():
    settings = TrainingSettings(steps=500, batch_size=32, learning_rate=1e30, clip=1e30)
    network = MLP(hidden=4, depth=1).build(2, torch.Generator().manual_seed(0))
    with pytest.raises(
        NumericalFailure, match=r"diverged at step \d+: the loss is .*lower training.learning_rate"
    ):
        fit(
            network,
            torch.randn(100, 2, generator=torch.Generator().manual_seed(0)),
            Denoising(0.1),
            settings,
            Key(0),
        )


@pytest.mark.parametrize("loss", [Denoising(0.3), Implicit(0.3), Sliced(0.3)])
def test_trained_energy_is_the_data_smoothed(loss):
    """On N(m, Σ) rows the learned ∇U is (Σ_σ)⁻¹(x − m), Σ_σ = (1 + σ²)Σ because the noise is added in
    whitened coordinates.
    """

    class Correlated(Planar):
        samples = 20_000

        def draw(self, generator, n):
            root = torch.tensor([[2.0, 0.0], [1.5, 0.4]], dtype=torch.float64)
            return (
                torch.tensor([3.0, -1.0])
                + torch.randn(n, 2, generator=generator, dtype=torch.float64) @ root.T
            )

    settings = TrainingSettings(steps=600, batch_size=512, learning_rate=5e-3, ema=0.99)
    source = Correlated()
    energy, _ = Trained(source, MLP(hidden=32, depth=2), loss, settings).train(0)
    x = source.draw(torch.Generator().manual_seed(5), 2000)
    Σ = torch.tensor([[4.0, 3.0], [3.0, 2.41]], dtype=torch.float64)
    expected = (x - torch.tensor([3.0, -1.0])) @ torch.linalg.inv(Σ) / 1.09
    _, gradient = energy.value_and_gradient(x)
    whitened = (gradient - expected) @ torch.linalg.cholesky(Σ)
    assert float(whitened.square().sum(1).mean()) < 0.02 * 2
    assert (
        float((gradient @ torch.linalg.cholesky(Σ)).square().sum(1).mean()) > 1
    )  # and not because everything is 0


def test_trained_energy_is_frozen():
    assert not any(p.requires_grad for p in QUICK.train(0)[0].parameters())


def test_cache_round_trip(tmp_path):
    energy, origin = QUICK.load_or_train(0, tmp_path)
    again, second = QUICK.load_or_train(0, tmp_path)
    assert (origin, second) == ("trained", "cached")
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for a, b in zip(energy.value_and_gradient(x), again.value_and_gradient(x), strict=True):
        assert torch.equal(a, b)
    saved = load_energy(QUICK.path(0, tmp_path))
    assert saved.columns == ("x0", "x1")
    assert saved.metadata["fingerprint"] == QUICK.fingerprint(0)
    assert math.isfinite(saved.metadata["held_out"]) and saved.metadata["history"][-1]["step"] == 80
    assert [p.name for p in QUICK.path(0, tmp_path).parent.iterdir()] == ["energy.safetensors"]


def test_fingerprint_counts_everything():
    variants = [
        QUICK.fingerprint(1),
        Trained(EightGaussians(samples=401), QUICK.network, QUICK.loss, QUICK.training).fingerprint(0),
        Trained(QUICK.data, MLP(hidden=9, depth=2), QUICK.loss, QUICK.training).fingerprint(0),
        Trained(QUICK.data, QUICK.network, Denoising(0.31), QUICK.training).fingerprint(0),
        Trained(QUICK.data, QUICK.network, QUICK.loss, TrainingSettings(steps=81, batch_size=64)).fingerprint(
            0
        ),
    ]
    assert len({QUICK.fingerprint(0), *variants}) == 6


def test_damaged_cache_is_trained_over(tmp_path):
    QUICK.load_or_train(0, tmp_path)
    path = QUICK.path(0, tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadInput, match="not a complete safetensors file"):
        load_energy(path)
    assert QUICK.load_or_train(0, tmp_path)[1] == "trained"
    assert load_energy(path).columns == ("x0", "x1")


def test_foreign_files_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(BadInput, match="lem-safe did not write it"):
        load_energy(tmp_path / "foreign.safetensors")
    with pytest.raises(BadInput, match="no such file"):
        load_energy(tmp_path / "absent.safetensors")


def test_a_cache_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="set LEM_SAFE_CACHE"):
        QUICK.load_or_train(0, tmp_path / "file")


def test_cache_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path))
    assert QUICK.path(0).parent.parent == tmp_path


# ---- the optimiser's arithmetic
# ----------------------------------------------------------------------------------------------------------


class Steep(Loss):
    """A loss with slope 3 in a."""

    def __call__(self, energy, z, generator):
        return 3.0 * energy.a


def the_schedule() -> None:
    """200 steps: a tenth of 11 parts at once, full after 10, .505 halfway down, a hundredth at the end."""
    expected = {0: 1 / 11, 4: 5 / 11, 9: 10 / 11, 10: 1.0, 105: 0.01 + 0.99 * 0.5, 200: 0.01}
    for step, value in expected.items():
        assert learner.rate(step, 200) == pytest.approx(value, abs=1e-12)


def the_clip() -> None:
    """A gradient of 3 is shortened to .5 before AdamW: its first moment is (1 − .9)·.5; the norm told is what
    it was.
    """
    one = learner.Learner(
        Quadratic(1.0), TrainingSettings(steps=10, batch_size=4, clip=0.5), torch.Generator().manual_seed(0)
    )
    _, norm = one.advance(torch.zeros(8, 1, dtype=torch.float64), Steep())
    assert norm == pytest.approx(3.0)
    assert float(one.entry().tensors["moments.0.exp_avg"]) == pytest.approx(0.05, rel=1e-5)


def the_average() -> None:
    """a₀ = 2, and v₁ = v₀ + (1 − min(ema, 1/11))(a₁ − v₀), v₂ = v₁ + (1 − min(ema, 2/12))(a₂ − v₁); an ema of
    .1 holds for the second.
    """
    for ema, kept in ((0.999, (1 / 11, 2 / 12)), (0.1, (1 / 11, 0.1))):
        settings = TrainingSettings(steps=10, batch_size=4, learning_rate=0.5, ema=ema)
        one, v = learner.Learner(Quadratic(2.0), settings, torch.Generator().manual_seed(0)), 2.0
        for share in kept:
            one.advance(torch.zeros(8, 1, dtype=torch.float64), Steep())
            v += (1 - share) * (float(one.model.a) - v)
            assert float(one.average.a) == pytest.approx(v, rel=1e-6)


@pytest.mark.parametrize("check", [the_schedule, the_clip, the_average])
def test_the_optimisers_arithmetic(check):
    check()


@pytest.mark.parametrize(
    ("check", "owner", "name", "fault"),
    [
        (
            the_schedule,
            learner,
            "rate",
            lambda step, steps: 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)),
        ),
        (the_clip, nn.utils, "clip_grad_norm_", lambda weights, clip: weights[0].grad.norm()),
        (
            the_average,
            torch,
            "_foreach_lerp_",
            lambda averages, weights, share: [a.copy_(w) for a, w in zip(averages, weights, strict=True)],
        ),
    ],
    ids=["no warm-up", "no clipping", "no average"],
)
def test_planted_faults_of_the_optimiser_are_found(check, owner, name, fault, monkeypatch):
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError):
        check()
