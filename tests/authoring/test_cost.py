"""What a scenario costs: particle-steps from its numbers, seconds from steps timed by a clock."""

from collections.abc import Iterator
from itertools import count

import pytest

from lem_safe.authoring import cost
from lem_safe.registry import loads
from lem_safe.scenario import Scenario

TEXT = """
version: 1
name: cost
energy: {kind: ring}
unsafe: {ball: {kind: ball, center: [1.0, 0.0], radius: 0.5}}
constraints: [{set: ball, beta: 0.05}]
sampler: {kind: langevin, samples: 20, steps: 1000, step_size: 0.002, init: {kind: gaussian, mean: [-1, 0]}}
filter: FILTER
audit: {replicas: REPLICAS}
"""


def scenario(chosen: str = "{kind: gate}", replicas: int = 1) -> Scenario:
    return loads(TEXT.replace("FILTER", chosen).replace("REPLICAS", str(replicas)))


def ticking(seconds: float) -> cost.Clock:
    """A clock that goes on by so many seconds whenever it is read."""
    readings: Iterator[int] = count()
    return lambda: next(readings) * seconds


@pytest.mark.parametrize(("replicas", "each"), [(1, 1), (100, 100), (2000, 819)])
def test_seconds_are_those_of_the_steps_that_were_timed(replicas: int, each: int) -> None:
    """Three steps of .1 s of each chain, by all the clouds that take them together."""
    found = cost.timed(scenario(replicas=replicas), ticking(0.1))
    assert found is not None and found.steps == 6
    assert found.seconds == pytest.approx(2 * 0.1 / each)


def test_without_a_filter_there_is_one_chain() -> None:
    found = cost.timed(scenario("{kind: none}"), ticking(0.2))
    assert found is not None and (found.steps, found.seconds) == (2, pytest.approx(0.2))


def test_the_sentences() -> None:
    text = cost.cost(scenario(replicas=100), ticking(0.1))
    assert "4 million particle-steps: 100 clouds x 20 particles x 1,000 steps, and as many again" in text
    assert "About 3.3 minutes on this machine, by 6 timed steps." in text
    assert "About" not in cost.cost(scenario(replicas=100))
    for seconds, words in ((0.05, "100 seconds"), (0.055, "110 seconds"), (86.4 * 75, "150 days")):
        assert f"About {words} on this machine" in cost.cost(scenario(), ticking(seconds))
    auto = cost.cost(scenario("{kind: tilt, multipliers: auto}"), ticking(0.1))
    assert "a pilot run of about as many steps learns the multipliers" in auto and "timed steps" in auto


def test_an_energy_that_has_to_be_trained_first_is_not() -> None:
    trained = "{kind: trained, data: {kind: two_moons, samples: 77}, training: {steps: 7}}"
    for energy in (trained, f"{{kind: tempered, energy: {trained}, temperature: 2.0}}"):
        asked = TEXT.replace("{kind: ring}", energy).replace("FILTER", "{kind: gate}")
        text = cost.cost(loads(asked.replace("REPLICAS", "1")), ticking(0.1))
        assert text.endswith("How long a step takes is known once the energy is trained.")


def test_what_fails_at_once_has_no_time() -> None:
    away = TEXT.replace("ring", "banana").replace("step_size: 0.002", "step_size: 1.0e+6")
    lost = loads(away.replace("FILTER", "{kind: none}").replace("REPLICAS", "3"))
    assert cost.timed(lost, ticking(0.1)) is None and "About" not in cost.cost(lost, ticking(0.1))
