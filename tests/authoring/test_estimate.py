"""Seconds that are estimated: the work that is counted is the work that torch does, and what is not known is
said.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lem_safe import cli
from lem_safe.authoring import cost, estimate
from lem_safe.authoring import work as counting
from lem_safe.authoring.speeds import Clock, Speeds, of_membership
from lem_safe.authoring.timings import Timing, Timings
from lem_safe.authoring.work import NotCounted, Of, work
from lem_safe.progress import Silent
from lem_safe.registry import load, loads, make, regions
from lem_safe.runs.problem import build
from lem_safe.scenario import Scenario

POINTS = 128
SPEEDS = Speeds(1e-11, 1e-10, 1e-7)
DATA = {"kind": "two_moons", "samples": 60}
DENSE: dict[str, dict[str, Any]] = {
    "a narrow perceptron": {"kind": "mlp", "hidden": 32, "depth": 2},
    "a deep one": {"kind": "mlp", "hidden": 64, "depth": 5},
    "residual": {"kind": "residual", "hidden": 48, "depth": 3},
    "fourier": {"kind": "fourier", "count": 40, "network": {"kind": "mlp", "hidden": 64, "depth": 2}},
    "convolutional": {"kind": "convolutional", "image": [1, 8, 8], "channels": [8, 16], "depth": 2},
}
"""Networks whose products are nearly all of theirs: neither readouts nor padding count for much."""


def trained(network: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "trained", "data": DATA, "network": dict(network), "training": {"steps": 1}} | more


def scenario(
    energy: str = "{kind: ring}", chosen: str = "{kind: gate}", sampler: str = "kind: langevin"
) -> Scenario:
    return loads(f"""
version: 1
name: estimate
energy: {energy}
unsafe: {{ball: {{kind: ball, center: [1.0, 0.0], radius: 0.5}}}}
constraints: [{{set: ball, beta: 0.05}}]
sampler: {{{sampler}, samples: 200, steps: 1000, step_size: 0.002, init: {{kind: gaussian, mean: [-1, 0]}}}}
filter: {chosen}
""")


def ticking(seconds: float = 1e-3) -> Clock:
    readings: Iterator[int] = count()
    return lambda: next(readings) * seconds


def multiplied(energy: torch.nn.Module, d: int) -> float:
    """The multiply-adds per row of U and ∇U, as torch counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        energy.value_and_gradient(torch.zeros(POINTS, d))
    return counter.get_total_flops() / 2 / POINTS


@pytest.mark.parametrize("name", DENSE)
def test_products_of_networks_are_those_that_torch_counts(name: str) -> None:
    """Up to readouts, and to columns that are padded to four."""
    network = DENSE[name]
    d = 64 if network["kind"] == "convolutional" else 6
    built = make("networks", network).build(d, torch.Generator().manual_seed(0))
    kind = {**network, "hidden": network.get("hidden", 64), "depth": network.get("depth", 3)}
    found = counting.NETWORKS[network["kind"]](kind, d)
    assert found.products + found.convolved == pytest.approx(multiplied(built, d), rel=0.06)


@pytest.mark.parametrize(
    "energy",
    [
        {"kind": "gaussian", "mean": [0.0] * 9, "covariance": torch.eye(9).tolist()},
        {"kind": "gaussian_mixture", "means": torch.eye(9).tolist(), "std": 0.5},
        {"kind": "quadratic", "center": [0.0] * 9},
        {"kind": "student_t", "mean": [0.0] * 9, "std": 1.0, "degrees": 4.0},
        {"kind": "conjunction", "energies": [{"kind": "quadratic", "center": [0.0] * 9}] * 3},
    ],
    ids=lambda energy: energy["kind"],
)
def test_products_of_given_energies_are_those_that_torch_counts(energy: dict[str, Any]) -> None:
    assert work(energy, Of(9, 0)).products == pytest.approx(multiplied(make("energies", energy), 9))


def test_planted_fault_a_gradient_of_one_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = counting.NETWORKS["mlp"]
    half = {
        **counting.NETWORKS,
        "mlp": lambda *given: whole(*given)._replace(products=whole(*given).products / 2),
    }
    monkeypatch.setattr(counting, "NETWORKS", half)
    with pytest.raises(AssertionError):
        test_products_of_networks_are_those_that_torch_counts("a deep one")


def test_of_every_copy_one_gradient_and_of_every_chain() -> None:
    """Twice the copies have twice the products, and so has the filtered chain beside the unfiltered one."""
    energy = "{kind: trained, data: {kind: two_moons, samples: 60}, training: {steps: 1}}"
    hot = "kind: parallel_tempering, temperatures: [2.0, 4.0, 8.0]"

    def products(*given: str) -> float:
        return estimate.parts(scenario(energy, *given), SPEEDS, ticking())["products"]

    one = products("{kind: none}")
    assert one == pytest.approx(
        200
        * SPEEDS.product
        * work(trained(DENSE["a narrow perceptron"] | {"hidden": 64, "depth": 3}), Of(2, 0)).products
    )
    assert products("{kind: gate}") == pytest.approx(2 * one)
    assert products("{kind: gate}", hot) == pytest.approx(8 * one)


def test_clouds_that_step_together_share_what_a_step_costs_whatever_its_size() -> None:
    single = scenario(chosen="{kind: gate}")
    many = single.model_copy(update={"audit": single.audit.model_copy(update={"replicas": 50})})
    apart = scenario(sampler="kind: birth_death")
    assert estimate.together(single, 2) == 1 and estimate.together(many, 2) == 50
    assert estimate.together(many.model_copy(update={"sampler": apart.sampler}), 2) == 1
    one, each = (estimate.parts(s, SPEEDS, ticking()) for s in (single, many))
    assert each["step"] == pytest.approx(one["step"] / 50) and each["numbers"] == pytest.approx(
        one["numbers"]
    )


def test_the_time_of_a_region_is_that_of_its_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that the region alone moves on: of as many points as take long enough, and no more."""
    ball = {"kind": "ball", "center": [0.0, 0.0], "radius": 1.0}
    region, now, asked = regions({"ball": ball}, ["x", "y"])["ball"], [0.0], list[int]()

    def contains(points: torch.Tensor) -> torch.Tensor:
        asked.append(len(points))
        now[0] += 1e-5 * len(points)
        return points[:, 0] > 0

    monkeypatch.setattr(region, "contains", contains)
    assert of_membership(region, torch.zeros(4096, 2), lambda: now[0]) == pytest.approx(1e-5)
    assert max(asked) == 256


def test_an_estimate_of_numpy_is_near_the_steps_of_torch() -> None:
    """Within five times its range: units and counts are right, and benchmarks/estimates.py says the rest."""
    for text in ("{kind: ring}", str(trained(DENSE["a deep one"]))):
        chosen = scenario(text)
        found, timed = estimate.estimated(chosen, process_time), cost.timed(chosen, process_time, 0.03)
        assert timed is not None and found.least / 5 < timed.seconds < 5 * found.most


def test_the_sentences() -> None:
    found = estimate.estimated(scenario(), ticking())
    said = cost.cost(scenario(), estimating=ticking())
    between = cost._between(1000 * found.least, 1000 * found.most)
    assert said.endswith(
        f"without the filter, to show what it changed. Roughly {between} on this machine, estimated from the "
        "arithmetic of a step; --timing times some steps instead."
    )
    never = str(trained(DENSE["a deep one"], training={"steps": 9}))
    untrained = cost.cost(scenario(never), estimating=ticking())
    assert "on this machine once the energy is trained, estimated from the arithmetic of a step." in untrained


NOT_ESTIMATED = {
    "the sampler mixed": {"sampler": "kind: mixed"},
    "the filter penalty": {"chosen": "{kind: penalty, weight: 0.5}"},
    "the filter drift with a smoothing": {
        "chosen": "{kind: drift, rate: 5.0, smoothing: {kind: sigmoid, width: 0.1}}"
    },
}


@pytest.mark.parametrize("what", NOT_ESTIMATED)
def test_what_was_never_measured_is_not_guessed(what: str) -> None:
    said = cost.cost(scenario(**NOT_ESTIMATED[what]), estimating=ticking())
    assert said.endswith(
        f"How long a step takes is not estimated for {what}; --timing times some steps instead."
    )


def test_an_energy_of_another_kind_is_not_guessed_and_a_mixture_not_before_it_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path))
    with pytest.raises(NotCounted, match="an energy of the kind theirs"):
        work({"kind": "conjunction", "energies": [{"kind": "theirs"}]}, Of(2, 0))
    fitted = scenario(str(trained({"kind": "kernel_base", "hidden": 8, "depth": 1})))
    unknown = "How long a step takes is known once the energy is trained."
    assert cost.cost(fitted, estimating=ticking()).endswith(unknown)
    build(fitted, progress=Silent())
    said = cost.cost(fitted, estimating=ticking())
    assert "Roughly" in said and "once" not in said
    kernels = (
        work(fitted.energy, Of(2, 0)).products
        - work(trained({"kind": "mlp", "hidden": 8, "depth": 1}), Of(2, 0)).products
    )
    assert kernels == 2 * 54 * 4  # nine in ten of the 60 rows
    (tmp_path / next(tmp_path.glob("*/energy.safetensors"))).write_bytes(b"cut off")
    with pytest.raises(NotCounted, match="not fitted yet"):
        work(fitted.energy, Of(2, 0))


def test_what_was_timed_goes_before_an_estimate(tmp_path: Path) -> None:
    kept = Timings(tmp_path)
    kept.keep(scenario(), Timing(0.05, 40))

    def clock() -> float:
        raise AssertionError("nothing is to be timed")

    assert "by 40 steps timed on" in cost.cost(scenario(), kept=kept, estimating=clock)


@pytest.mark.parametrize(
    "filters",
    ["{kind: chain, filters: [{kind: drift, rate: 5.0}, {kind: gate}]}", "{kind: drift, rate: 5.0}"],
)
def test_a_chain_of_filters_has_the_widest_range_of_its_members(filters: str) -> None:
    known = {"drift": [0.4, 4.0], estimate.OTHERS: [0.7, 1.5]}
    assert estimate.within(scenario(chosen=filters), known) == (0.4, 4.0)
    assert (
        estimate.within(scenario(), known)
        == estimate.within(scenario(chosen="{kind: none}"), known)
        == (0.7, 1.5)
    )


@pytest.mark.parametrize("kind", ["none", "drift", "step", "gate", "tilt", "reject"])
def test_every_part_of_what_is_estimated_has_a_factor(kind: str) -> None:
    known, own = estimate.factors(), {"tilt": ", multipliers: [1.0]"}.get(kind, "")
    for energy in ("{kind: ring}", str(trained(DENSE["a deep one"]))):
        for sampler in (*estimate.UNTESTED, *estimate.TESTED):
            hot = ", temperatures: [2.0]" * (sampler == "parallel_tempering")
            chosen = scenario(energy, f"{{kind: {kind}{own}}}", f"kind: {sampler}{hot}")
            assert estimate.combined(estimate.parts(chosen, SPEEDS, ticking()), known["factors"]) > 0
    assert all(0 < least < most for least, most in known["within"].values())


def test_the_command_estimates_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    assert cli.main(["explain", "ring_keep_out"]) == 0
    assert "estimated from the arithmetic of a step" in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "cache").exists() and Timings.here().last(load("ring_keep_out")) is None
