"""Birth and death (E.13, E.14): the density of new places against scipy, its independence of the half that
moves, the ratio of the test, and what small clouds keep.
"""

import math

import torch
from scipy.stats import kstest, multivariate_normal, multivariate_t
from torch import Tensor

from barriers.filters import Gate, StepFilter, Tilt
from barriers.sets import Ball
from lem_safe.energies import GaussianMixture
from lem_safe.keys import Key
from lem_safe.samplers import BirthDeath, Mala, birth_death
from lem_safe.samplers.kernel_mixture import WIDE, KernelMixture
from lem_safe.samplers.metropolis import Place, evaluated
from truths.clouds import F64, close, cloud

SKEW = torch.tensor([[2.0, 0.3], [0.0, 0.4]], dtype=F64)


def through(points: Tensor) -> KernelMixture:
    found = KernelMixture.through(points)
    assert found is not None
    return found


def the_density_is_what_it_says() -> None:
    """log q at random places, near and far, against scipy's densities of its parts."""
    z, y = cloud(30) @ SKEW, torch.cat([cloud(20, 1) @ SKEW, 100 * cloud(5, 2)])
    q = through(z)
    near = sum(multivariate_normal(c, q.near @ q.near.T).pdf(y) for c in z) / 30
    wide = multivariate_t(z.mean(0), q.wide @ q.wide.T, df=1).pdf(y)
    close(q.log_density(y), torch.tensor((1 - WIDE) * near + WIDE * wide).log())


def draws_follow_the_density() -> None:
    """Draws in one dimension against the distribution function of q, by quadrature of its density."""
    q = through(torch.tensor([[0.0], [0.3], [0.5], [4.0], [4.2]], dtype=F64))
    y = q.draw(Key(1), torch.empty(4000, 1, dtype=F64))[:, 0]
    θ = torch.linspace(-math.pi / 2, math.pi / 2, 200_003, dtype=F64)[1:-1]  # y = tan θ
    mass = (q.log_density(θ.tan()[:, None]).exp() / θ.cos().square()).cumsum(0) * float(θ[1] - θ[0])
    assert abs(float(mass[-1]) - 1) < 1e-5
    uniform = mass[torch.searchsorted(θ, y.atan()).clamp(max=len(θ) - 1)]
    assert kstest(uniform.numpy(), "uniform").statistic < 4 / (2 * math.sqrt(4000))


def the_bandwidth_is_the_likeliest() -> None:
    """Each point left out of its own kernel: no half-octave beside the chosen one is likelier."""
    z = cloud(20) @ SKEW
    q = through(z)

    def likelihood(factor: float) -> float:
        kept = [torch.cat([z[:i], z[i + 1 :]]) for i in range(20)]
        S = factor**2 * (q.near @ q.near.T)
        return sum(
            math.log(sum(multivariate_normal(c, S).pdf(z[i]) for c in rest)) for i, rest in enumerate(kept)
        )

    chosen = likelihood(1.0)
    assert likelihood(math.sqrt(0.5)) <= chosen >= likelihood(math.sqrt(2.0))


def the_density_follows_a_change_of_units() -> None:
    """Of the points scaled column by column, up to the volume; in one dimension too."""
    for scale in (torch.tensor([1e6, 1e-3], dtype=F64), torch.tensor([50.0, 50.0], dtype=F64)):
        z, y = cloud(40) @ SKEW, cloud(10, 1)
        expected = through(z).log_density(y) - scale.log().sum()
        close(through(z * scale).log_density(y * scale), expected, 1e-6)


def those_that_move_have_no_say() -> None:
    """The same half moves, and the density of its new places is the same, wherever that half is now."""
    x = cloud(12)
    dying, q = birth_death.offered(Key(2), x, 100)
    assert len(dying) == 6 and q is not None
    other, again = birth_death.offered(Key(2), x.index_copy(0, dying, 5 + 3 * cloud(6, 1)), 100)
    assert torch.equal(other, dying) and again is not None
    y = cloud(8, 3)
    close(again.log_density(y), q.log_density(y))


def the_ratio_is_that_of_the_test() -> None:
    """e^{−U(y)}q(x)/e^{−U(x)}q(y)."""
    q, x, y = through(cloud(20)), cloud(7, 1), cloud(7, 2)
    U = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.7)
    places = [Place(z, U(z), z) for z in (x, y)]
    a = (-U(y)).exp() * q.log_density(x).exp() / ((-U(x)).exp() * q.log_density(y).exp())
    close(birth_death.log_ratio(q, *places).exp() / a, torch.ones(7, dtype=F64))


TWO = GaussianMixture([[-3.0], [2.0]], covariances=[[[0.25]], [[1.0]]], weights=[0.3, 0.7])


def small_clouds_keep_their_distribution(clouds: int = 250, n: int = 6, events: int = 3) -> None:
    """Independent clouds of six exact draws, after a few births: the share of each mode, the variance, and
    the variance of a cloud's share, which is p(1 − p)/n only for independent particles, within 4 σ.
    """
    x = TWO.sample(Key(4).generator(), clouds * n).view(clouds, n, 1)
    after = []
    for r in range(clouds):
        place = evaluated(TWO, x[r])
        for k in range(events):
            place, _ = birth_death.births(TWO, Key(5).fold(r, k), place, 100)
        after.append(place.x[:, 0])
    y = torch.stack(after)
    moved = float((y != x[..., 0]).double().mean())
    assert moved > 0.4
    exact = TWO.sample(Key(6).generator(), 400_000)[:, 0]
    p, v, m4 = (exact < -0.5).double().mean(), exact.var(), (exact - exact.mean()).pow(4).mean()
    share = (y < -0.5).double().mean(1)
    assert abs(share.mean() - p) < 4 * math.sqrt(p * (1 - p) / (clouds * n))
    assert abs((y - exact.mean()).square().mean() - v) < 4 * math.sqrt((m4 - v**2) / (clouds * n))
    spread = p * (1 - p) / n
    assert abs((share - p).square().mean() - spread) < 4 * spread * math.sqrt(2 / clouds)


WEIGHTS, BETA = (0.2, 0.4, 0.4), 0.05
CLOSED = ((1 - BETA) / 3, (1 - BETA) * 2 / 3, BETA)
"""The three modes' shares under the projection: the third lies wholly inside the set."""


def three_modes(d: int) -> GaussianMixture:
    return GaussianMixture([[c] + [0.0] * (d - 1) for c in (-6.0, 0.0, 6.0)], 0.5, weights=list(WEIGHTS))


def start(d: int, where: str, n: int) -> Tensor:
    """All particles in the first mode, or drawn from the unfiltered mixture."""
    if where == "unfiltered":
        return three_modes(d).sample(Key(1).generator(), n)
    return cloud(n, d=d) * 0.5 - 6.0 * torch.eye(d, dtype=F64)[0]


def filter_of(kind: str, d: int) -> StepFilter:
    third = Ball([6.0] + [0.0] * (d - 1), 2.5)
    μ = math.log(WEIGHTS[2] * (1 - BETA) / (BETA * (1 - WEIGHTS[2])))
    return Gate([third], [BETA]) if kind == "gate" else Tilt([third], [μ])


def shares(x: Tensor) -> tuple[float, float, float]:
    """Of the three modes."""
    mode = ((x[:, 0] / 6).round() + 1).clamp(0, 2).long()
    a, b, c = (torch.bincount(mode, minlength=3) / len(x)).tolist()
    return a, b, c


def carried(kind: str, d: int, where: str, n: int = 300, steps: int = 120) -> tuple[float, float, float]:
    """The shares of the modes at the end; under the gate, from a start within budget, the third never has
    more than its budget on the way.
    """
    sampler = BirthDeath(three_modes(d), 0.1, every=1, step_filter=filter_of(kind, d))
    state = sampler.init(start(d, where, n))
    most = max(BETA, shares(state.x)[2]) if kind == "gate" else 1.0
    for k in range(steps):
        state, _ = sampler.step(Key(8).fold(k), state)
        assert shares(state.x)[2] <= most + 1e-6
    return shares(state.x)


def mass_crosses_a_barrier() -> None:
    """From either start, under either filter: every share within 4 σ of the closed form."""
    for kind, d, where in (
        ("gate", 1, "one"),
        ("gate", 2, "unfiltered"),
        ("tilt", 2, "one"),
        ("tilt", 1, "unfiltered"),
    ):
        for found, p in zip(carried(kind, d, where), CLOSED, strict=True):
            assert abs(found - p) < 4 * math.sqrt(p * (1 - p) / 300), (kind, d, where, found, p)


def without_births_it_stays() -> None:
    """Langevin steps alone leave every share where the start has it: the first mode's is wrong by .68 or by
    .12.
    """
    for where, expected in (("one", (1.0, 0.0, 0.0)), ("unfiltered", WEIGHTS)):
        sampler = Mala(three_modes(1), 0.1, step_filter=filter_of("gate", 1))
        state = sampler.init(start(1, where, 400))
        before = shares(state.x)
        for k in range(150):
            state, _ = sampler.step(Key(8).fold(k), state)
        assert shares(state.x) == before
        assert all(abs(a - b) < 0.1 for a, b in zip(before, expected, strict=True))
