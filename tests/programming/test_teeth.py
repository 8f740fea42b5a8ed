"""Faults planted into the calls from Python, one at a time: the check that is there to find it must fail."""

import pytest
from planted import Tooth, checks, must_be_found, written_in
from truths import loops

from barriers.filters import gate, reject
from lem_safe.energies.own import confinement, first_call, own_energy
from lem_safe.programming import guard, sampling

pytestmark = pytest.mark.simulation

TEETH: dict[str, Tooth] = {
    "random numbers of another stream": (
        loops.a_guarded_loop_is_the_run,
        guard,
        "Key",
        lambda f: lambda seed: f(seed + 1),
    ),
    "a gradient of another scale": (
        loops.a_wrapped_normal_is_the_scenario,
        own_energy.OwnEnergy,
        "pair",
        lambda f: lambda self, x: (f(self, x)[0], 1.001 * f(self, x)[1]),
    ),
    "a start drawn with another seed": (
        loops.a_wrapped_normal_is_the_scenario,
        sampling,
        "in_python",
        lambda f: lambda scenario, objects, **parts: f(scenario, objects, **parts, seed=4),
    ),
    "a budget rounded up": (
        loops.no_call_exceeds_the_budget,
        gate,
        "budget",
        lambda f: lambda β, n: f(β, n) + 1,
    ),
    "membership that is never read again": (
        loops.membership_is_that_of_what_comes_in,
        guard.torch,
        "equal",
        lambda f: lambda a, b: True,
    ),
    "a filter that takes every move": (
        loops.interval_has_its_moments,
        reject.Reject,
        "apply",
        lambda f: lambda self, x, y, h, u, memory: (y, *f(self, x, y, h, u, memory)[1:]),
    ),
    "a temperature that multiplies": (
        loops.temperature_divides,
        own_energy.OwnEnergy,
        "__init__",
        lambda f: (
            lambda self, function, temperature=1.0, **named: f(
                self, function, temperature=1 / temperature, **named
            )
        ),
    ),
    "a disk of another radius": (
        loops.disk_has_its_moments,
        loops,
        "Ball",
        lambda f: lambda center, radius: f(center, 1.1 * radius),
    ),
    "slopes that are not compared": (
        loops.a_slope_that_is_not_the_gradient_is_found,
        first_call,
        "_slopes_missed",
        lambda f: lambda *_: None,
    ),
    "rows that are not compared": (
        loops.a_slope_that_is_not_the_gradient_is_found,
        first_call,
        "_must_be_of_rows",
        lambda f: lambda *_: None,
    ),
    "rays that are only followed where it overflows": (
        loops.what_overflows_far_out_is_examined_nearer,
        confinement,
        "NEARER",
        lambda f: (2e4,),
    ),
    "growth that is not asked for": (
        loops.a_slope_that_is_not_the_gradient_is_found,
        first_call,
        "check_growth",
        lambda f: lambda *_: None,
    ),
}
HELPERS = {"normal", "own_loop", "called"}


@pytest.mark.parametrize("name", TEETH)
def test_the_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


@pytest.mark.parametrize("check", checks(TEETH).values(), ids=lambda check: check.__name__)
def test_without_a_fault_it_holds(check) -> None:
    check()


def test_every_check_has_a_fault() -> None:
    assert set(checks(TEETH)) == written_in(loops) - HELPERS
