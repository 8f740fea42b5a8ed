"""The paper's statements about KL as a Lyapunov function, on energies whose laws are known: when to stop, how
long, and how far it is.
"""

import math

import numpy as np
import pytest
import torch
from truths.clouds import F64, cloud
from truths.lyapunov import draws, eight, tempered

from lem_safe.energies import DoubleWell, Gaussian, GaussianMixture
from lem_safe.errors import NumericalFailure
from lem_safe.keys import Key
from lem_safe.lyapunov import (
    Beginning,
    FlowTrack,
    Look,
    density,
    divergence_volume,
    fitted,
    gaussian_bias,
    isotropic,
    jacobian_volume,
    langevin_budget,
    langevin_kl,
    langevin_variance,
    log_sobolev,
    noise_floor,
    normal_kl,
    stein_discrepancy,
    track_flow,
    upward_crossing,
    wasserstein2,
)
from lem_safe.lyapunov.budget import Budget
from lem_safe.lyapunov.density import Volume
from lem_safe.lyapunov.stopping import FlowRatio, SteinBelow, Steps
from lem_safe.samplers import Langevin

pytestmark = pytest.mark.simulation

STEPS, H = 200, 0.005


def _track(seed: int, n: int = 2000) -> FlowTrack:
    """Eight Gaussians, radius 4, σ = .5, h = .005, from N(0, 4I)."""
    return track_flow(eight(), 2 * cloud(n, seed), isotropic(2, 2.0).log_density, H, STEPS, keep=(0, 55, 200))


@pytest.mark.parametrize("seed", range(5))
def test_the_ratio_finds_the_minimum_of_exact_kl(seed: int) -> None:
    track = _track(seed)
    found = upward_crossing(track.ratio)
    assert found is not None and 40 <= found <= 60
    assert abs(found - track.best) <= 1
    assert track.kl[STEPS] > 4 * track.kl[found]
    assert track.kl[0] > 4 * track.kl[found]
    assert (np.diff(track.kl)[: found - 1] < 0).all() and (np.diff(track.kl)[found + 1 :] > 0).all()
    assert (np.diff(track.energy) < 0).all()  # E U falls all along: what it would be to trust the energy


def test_w2_agrees_that_the_flow_must_stop() -> None:
    track, law = _track(0), draws(eight(), 1000, 9).numpy()
    far = {k: wasserstein2(x[:500].numpy(), law[:500]) for k, x in track.clouds.items()}
    floor, _ = noise_floor(law, 500, repeats=2)
    assert floor < far[55] < far[200] < far[0]


@pytest.mark.parametrize("volume", [jacobian_volume, divergence_volume])
def test_kl_along_the_flow_is_the_closed_form_on_gaussians(volume: Volume) -> None:
    """To 1 %, against the continuous flow v_t = s²e^{−2t/σ²}; its minimum is where v_t = σ²."""
    s, σ, h = 2.0, 0.7, 0.0005
    x = cloud(100)
    x = s * x / x.square().mean().sqrt()  # KL depends on the cloud by this moment alone
    track = track_flow(
        Gaussian([0.0, 0.0], σ).double(), x, isotropic(2, s).log_density, h, round(0.6 / h), volume=volume
    )
    v = s**2 * np.exp(-2 * h * track.step / σ**2) / σ**2
    exact = v - 1 - np.log(v)
    euler = (
        track.step * h**2 * 2 / (2 * σ**4) if volume is divergence_volume else 0
    )  # Σ of −log det(I − hH) − h tr H
    assert (np.abs(track.kl - exact) < 0.01 * np.maximum(exact, 0.05) + euler).all()
    turn = σ**2 * math.log(s / σ) / h
    found = upward_crossing(track.ratio)
    assert found is not None and abs(found - turn) <= 2 and abs(track.best - found) <= 1


def test_the_kernel_estimate_of_langevins_kl_is_too_low_and_half_of_the_particles_tell_by_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Jensen: E log ρ̂ ≤ log E ρ̂ = log ρ. On the same particles as the true density, so that only the
    estimate's own error is left.
    """
    monkeypatch.setattr(density, "BIAS", 1.0)  # more than anybody is given, so that it is seen
    h, seeds, U = 0.01, 12, Gaussian([0.0, 0.0], 1.0).double()
    law = isotropic(2, math.sqrt((1 - h) ** 2 * 1.44 + 2 * h))
    found = {}
    for n in (500, 2000):
        errors = []
        for seed in range(seeds):
            x = 1.2 * Key(seed).normal(torch.empty(n, 2, dtype=F64))
            y = x - h * x + math.sqrt(2 * h) * Key(seed).fold("noise").normal(x)
            kl, _, correction = langevin_kl(U, x, y, h)
            errors.append(
                (kl - correction - (exact := float((law.log_density(y) + U(y)).mean())), kl - exact)
            )
        (plain, corrected), noise = np.mean(errors, 0), 4 * np.std(errors, axis=0, ddof=1) / math.sqrt(seeds)
        assert plain < -noise[0] and -0.5 * abs(plain) - noise[1] < corrected < noise[1]
        found[n] = (plain, noise[0])
    assert found[500][0] + found[500][1] < found[2000][0] - found[2000][1]


def test_a_kernel_estimate_in_many_dimensions_is_refused() -> None:
    """4,000 particles in 20 dimensions: uncorrected it would be -30 for .45."""
    U, h = Gaussian([0.0] * 20, 1.0).double(), 0.05
    x = Key(0).normal(torch.empty(1000, 20, dtype=F64))
    with pytest.raises(NumericalFailure, match="1,000 particles in 20 dimensions are too few for a density"):
        langevin_kl(U, x, x - h * x + math.sqrt(2 * h) * Key(1).normal(x), h)


@pytest.mark.parametrize(("s", "σ"), [(2.0, 0.7), (0.3, 1.0)])
def test_langevin_kl_falls_as_its_closed_form_and_the_budget_suffices(s: float, σ: float) -> None:
    """A cloud's KL by its moments, to 1 % of the discrete chain's; at τ_Lang it is at most ε; and it falls at
    every step of the law.
    """
    n, h, ε = 40_000, 0.02, 0.02
    U, target = Gaussian([0.0, 0.0], σ).double(), isotropic(2, σ)
    C = log_sobolev(U)
    assert C is not None and C.value == pytest.approx(1 / σ**2)
    steps = math.ceil(langevin_budget(normal_kl(isotropic(2, s), target), ε, C) / h)
    sampler, state = Langevin(U, h), Langevin(U, h).init(s * cloud(n))
    for k in range(steps):
        if k % 5 == 0:
            exact = normal_kl(isotropic(2, math.sqrt(langevin_variance(s * s, σ * σ, h, k))), target)
            noise = 4 * abs(langevin_variance(s * s, σ * σ, h, k) / σ**2 - 1) / math.sqrt(n) + (
                5 + 4 * math.sqrt(10)
            ) / (2 * n)  # χ²₅/2n at 0
            assert abs(normal_kl(fitted(state.x), target) - exact) < 0.01 * exact + noise
        state, _ = sampler.step(Key(0).fold(k), state)
    assert normal_kl(fitted(state.x), target) <= ε
    law = [
        normal_kl(isotropic(2, math.sqrt(langevin_variance(s * s, σ * σ, h, k))), target)
        for k in range(steps)
    ]
    assert (np.diff(law) < 0).all()


@pytest.mark.parametrize("temperature", [0.15, 0.01])
def test_at_a_temperature_the_rule_stops_at_the_minimum_of_kl(temperature: float) -> None:
    V, U = tempered(eight(), temperature)
    x, law = 2 * cloud(1000, 3), isotropic(2, 2.0)
    track = track_flow(U, x, law.log_density, H, 80)
    rules = [FlowRatio(Beginning(energy, x, law, H, 80)) for energy in (U, V)]
    stopped = []
    for rule in rules:
        looks, y = [rule.look(0, x)], x
        for k in range(1, 81):
            y = y - H * U.value_and_gradient(y)[1]
            looks.append(rule.look(k, y))
            if rule.verdict(looks, k):
                break
        stopped.append(k)
        ratio = looks[0].value
        assert abs(ratio * (1 if rule is rules[0] else temperature) - track.ratio[0]) < 1e-6
    assert abs(stopped[0] - track.best) <= 1 and abs(stopped[1] - track.best) > 5


def test_a_step_that_folds_the_cloud_is_refused() -> None:
    U = Gaussian([0.0, 0.0], [0.1, 1.0]).double()
    with pytest.raises(
        NumericalFailure, match="a step of 0.02 folds the cloud over itself at 30 of 30 particles"
    ):
        track_flow(U, cloud(30), isotropic(2, 1.0).log_density, 0.02, 2)
    with pytest.raises(NumericalFailure, match="the cloud is not finite"):
        track_flow(
            Gaussian([0.0], 1e-3).double(),
            cloud(5, d=1),
            isotropic(1, 1.0).log_density,
            1.0,
            200,
            volume=divergence_volume,
        )


def _beginning(steps: int = 500, h: float = 0.01, s: float = 2.0, std: float = 0.7) -> Beginning:
    return Beginning(Gaussian([0.0, 0.0], std).double(), s * cloud(2000), isotropic(2, s), h, steps)


def test_a_budget_says_where_its_constant_comes_from() -> None:
    start = _beginning()
    for settings, origin in [
        ({}, "Bakry-Emery"),
        ({"constant": 2.0}, "given"),
        ({"constant": 2.0, "oscillation": 0.3}, "Holley-Stroock"),
    ]:
        rule = Budget(start, 0.01, **settings)  # type: ignore[arg-type]
        fired = next(k for k in range(1, 10_000) if rule.verdict([], k))
        assert rule.every == 0 and origin in str(rule.verdict([], fired))
        C = {"Bakry-Emery": 1 / 0.49, "given": 2.0, "Holley-Stroock": 2.0 * math.exp(-0.3)}[origin]
        left = (0.01**0.5 - gaussian_bias([1 / 0.49] * 2, 0.01) ** 0.5) ** 2
        assert fired == math.ceil(math.log(rule.start_kl(rule.constant) / left) / (2 * C) / 0.01)  # type: ignore[arg-type]
        assert "the step size alone leaves 5.3e-05 nats for good, which is counted" in str(
            rule.verdict([], fired)
        )
        assert rule.start_kl(rule.constant) >= normal_kl(isotropic(2, 2.0), isotropic(2, 0.7))  # type: ignore[arg-type]
        assert "before its budget" in rule.silence([], fired - 1)
    assert Budget(start, 0.01, initial=5.0).start_kl(rule.constant) == 5.0  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="oscillation needs constant"):
        Budget(start, 0.01, oscillation=1.0)
    with pytest.raises(ValueError, match="give `initial`, in nats"):
        Budget(Beginning(start.energy, start.x, None, 0.01, 10), 0.01)


def test_a_measured_constant_stops_a_run_and_is_called_measured() -> None:
    """From N(0, 4I) the eight Gaussians' C is not known; its decay is seen in KSD², above 4 standard errors
    of noise.
    """
    U, h = eight(1.5, 0.7), 0.01
    x = torch.tensor([2.0, 0.0], dtype=F64) + 0.3 * cloud(1500)
    rule = Budget(Beginning(U, x, None, h, 4000), 0.05, initial=2.0, samples=600)
    assert rule.constant is None and rule.every == 20
    sampler, looks = Langevin(U, h), [rule.look(0, x)]
    state = sampler.init(x)
    for k in range(1, 401):
        state, _ = sampler.step(Key(4).fold(k), state)
        if rule.due(k):
            looks.append(rule.look(k, state.x))
            if reason := rule.verdict(looks, k):
                break
    else:
        pytest.fail(rule.silence(looks, 400))
    assert "(measured)" in reason
    C = float(reason.split("C = ")[1].split()[0])
    assert 0.1 < C < 1.5 and k >= math.log(2.0 / 0.05) / (2 * C) / h - 1
    assert "could be measured" in rule.silence(looks[:3], 40)


def test_the_stein_rule_waits_for_the_discrepancy_and_says_when_it_cannot() -> None:
    U, start = Gaussian([0.0, 0.0], 0.7).double(), _beginning()
    rule = SteinBelow(start, 0.2)
    far, near = rule.look(20, 2 * cloud(500)), rule.look(40, 0.7 * cloud(500))
    exact = stein_discrepancy(U, 0.7 * cloud(500))
    assert near.value == exact.u and near.error == exact.error
    assert rule.verdict([far], 20) is None and "below 0.2 at step 40" in str(rule.verdict([far, near], 40))
    assert rule.verdict([far, near], 41) is None  # judged where it looked
    hopeless = SteinBelow(start, 0.01)
    assert hopeless.verdict([near], 40) is None
    assert "take more stop.samples" in hopeless.silence([near], 40) and "was never below 0.2" in rule.silence(
        [far], 20
    )


def test_rules_that_never_fire_say_why() -> None:
    rule = FlowRatio(_beginning())
    assert "take more steps" in rule.silence([Look(0, 0.1, 0.01), Look(1, 0.4, 0.01)], 1)
    assert "was never below 1" in rule.silence([Look(0, 1.5, 0.01), Look(1, 1.4, 0.01)], 1)
    assert Steps().verdict([], 5) is None and "all 5 steps" in Steps().silence([], 5)


def test_the_flow_forgets_what_langevin_keeps() -> None:
    """A cloud drawn from ρ_U itself: the flow moves it away, Langevin dynamics keep it (L.7)."""
    U = eight()
    x = draws(U, 2000, 1)
    track = track_flow(U, x, lambda y: -U(y), H, 60, keep=(60,))  # U is normalised: −U is the log density
    assert abs(track.kl[0]) < 1e-12 and track.kl[60] > 0.3 and upward_crossing(track.ratio[20:]) is None
    sampler = Langevin(U, H)
    state = sampler.init(x)
    for k in range(60):
        state, _ = sampler.step(Key(2).fold(k), state)
    kept, lost = stein_discrepancy(U, state.x), stein_discrepancy(U, track.clouds[60])
    assert kept.u < 4 * kept.error and lost.u > 10 * lost.error


def test_a_bandwidth_of_copies_keeps_its_unit() -> None:
    """Nine particles in ten at one place: c is the median distance of those that differ, a thousand times as
    large in units as small.
    """
    x = cloud(100, 3)
    x[:90] = x[0]
    U, large = Gaussian([0.0, 0.0], 1.0), Gaussian([0.0, 0.0], 1000.0)
    c, far = stein_discrepancy(U, x).bandwidth, stein_discrepancy(large, 1000 * x).bandwidth
    assert abs(far / c - 1000) < 1e-9 and c != 1.0


def test_a_bias_that_is_not_known_is_said_to_be() -> None:
    """Nothing is known of a double well's; of a mixture's about so much, by its own draws."""
    well = Beginning(DoubleWell(2, 1.0).double(), cloud(50), isotropic(2, 1.0), 0.01, 10)
    assert "not counted: what the step size leaves for good, an unknown KL of order 0.01 squared" in Budget(
        well, 0.1
    ).silence([], 1)
    mixture = GaussianMixture([[0.5, 0.0], [-0.5, 0.0]], 1.0).double()
    rough = Beginning(mixture, cloud(50), isotropic(2, 1.0), 0.2, 10)
    assert "the step size alone leaves about 0.00" in Budget(rough, 0.1).silence([], 1)
    assert "more than the 0.001 asked for: take a smaller sampler.step_size" in Budget(rough, 0.001).silence(
        [], 1
    )
