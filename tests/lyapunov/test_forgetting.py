"""Nested R̂ and drift against closed forms, and the stopping rule that uses them."""

import math

import numpy as np
import pytest
import torch

from lem_safe.energies import Gaussian
from lem_safe.lyapunov.forgetting import FORGOTTEN, STILL, drift, nested_rhat, settled
from lem_safe.lyapunov.log import Log, Look
from lem_safe.lyapunov.monitors import Monitor
from lem_safe.lyapunov.rest import Settled
from lem_safe.registry import loads
from lem_safe.runs.runner import run


def ornstein_uhlenbeck(t: float, n: int, seed: int, q: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Stationary particles at the times 0 and t: the correlation of each coordinate is e^{−t}."""
    g = np.random.default_rng(seed)
    start = g.normal(size=(n, q))
    return np.exp(-t) * start + math.sqrt(-math.expm1(-2 * t)) * g.normal(size=(n, q)), start


@pytest.mark.parametrize("t", [0.25, 0.5, 1.0, 2.0])
def test_nested_rhat_of_an_ornstein_uhlenbeck_process_is_known(t: float):
    """The start explains r² = e^{−2t} of the variance: R̂² − 1 = r²/(1 − r²). Groups by rank explain 97 to
    100 % of the start's variance; 4 standard errors of the sample's r² and of the groups' means.
    """
    n = 10_000
    now, start = ornstein_uhlenbeck(t, n, seed=1, q=1)
    r2 = math.exp(-2 * t)
    K, slope = round((2 * n) ** (1 / 3)), 1 / (1 - r2) ** 2  # of r²/(1 − r²) in r²
    error = K / n * math.sqrt(2 / (K - 1)) + slope * 2 * math.sqrt(r2 / n) * (1 - r2)
    found = nested_rhat(now, start) ** 2 - 1
    assert r2 / (1 - r2) - 4 * error - 0.03 * r2 * slope <= found <= r2 / (1 - r2) + 4 * error


def test_the_chance_in_the_means_of_groups_is_taken_away():
    """Of independent numbers B is W/M by chance; left in, 256 particles would never seem to have forgotten
    by as clear a margin: the mean of the largest of nine would be 1.03.
    """
    found = [nested_rhat(*ornstein_uhlenbeck(50.0, 256, seed)) for seed in range(40)]
    assert np.mean(found) < 1.02 and np.max(found) < FORGOTTEN
    tight = [nested_rhat(*ornstein_uhlenbeck(0.0, 256, seed)) for seed in range(3)]
    assert min(tight) > 3


def test_a_start_at_one_place_tells_nothing_and_few_particles_do_not_either():
    now, start = ornstein_uhlenbeck(1.0, 256, 0)
    assert math.isnan(nested_rhat(now, np.zeros_like(start)))
    assert math.isnan(nested_rhat(now[:15], start[:15]))
    assert math.isnan(nested_rhat(np.zeros_like(now), start)) and math.isnan(drift(now[:1], now[:1]))
    assert settled(math.nan, math.nan) is None and settled(math.nan, 1.0) and not settled(1.0, 5.0)


def test_particles_that_stay_in_the_basin_they_started_in_have_not_forgotten():
    """Two modes, no crossings: the mode is remembered for ever, whatever happens within a mode."""
    g = np.random.default_rng(0)
    mode = g.integers(0, 2, 500) * 6.0 - 3
    start, now = (mode + g.normal(size=500))[:, None], (mode + g.normal(size=500))[:, None]
    assert nested_rhat(now, start) > 2


def test_the_drift_is_in_standard_errors_over_particles():
    g = np.random.default_rng(3)
    before = g.normal(size=(400, 2))
    still = before + g.normal(size=(400, 2))
    assert drift(still, before) < STILL
    assert drift(still + [0.0, 0.5], before) == pytest.approx(0.5 * 20, abs=4)


def test_records_are_compared_with_one_in_the_first_half():
    log = Log()
    for number in range(1, 40):
        log.step.append(number)
        earlier = log.earlier()
        log.mark(np.array([[float(number)]]))
        if number >= 2:
            assert earlier is not None and number / 4 < earlier.item() <= number / 2
    assert [mark.item() for mark in log.marks] == [1, 2, 4, 8, 16, 32]


def test_the_monitor_finds_what_the_closed_form_says():
    """After the exact transition of an Ornstein–Uhlenbeck process over one unit of time."""
    torch.manual_seed(0)
    monitor, log = Monitor(Gaussian([0.0, 0.0], 1.0), 1, 4096), Log()
    start = torch.randn(4096, 2, dtype=torch.float64)
    monitor.begin(log, start)
    now = math.exp(-1) * start + math.sqrt(1 - math.exp(-2)) * torch.randn(4096, 2, dtype=torch.float64)
    monitor.look(log, 1, now)
    expected = 1 / math.sqrt(1 - math.exp(-2))
    assert log.last()["nested_rhat"] == pytest.approx(expected, abs=0.03)
    monitor.look(log, 2, now + 1.0)
    assert log.last()["drift"] > 50 or math.isinf(log.last()["drift"])


def test_the_rule_waits_for_records_in_sequence():
    rule = Settled(below=1.05, records=2)
    calm, moved, unknown = (1.01, 2.0), (1.01, 6.0), (math.nan, 1.0)
    looks = [Look(10 * i, *pair) for i, pair in enumerate((calm, moved, calm, unknown), 1)]
    assert rule.reason(looks[:3], 30) is None and "settled after 40 steps" in str(rule.reason(looks, 40))
    assert rule.reason(looks, 41) is None
    blind = [Look(10, math.nan, math.nan), Look(20, math.nan, math.nan)]
    assert rule.reason(blind, 20) is None and "monitors.samples" in rule.silence([], 5)


TEXT = """\
version: 1
name: settles
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe: {right: {kind: half_space, normal: [1, 0], offset: 1}}
constraints: [{set: right, beta: 0.05}]
sampler:
  kind: langevin
  samples: 400
  steps: 2000
  step_size: 0.05
  init: {kind: gaussian, mean: [-1, 0], std: 0.3}
filter: {kind: gate}
monitors: {every: 10, samples: 400}
stop: {kind: settled}
"""


@pytest.mark.simulation
def test_a_run_ends_when_it_has_settled(tmp_path):
    """The relaxation time is 20 steps: it ends after some of them, long before its budget, and says so."""
    done = run(loads(TEXT), out=tmp_path / "out", with_report=False)
    assert 40 <= len(done.trace["fraction"]) <= 300
    assert done.report.movement.settled and "has settled" in str(done)
    short = loads(TEXT.replace("steps: 2000", "steps: 20"))
    told = run(short, out=tmp_path / "short", with_report=False)
    assert told.report.movement.settled is False and "has not settled" in str(told)
