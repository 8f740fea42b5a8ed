"""Energy Matching and several scales at once: what each loss is least at, on Gaussian data, in closed form;
and what early stopping sees.
"""

import math

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from truths.energies import Parabola

from lem_safe.energies.network import Trainable
from lem_safe.errors import NumericalFailure
from lem_safe.keys import Key
from lem_safe.training import EnergyMatching, MultiScale, TrainingSettings, fit
from lem_safe.training import energy_matching as em
from lem_safe.training.energy_matching import Contrastive, Flow
from lem_safe.training.loss import stages
from lem_safe.training.losses import Denoising

pytestmark = pytest.mark.simulation

F64 = torch.float64


def noise(seed: int, n: int, d: int = 1) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64)


def vertex(loss, z: Tensor, seed: int) -> float:
    """Where a loss that is a parabola in a of U = ax²/2 is least."""
    low, mid, high = (
        float(loss(Parabola(a), z, torch.Generator().manual_seed(seed)).detach()) for a in (-1.0, 0.0, 1.0)
    )
    assert low - 2 * mid + high > 0
    return (low - high) / (2 * (low - 2 * mid + high))


def with_error(estimates: list[float]) -> tuple[float, float]:
    found = torch.tensor(estimates, dtype=F64)
    return float(found.mean()), float(found.std()) / len(estimates) ** 0.5


@pytest.mark.parametrize(
    ("sigmas", "weights"), [([0.7], None), ([0.3, 1.0], None), ([0.2, 0.5, 2.0], [6.0, 3.0, 1.0])]
)
def test_several_scales_in_a_parabola(sigmas, weights):
    """a = 1/(1 + Σw_kσ_k²), the precision of the mixture (T.6); equal terms instead of equal weights would
    give another.
    """
    w = torch.tensor(weights or [1.0] * len(sigmas), dtype=F64)
    s2 = torch.tensor(sigmas, dtype=F64).square()
    expected = float(1 / (1 + (w * s2).sum() / w.sum()))
    a, error = with_error([vertex(MultiScale(sigmas, weights), noise(k, 20_000), 50 + k) for k in range(16)])
    assert error < 0.02
    assert abs(a - expected) < 4 * error
    if len(sigmas) > 1:
        equal_terms = float(1 / (1 + s2.square().sum() / s2.sum()))
        assert abs(a - equal_terms) > 8 * error


class Mixture(Trainable):
    """U = −log((1 − b)N(0, v₁) + bN(0, v₂)): the family that holds the minimiser at two scales, b to
    learn.
    """

    dimension = 1

    def __init__(self, b: float, v1: float, v2: float):
        super().__init__()
        self.b, self.v = nn.Parameter(torch.tensor(b, dtype=F64)), torch.tensor([v1, v2], dtype=F64)

    def forward(self, x):
        logs = torch.stack([1 - self.b, self.b]).log() - 0.5 * self.v.log() - 0.5 * x.square() / self.v
        return -logs.logsumexp(-1)

    def gradient(self, x):
        logs = torch.stack([1 - self.b, self.b]).log() - 0.5 * self.v.log() - 0.5 * x.square() / self.v
        return x * (logs.softmax(-1) / self.v).sum(-1, keepdim=True)

    def value_and_gradient(self, x):
        return self(x).detach(), self.gradient(x).detach()

    def laplacian(self, x, directions=None):
        raise AssertionError("no loss here needs it")


def test_two_scales_learn_their_mixture():
    """With weights (.8, .2) the derivative in b of the loss vanishes at b = .2, is negative before it and
    positive after (T.6).
    """
    loss, slopes = MultiScale([0.5, 3.0], [0.8, 0.2]), {}
    for b in (0.1, 0.2, 0.4):
        estimates = []
        for k in range(16):
            model = Mixture(b, 1.25, 10.0)
            loss(model, noise(k, 20_000), torch.Generator().manual_seed(90 + k)).backward()
            estimates.append(float(model.b.grad))
        slopes[b] = with_error(estimates)
    assert abs(slopes[0.2][0]) < 4 * slopes[0.2][1]
    assert slopes[0.1][0] < -8 * slopes[0.1][1]
    assert slopes[0.4][0] > 8 * slopes[0.4][1]


def test_one_scale_is_denoising():
    values = [
        float(f(Parabola(0.7), noise(0, 500), Key(1).generator()).detach())
        for f in (MultiScale([0.4]), Denoising(0.4))
    ]
    assert math.isclose(*values, rel_tol=1e-12)


@pytest.mark.parametrize("ε", [0.1, 1.0])
def test_flow_minimiser(ε, monkeypatch):
    """εa = 3(1 − s²)/(2(1 + s + s²)) for N(0, s²) rows (T.5); paired at random it is 3(1 − s²)/(2(1 + s²)),
    half as much again.
    """
    s = 0.5
    expected, unpaired = 3 * (1 - s * s) / (2 * (1 + s + s * s)), 3 * (1 - s * s) / (2 * (1 + s * s))
    b, error = with_error([ε * vertex(Flow(ε), s * noise(k, 250), 20 + k) for k in range(24)])
    assert error < 0.03
    assert abs(b - expected) < 4 * error + 0.02  # a batch of 250 is paired as itself, not as its law
    monkeypatch.setattr(em, "assignment", lambda x, y: torch.arange(len(x)))
    b, error = with_error([ε * vertex(Flow(ε), s * noise(k, 250), 20 + k) for k in range(24)])
    assert abs(b - unpaired) < 4 * error


def test_flow_up_to_the_horizon():
    """For t ≤ τ: εa = (1 − s)E[c]/E[c²], c = 1 − (1 − s)t, of t uniform in [0, τ]."""
    s, τ = 0.5, 0.4
    t = torch.linspace(0, τ, 10_001, dtype=F64)
    c = 1 - (1 - s) * t
    b, error = with_error([vertex(Flow(1.0, τ), s * noise(k, 250), 20 + k) for k in range(24)])
    assert abs(b - float((1 - s) * c.mean() / c.square().mean())) < 4 * error + 0.02


def test_assignment_is_optimal():
    """In one dimension it sorts; in three it costs what scipy's costs, and no random pairing costs less."""
    x, y = noise(0, 200), noise(1, 200)
    assert torch.equal(y[em.assignment(x, y)][x[:, 0].argsort()], y.sort(0)[0])
    x, y = noise(2, 60, 3), noise(3, 60, 3)
    cost = torch.cdist(x, y).square()
    least = float(cost[linear_sum_assignment(cost.numpy())].sum())
    assert math.isclose(float((x - y[em.assignment(x, y)]).square().sum()), least, rel_tol=1e-9)
    others = [float((x - y[Key(k).permutation(60)]).square().sum()) for k in range(50)]
    assert least < min(others)


@pytest.mark.parametrize("from_data", [0.0, 1.0, 0.25])
@pytest.mark.parametrize("a", [0.5, 1.0, 3.0])
def test_contrastive_gradient(a, from_data):
    """dL/da = ε(E x² − E y²)/2, and the negatives' variance follows v' = (1 − ha)²v + 2h from where they
    begin (T.5).
    """
    ε, h, k, s2, n = 0.3, 0.1, 12, 0.49, 40_000
    decay = (1 - h * a) ** (2 * k)
    stationary = 2 * h / (1 - (1 - h * a) ** 2)
    begin = from_data * s2 + (1 - from_data) * 1.0
    expected = 0.5 * ε * (s2 - (decay * begin + (1 - decay) * stationary))
    found = []
    for seed in range(12):
        model = Parabola(a)
        Contrastive(ε, k, h, from_data)(
            model, s2**0.5 * noise(seed, n), torch.Generator().manual_seed(70 + seed)
        ).backward()
        found.append(float(model.a.grad))
    mean, error = with_error(found)
    assert error < 2e-3
    assert abs(mean - expected) < 4 * error


def test_contrastive_descent_ends_where_the_variances_agree():
    """From rows, at the a whose Euler chain has the data's variance, 2h/(1 − (1 − ha)²) = s²: not at 1/s²."""
    h, s2 = 0.25, 0.7
    expected = (1 - math.sqrt(1 - 2 * h / s2)) / h
    loss, model = Contrastive(1.0, 20, h, 1.0), Parabola(0.8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4)
    tail = []
    for k in range(150):
        optimizer.zero_grad()
        loss(model, s2**0.5 * noise(k, 2000), torch.Generator().manual_seed(k + 10_000)).backward()
        optimizer.step()
        tail.append(float(model.a.detach()))
    assert abs(sum(tail[50:]) / 100 - expected) < 0.03
    assert expected - 1 / s2 > 0.25


def test_stages_and_their_ends():
    plan = stages(
        EnergyMatching(
            temperature=0.2, warm_up=0.3, horizon=0.5, negative_steps=7, step_size=0.01, from_data=0.1
        )
    )
    assert [stage.until for stage in plan] == [0.3, 1.0]
    assert plan[0].loss == Flow(0.2, 0.5)
    assert plan[1].loss == Contrastive(0.2, 7, 0.01, 0.1)
    assert [stage.until for stage in stages(EnergyMatching(warm_up=0.0))] == [1.0]
    assert stages(Denoising(0.1)) == ((1.0, Denoising(0.1)),)


def test_score_is_least_at_the_truth():
    """The energy distance between rows and negatives: nearly 0 for the data's own energy, more for one too
    wide or too narrow.
    """
    loss, z = EnergyMatching(negative_steps=40, step_size=0.05), noise(0, 2000)
    scores = {a: float(loss.score(Parabola(a), z, torch.Generator().manual_seed(1))) for a in (0.3, 1.0, 4.0)}
    assert abs(scores[1.0]) < 0.01
    assert scores[0.3] > 0.05 and scores[4.0] > 0.05


def test_energy_distance_of_shifted_normals():
    """2E|X − Y| − E|X − X'| − E|Y − Y'| for N(0,1) and N(m,1), by the folded normal's mean."""
    m, n = 1.5, 2000
    folded = 2 / math.sqrt(math.pi) * math.exp(-m * m / 4) + m * math.erf(m / 2)
    expected = 2 * folded - 4 / math.sqrt(math.pi)
    found, error = with_error(
        [float(em.energy_distance(noise(k, n), m + noise(99 + k, n))) for k in range(6)]
    )
    assert abs(found - expected) < 5 * error + 1e-3


def test_negatives_that_diverge_are_named():
    settings = TrainingSettings(steps=10, batch_size=32)
    with pytest.raises(
        NumericalFailure,
        match=r"training diverged at step 1: Langevin negatives .*loss.step_size = 30; make it smaller",
    ):
        fit(
            Parabola(2.0),
            noise(0, 200),
            EnergyMatching(warm_up=0.0, negative_steps=2000, step_size=30.0),
            settings,
            Key(0),
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiScale([0.1, 0.0]), "sigmas must be > 0"),
        (lambda: MultiScale([0.1, 0.2], [1.0]), "weights must have one entry a scale: 2; got 1"),
        (lambda: MultiScale([0.1], [-1.0]), "weights must be > 0"),
        (lambda: MultiScale([]), "at least one scale"),
        (lambda: EnergyMatching(temperature=0.0), "temperature must be > 0"),
        (lambda: EnergyMatching(negative_steps=0), "negative_steps must be >= 1"),
        (lambda: EnergyMatching(warm_up=1.0), "warm_up must be in [0, 1)"),
        (lambda: EnergyMatching(from_data=1.5), "from_data must be in [0, 1]"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)
