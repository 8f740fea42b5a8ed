"""Monitors and stopping rules in runs: what is in the files, that nothing depends on an interruption, and
what validation refuses.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from truths.lyapunov import eight

from lem_safe.authoring.explain import explain
from lem_safe.energies import Energy, Gaussian
from lem_safe.energies.mlp import MLP
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.lyapunov import (
    STOPS,
    Beginning,
    Constant,
    Log,
    Monitor,
    generator_means,
    isotropic,
    langevin_budget,
    stein_discrepancy,
    track_flow,
)
from lem_safe.lyapunov.budget import Budget
from lem_safe.lyapunov.log import NAMES
from lem_safe.lyapunov.monitors import some
from lem_safe.lyapunov.pace import SHARE, pace
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.report.contents import read
from lem_safe.report.monitors import monitors
from lem_safe.runs import chain
from lem_safe.runs.monitoring import monitor
from lem_safe.runs.problem import build
from lem_safe.runs.result import Run
from lem_safe.runs.runner import run
from lem_safe.samplers import Langevin
from lem_safe.scenario import Scenario

pytestmark = pytest.mark.simulation

MEANS = [[round(float(v), 12) for v in row] for row in eight().means]
TEXT = f"""\
version: 1
name: eight
energy: {{kind: gaussian_mixture, means: {MEANS}, std: 0.5}}
unsafe: {{pillar: {{kind: ball, center: [4, 0], radius: 0.8}}}}
constraints: [{{set: pillar, beta: 0.03}}]
sampler: {{kind: KIND, samples: 800, steps: STEPS, step_size: 0.005,
  init: {{kind: gaussian, mean: [0, 0], std: 2}}}}
filter: {{kind: FILTER}}
"""

LINEAR = """\
version: 1
name: linear
energy: {kind: gaussian, mean: MEAN, std: 1}
unsafe: {right: {kind: half_space, normal: NORMAL, offset: 3}}
constraints: [{set: right, beta: 0.5}]
sampler: {kind: langevin, samples: SAMPLES, steps: 600, step_size: 0.001}
"""


def _scenario(kind: str = "flow", steps: int = 90, filter: str = "none", more: str = "") -> Scenario:
    return loads(TEXT.replace("KIND", kind).replace("STEPS", str(steps)).replace("FILTER", filter) + more)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report has tests of its own."""
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")


def _stopped(done: Run) -> dict[str, object]:
    return json.loads((done.directory / "run.json").read_text())["stopped"]


def test_the_flow_stops_at_the_minimum_of_exact_kl(tmp_path: Path) -> None:
    done = run(
        _scenario(more="dtype: float64\nstop: {kind: flow_ratio}\nmonitors: {every: 20}\n"),
        out=tmp_path / "out",
    )
    x = 2 * Key(0).fold("init").normal(torch.empty(800, 2, dtype=torch.float64))
    track = track_flow(eight(), x, isotropic(2, 2.0).log_density, 0.005, 90)
    k = _stopped(done)["step"]
    assert isinstance(k, int) and abs(k - track.best) <= 1
    trace = done.trace
    assert all(len(trace[name]) == k for name in ("step", "fraction", "surrogate", "multiplier", "shortfall"))
    assert trace["step"][-1] == k and trace["monitor_step"].tolist() == [20, 40, k]
    np.testing.assert_allclose(trace["stop_value"], track.ratio[: k + 1], rtol=1e-9)
    assert trace["stop_step"].tolist() == list(range(k + 1))
    assert f"upward at step {k}" in str(_stopped(done)["reason"])
    assert done.scenario.sampler.steps == 90


@pytest.mark.parametrize("more", ["", "stop: {kind: steps}\n"])
def test_by_default_every_step_is_taken(more: str, tmp_path: Path) -> None:
    done = run(_scenario(steps=25, more=more), out=tmp_path / "out")
    assert len(done.trace["step"]) == 25
    assert _stopped(done) == {
        "rule": "steps",
        "step": None,
        "reason": "all 25 steps were taken, as the scenario says",
        "cannot_see": STOPS["steps"].cannot_see,
    }


def test_a_rule_says_what_it_cannot_see(tmp_path: Path) -> None:
    """Half of the mass missing: `stein` fires, and terminal, run.json and report say that it would, and
    `explain` beforehand.
    """
    two = (
        TEXT.replace(str(MEANS), "[[-4, 0], [4, 0]]")
        .replace("KIND", "langevin")
        .replace("STEPS", "40")
        .replace("FILTER", "none")
    )
    text = (
        two.replace("mean: [0, 0], std: 2", "mean: [-4, 0], std: 0.5")
        + "stop: {kind: stein, below: 0.5, every: 20}\n"
    )
    said = _Heard()
    done = run(loads(text), out=tmp_path / "out", progress=said)
    assert _stopped(done)["step"] == 20 and (done.samples[:, 0] < 0).all()
    assert "a mode that none of them has reached" in str(_stopped(done)["cannot_see"])
    assert any("a mode that none of them has reached" in line for line in said.lines)
    assert "a mode that none of them has reached" in monitors(read(tmp_path / "out"), "unfiltered")[1]
    assert "a mode that none of them has reached" in " ".join(explain(loads(text)).split())


@pytest.mark.parametrize("kind", STOPS)
def test_every_rule_has_a_sentence_on_that(kind: str) -> None:
    assert len(STOPS[kind].cannot_see.split()) > 12 and "law" not in STOPS[kind].cannot_see.split()


def test_a_budget_below_the_bias_of_its_step_is_refused(tmp_path: Path) -> None:
    """d = 20, h = .1 leaves .0135 nats: for .01 the run is refused with the step size that would do."""
    text = (
        LINEAR.replace("MEAN", str([0.0] * 20))
        .replace("NORMAL", str([1.0] + [0.0] * 19))
        .replace("SAMPLES", "50")
    )
    text = text.replace("step_size: 0.001", "step_size: 0.1") + "stop: {kind: budget, kl: 0.01}\n"
    with pytest.raises(
        BadInput, match=r"0.1 leaves 0.0134 nats, kl is 0.01; use sampler.step_size 0.06\d or less"
    ):
        run(loads(text), out=tmp_path / "out")


def test_a_rule_that_never_fires_says_so(tmp_path: Path) -> None:
    done = run(_scenario(steps=20, more="stop: {kind: flow_ratio}\n"), out=tmp_path / "out")
    assert len(done.trace["step"]) == 20 and _stopped(done)["step"] is None
    assert "R stayed below 1 in 20 steps" in str(_stopped(done)["reason"])


def test_the_unfiltered_chain_is_judged_and_the_filtered_one_takes_as_many_steps(tmp_path: Path) -> None:
    done = run(
        _scenario(filter="gate", more="stop: {kind: flow_ratio}\naudit: {after_step: 10}\n"),
        out=tmp_path / "out",
    )
    free = run(_scenario(more="stop: {kind: flow_ratio}\naudit: {after_step: 10}\n"), out=tmp_path / "free")
    k = _stopped(free)["step"]
    with np.load(done.directory / "reference.npz") as reference:
        assert len(reference["fraction"]) == k and "monitor_stein" in reference and "stop_value" in reference
    assert (
        _stopped(done) == _stopped(free)
        and len(done.trace["fraction"]) == k
        and "stop_value" not in done.trace
    )


def test_no_rule_fires_before_the_first_judged_step(tmp_path: Path) -> None:
    more = "stop: {kind: flow_ratio}\naudit: {after_step: 70}\n"
    assert _stopped(run(_scenario(more=more), out=tmp_path / "out"))["step"] == 70


class _Heard(Silent):
    """A progress that keeps what it is told to say."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


class _StopAt:
    """A progress that interrupts the run at the k-th step of one chain."""

    def __init__(self, title: str, k: int):
        self.title, self.k, self.now, self.notes = title, k, "", list[str]()

    def start(self, title: str, total: int) -> None:
        self.now = title

    def update(self, done: int, note: str) -> None:
        self.notes.append(note)
        if self.now.startswith(self.title) and done >= self.k:
            raise KeyboardInterrupt

    def finish(self, note: str) -> None: ...

    def say(self, text: str) -> None: ...


RATIO, STEIN = "{kind: flow_ratio}", "{kind: stein, below: 1.0, every: 7, samples: 100}"


@pytest.mark.parametrize(
    ("rule", "title", "k"),
    [(RATIO, "unfiltered", 13), (RATIO, "unfiltered", 41), (RATIO, "filter", 30), (STEIN, "unfiltered", 10)],
)
def test_monitors_and_rules_resume_bit_for_bit(
    rule: str, title: str, k: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = _scenario(filter="gate", more=f"stop: {rule}\nmonitors: {{every: 5, samples: 60}}\n")
    whole = run(scenario, out=tmp_path / "whole")
    monkeypatch.setattr(chain, "REFRESH_SECONDS", -1.0)
    monkeypatch.setattr(chain, "TURN_SECONDS", math.inf)  # the first pair's turn, always
    progress = _StopAt(title, k)
    taken = len(whole.trace["step"])
    if k <= taken:
        with pytest.raises(KeyboardInterrupt):
            run(scenario, out=tmp_path / "cut", progress=progress)
    done = run(scenario, out=tmp_path / "cut", resume=True)
    for name in ("samples.npz", "trace.npz", "reference.npz"):
        assert (done.directory / name).read_bytes() == (whole.directory / name).read_bytes()
    assert _stopped(done) == _stopped(whole)
    if k <= taken:
        assert any("KSD" in note for note in progress.notes) == (k > 5) and progress.notes[0].startswith(
            "pillar 0."
        )
        assert run(scenario, out=tmp_path / "cut", resume=True).report == done.report


def test_a_run_is_the_same_with_monitors_and_without(tmp_path: Path) -> None:
    with_, without = (
        run(_scenario("langevin", 40, "gate", f"monitors: {{samples: {s}}}\n"), out=tmp_path / str(s))
        for s in (200, 0)
    )
    assert (with_.samples == without.samples).all()
    assert not any(name.startswith("monitor") for name in without.trace)
    for name in ("fraction", "surrogate", "multiplier"):
        np.testing.assert_array_equal(with_.trace[name], without.trace[name])


def test_the_last_look_is_of_the_final_cloud(tmp_path: Path) -> None:
    done = run(
        _scenario("langevin", 45, more="monitors: {every: 20, samples: 300}\ndtype: float64\n"),
        out=tmp_path / "out",
    )
    x, trace = some(torch.from_numpy(done.samples), 300), done.trace
    assert trace["monitor_step"].tolist() == [20, 40, 45] and {f"monitor_{n}" for n in NAMES} <= set(trace)
    U, means = eight(), generator_means(eight(), x)
    assert abs(trace["monitor_stein"][-1] - stein_discrepancy(U, x).value) < 1e-9
    assert abs(trace["monitor_generator_u"][-1] - means["u"].value) < 1e-9
    assert abs(trace["monitor_energy"][-1] - float(U(x).mean())) < 1e-9
    assert np.isnan(trace["monitor_accepted"]).all() and np.isnan(trace["monitor_rhat"]).all()


def test_mala_s_acceptance_is_watched(tmp_path: Path) -> None:
    done = run(_scenario("mala", 40, more="monitors: {every: 10}\n"), out=tmp_path / "out")
    accepted = done.trace["monitor_accepted"]
    assert (accepted > 0.8).all() and (accepted < 1).all()


def test_looks_are_seldom_by_default() -> None:
    """At most 40 looks, at least 20 steps apart; each of 256 particles, where that costs next to nothing."""
    for steps, every in ((100, 20), (800, 20), (8000, 200), (8001, 201)):
        assert pace(steps, 256, lambda s: 1e-6 * s) == (every, 256, 256e-6)
    assert _scenario().monitors.samples == 256 and _scenario().monitors.every is None
    assert not Monitor(eight(), 5, 0).due(5)


def test_every_number_that_is_watched_has_its_turn_in_a_short_line() -> None:
    """Nothing a look finds is shown in the file alone, and every line leaves a bar its room on a terminal of
    80 columns.
    """
    log, names = (
        Log(),
        (
            "energy",
            "stein",
            "ratio",
            "kl_rate",
            "accepted",
            "nested_rhat",
            "ess",
            "generator_u",
            "generator_u_error",
        ),
    )
    look = dict.fromkeys(NAMES, math.nan) | dict(
        zip(names, (-1234.5, 0.0517, 1.02, -0.123, 0.57, 1.0034, 812.0, -3.0, 2.0), strict=True)
    )
    log.rows.append(np.array(list(look.values())))
    assert Monitor(eight(), 1, 64).notes(log) == [
        "U -1234, KSD 0.052",
        "R 1.02, KL′ -0.12",
        "Lf 1.5σ, acc 0.57",
        "R̂ 1.003, ESS 812",
    ]
    course = chain.Course(
        "t", Langevin(eight(), 0.1), (), ("pillar", "wall"), (0.03, 0.5), 9, Monitor(eight(), 1, 64)
    )
    trace = {"fraction": np.array([[0.0297, 0.1]]), "multiplier": np.array([[0.0, 3.21]])}
    lines = [chain.live(course, trace, 1, log, turn) for turn in range(6)]
    assert lines[:2] == ["pillar 0.0297/0.03; U -1234, KSD 0.052", "pillar 0.0297/0.03; R 1.02, KL′ -0.12"]
    assert lines[4] == "pillar 0.0297/0.03; μ 3.21" and lines[5] == lines[0] and max(map(len, lines)) < 40
    unfiltered = trace | {"multiplier": np.full((1, 2), np.nan)}
    assert chain.live(course, unfiltered, 1, Log(), 3) == "pillar 0.0297/0.03"


@pytest.mark.parametrize(("d", "n"), [(2, 300), (64, 300), (64, 40)])
def test_all_looks_of_a_run_are_less_than_a_tenth_of_it(d: int, n: int) -> None:
    """Counted anew: what torch multiplies for a network, and gradients and Laplacians row by row, of the run
    itself and of choosing the pace.
    """
    energy = _Counted(
        MLP(hidden=64, depth=2).build(d, torch.Generator().manual_seed(0)).requires_grad_(False)
    )
    text = (
        LINEAR.replace("MEAN", str([0.0] * d))
        .replace("NORMAL", str([1.0] + [0.0] * (d - 1)))
        .replace("SAMPLES", str(n))
    )
    problem = replace(build(loads(text), progress=Silent()), potential=energy)
    x = Key(3).normal(torch.empty(n, d))

    sampler = problem.sampler(filtered=False)
    with FlopCounterMode(display=False) as step:
        sampler.step(Key(0), sampler.init(x))
    energy.rows = 0.0
    with FlopCounterMode(display=False) as choosing:
        chosen = monitor(problem)
    chain.follow(
        chain.Course("t", sampler, problem.sets, problem.names, (1.0,), 600, chosen),
        Key(1),
        x,
        progress=Silent(),
    )
    assert 600 * n < energy.rows < 1.1 * 600 * n
    looks = math.ceil(600 / chosen.every)
    with FlopCounterMode(display=False) as look:
        chosen.look(Log(), 1, x)
    dear = choosing.get_total_flops() + looks * look.get_total_flops()
    assert 0 < dear < 0.1 * 600 * step.get_total_flops() and looks * chosen.cost <= SHARE * 600


class _Counted(Energy):
    """An energy that counts rows: 1 for a gradient, d/2 for a Laplacian along d directions."""

    def __init__(self, energy: Energy):
        super().__init__()
        self.energy, self.dimension, self.rows = energy, energy.dimension, 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.energy(x)

    def value_and_gradient(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.rows += len(x)
        return self.energy.value_and_gradient(x)

    def laplacian(self, x: torch.Tensor, directions: torch.Tensor | None = None) -> torch.Tensor:
        self.rows += len(x) * self.dimension / 2
        return self.energy.laplacian(x, directions)


def test_a_run_says_what_its_looks_cost(tmp_path: Path) -> None:
    """Asked for often, looks are dear, and said to be; chosen, they are not."""
    dear = run(
        _scenario("langevin", 40, more="monitors: {every: 2, samples: 200}\n"), out=tmp_path / "dear"
    ).trace
    assert (dear["monitor_particles"] == 200).all() and dear["monitor_work"].sum() > 0.1 * 40
    text = monitors(read(tmp_path / "dear"), "unfiltered")[1]
    assert (
        f"200 particles, for {100 * dear['monitor_work'].sum() / 40:.2g} % of the work of the steps" in text
    )
    cheap = run(_scenario("langevin", 2000), out=tmp_path / "cheap").trace
    assert len(cheap["monitor_step"]) > 8 and cheap["monitor_work"].sum() <= SHARE * 2000


def test_chains_that_never_meet_have_a_large_rhat() -> None:
    """Particles that stay in their modes: R̂ far above 1; particles drawn anew: R̂ near 1 and every draw
    counts.
    """
    U, monitor = eight(), Monitor(eight(), 1, 64)
    stuck, fresh, centre = Log(), Log(), U.sample(torch.Generator().manual_seed(0), 64)
    for k in range(1, 61):
        ξ = torch.randn(64, 2, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        monitor.look(stuck, k, centre + 0.1 * ξ)
        monitor.look(fresh, k, U.sample(torch.Generator().manual_seed(1000 + k), 64))
    assert stuck.column("rhat")[-1] > 3 and stuck.column("ess")[-1] < 200
    assert fresh.column("rhat")[-1] < 1.05 and fresh.column("ess")[-1] > 0.7 * 64 * 30


@pytest.mark.parametrize(
    ("kind", "more", "fault"),
    [
        (
            "langevin",
            "stop: {kind: flow_ratio}",
            "'flow_ratio' applies to flow, not to langevin: use stein, or steps",
        ),
        ("flow", "stop: {kind: budget, kl: 0.1}", "'budget' applies to langevin, not to flow"),
        ("langevin", "stop: {kind: stein}", "missing key 'below'|below.*missing"),
        ("langevin", "stop: {kind: ratio}", "ratio"),
        ("langevin", "stop: {kind: budget, kl: 0}", "greater than 0|> 0"),
        ("langevin", "monitors: {every: 0}", "every"),
        ("langevin", "monitors: {evry: 5}", "did you mean 'every'"),
    ],
)
def test_what_cannot_stop_is_refused(kind: str, more: str, fault: str) -> None:
    with pytest.raises(BadInput, match=fault):
        _scenario(kind, more=more + "\n")


def test_a_budget_needs_a_start_with_a_density() -> None:
    flat = (
        TEXT.replace("KIND", "langevin")
        .replace("STEPS", "10")
        .replace("FILTER", "none")
        .replace("std: 2", "std: [2, 0]")
    )
    with pytest.raises(BadInput, match="give stop.initial, in nats"):
        loads(flat + "stop: {kind: budget, kl: 0.1}\n")
    assert loads(flat + "stop: {kind: budget, kl: 0.1, initial: 3.0}\n").stop["initial"] == 3.0


ONE = TEXT.replace("samples: 800", "samples: 1").replace("STEPS", "10").replace("FILTER", "none")


def test_one_particle_has_nothing_to_be_stopped_by() -> None:
    """Refused before a run, where pairs or means are needed; a budget that is given whole needs neither."""
    with pytest.raises(
        BadInput, match="mean over pairs of particles; take sampler.samples of 2 or more, or use steps"
    ):
        loads(ONE.replace("KIND", "langevin") + "stop: {kind: stein, below: 0.2}\n")
    with pytest.raises(
        BadInput,
        match="one particle has neither .* give stop.initial and stop.constant, or take more sampler.samples",
    ):
        loads(ONE.replace("KIND", "langevin") + "stop: {kind: budget, kl: 0.2, initial: 1.0}\n")
    given = loads(
        ONE.replace("KIND", "langevin") + "stop: {kind: budget, kl: 0.2, initial: 1.0, constant: 0.5}\n"
    )
    assert given.stop["constant"] == 0.5


def test_a_start_that_is_the_law_itself_is_there_at_once(tmp_path: Path) -> None:
    text = TEXT.replace(
        f"gaussian_mixture, means: {MEANS}, std: 0.5", "gaussian, mean: [0, 0], std: 2"
    ).replace("KIND", "langevin")
    scenario = loads(
        text.replace("STEPS", "9").replace("FILTER", "none") + "stop: {kind: budget, kl: 0.01}\n"
    )
    stopped = _stopped(run(scenario, out=tmp_path / "out"))
    assert stopped["step"] == 1 and "KL was 0.01 or less from the start" in str(stopped["reason"])
    assert "KL at the start 0 (at most, by I/2C), C = 0.25 (Bakry-Emery)" in str(stopped["reason"])


def test_a_measured_constant_bounds_nothing() -> None:
    """The words: about, where C is measured; at most, where it is a theorem's."""
    x, law = 4 * Key(0).normal(torch.empty(400, 2)), isotropic(2, 4.0)
    for constant, about in ((Constant(0.25, "measured"), True), (Constant(0.25, "Bakry-Emery"), False)):
        rule = Budget(Beginning(eight(), x, law, 0.01, 10), kl=0.1)
        rule.constant = constant
        assert rule.bias is not None
        left = (0.1**0.5 - rule.bias.kl**0.5) ** 2
        steps = math.ceil(langevin_budget(rule.start_kl(constant), left, constant) / 0.01)
        said = str(rule.reason([], steps))
        assert rule.reason([], steps - 1) is None
        assert (
            f"{steps:,} steps are about the time" in said and f"budget about {steps:,} steps" in said
        ) == about
        assert ("(about, by I/2C)" in said) == about and ("(at most, by I/2C)" in said) != about


def test_a_budget_looks_at_its_start_once() -> None:
    """I of the start is a gradient of the whole cloud: not one at every step."""
    energy = _Counted(Gaussian([0.0, 0.0], 1.0))
    rule = Budget(
        Beginning(energy, 2 * Key(0).normal(torch.empty(50, 2)), isotropic(2, 2.0), 0.01, 10), kl=0.1
    )
    rule.constant = Constant(1.0, "Bakry-Emery")
    assert not any(rule.verdict([], k) for k in range(1, 9)) and energy.rows == 50


def test_a_budget_ends_a_langevin_run_in_time(tmp_path: Path) -> None:
    """U = ‖x‖²/2σ² from N(0, 4I): C = 1/σ²; the run ends after τ_Lang, its origin named."""
    text = TEXT.replace(
        f"gaussian_mixture, means: {MEANS}, std: 0.5", "gaussian, mean: [0, 0], std: 0.7"
    ).replace("KIND", "langevin")
    scenario = loads(
        text.replace("STEPS", "2000").replace("FILTER", "none") + "stop: {kind: budget, kl: 0.01}\n"
    )
    done = run(scenario, out=tmp_path / "out")
    k, reason = _stopped(done)["step"], str(_stopped(done)["reason"])
    assert (
        isinstance(k, int) and 300 < k < 420 and "C = 2.041 (Bakry-Emery)" in reason and "by I/2C" in reason
    )
    v = done.samples.var(0)
    assert (np.abs(v / 0.49 - 1) < 4 * np.sqrt(2 / 800) + 0.01 + 0.005 / 0.98).all()


def test_the_report_tells_what_was_watched(tmp_path: Path) -> None:
    done = run(_scenario(filter="gate", more="stop: {kind: flow_ratio}\n"), out=tmp_path / "out")
    draws, caption = monitors(read(done.directory), "filtered")
    assert len(draws) == 5
    assert "Stopping rule flow_ratio: R = " in caption and "a filtered cloud follows another one" in caption
    silent = run(_scenario(steps=5, more="monitors: {samples: 0}\n"), out=tmp_path / "silent")
    assert monitors(read(silent.directory), "unfiltered") == ([], "")
