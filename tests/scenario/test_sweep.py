"""sweep: the grid it stands for, and that every fault of every combination is told before anything runs,
where it is written.
"""

import pytest
from scenario_texts import GOOD

from lem_safe.errors import BadInput, Fault
from lem_safe.registry import loads
from lem_safe.scenario import named, settings

STEP = GOOD.replace("kind: gate", "kind: step")


def faults_of(sweep: str) -> list[Fault]:
    with pytest.raises(BadInput) as caught:
        loads(STEP + f"sweep: {sweep}\n")
    return caught.value.faults


def test_the_grid_turns_its_last_key_fastest_and_its_scenarios_have_no_sweep():
    s = loads(STEP + "sweep: {filter.rate: [1, 25], constraints.0.beta: [.1, .2]}\n")
    assert [named(v.settings) for v in s.variants] == [
        "filter.rate = 1, constraints.0.beta = 0.1",
        "filter.rate = 1, constraints.0.beta = 0.2",
        "filter.rate = 25, constraints.0.beta = 0.1",
        "filter.rate = 25, constraints.0.beta = 0.2",
    ]
    assert [(v.scenario.filter["rate"], v.scenario.constraints[0].beta) for v in s.variants] == [
        (1, 0.1),
        (1, 0.2),
        (25, 0.1),
        (25, 0.2),
    ]
    assert all(v.scenario.sweep is None and "sweep" not in v.scenario.to_yaml() for v in s.variants)
    assert len({v.scenario.fingerprint() for v in s.variants} | {s.fingerprint()}) == 5
    plain = loads(STEP, settings(["filter.rate=25", "constraints.0.beta=.2"]))
    assert s.variants[-1].scenario.fingerprint() == plain.fingerprint(), (
        "a combination is the scenario one would have written"
    )


def test_whole_mappings_take_turns_and_options_change_every_combination():
    s = loads(
        GOOD + "sweep: {filter: [{kind: gate}, {kind: step, rate: 2}]}\n", settings(["sampler.steps=3"])
    )
    assert [v.scenario.filter["kind"] for v in s.variants] == ["gate", "step"]
    assert {v.scenario.sampler.steps for v in s.variants} == {3}


@pytest.mark.parametrize(
    ("sweep", "key", "message", "under"),
    [
        ("{filter.rate: [1, -5]}", "sweep.filter.rate[1]", "must be > 0; got -5", "-5"),
        (
            "{filter.rat: [1, 2]}",
            "sweep.filter.rat",
            "unknown key 'rat' - did you mean 'rate'?",
            "filter.rat",
        ),
        (
            "{constraints.4.beta: [.1]}",
            "sweep.constraints.4.beta[0]",
            "constraints is a list of 1 entry",
            ".1",
        ),
        (
            "{unsafe.near.center: [[1, 2], [1]]}",
            "sweep.unsafe.near.center[1]",
            "has 1 dimension where the energy has 2",
            "[1]",
        ),
        ("{filter.rate: []}", "sweep.filter.rate", "must hold at least 1 entry", "[]"),
        ("{filter.rate: 3}", "sweep.filter.rate", "must be a list; got 3", "3"),
        ("{}", "sweep", "must hold at least 1 entry", "{}"),
        ("3", "sweep", "must be a mapping of keys to values; got 3", "3"),
        ("{name: [a, b]}", "sweep.name", "'name' is the same in all runs of a sweep", "name"),
        (
            "{filter: [{kind: gate}], filter.rate: [1]}",
            "sweep.filter.rate",
            "lies inside 'filter'",
            "filter.rate",
        ),
        (f"{{seed: {[*range(200)]}}}", "sweep", "at most 128 combinations; got 200", "sweep"),
        (
            "{audit.after_step: [0, 20], sampler.steps: [10, 30]}",
            "sweep.audit.after_step[1]",
            "must be at most sampler.steps = 10",
            "20",
        ),
    ],
)
def test_one_fault(sweep: str, key: str, message: str, under: str):
    (fault,) = faults_of(sweep)
    assert fault.key == key and message in fault.message
    assert fault.line == 12 and fault.source is not None and fault.column is not None
    assert fault.source[fault.column - 1 :].startswith(under)


def test_a_fault_that_only_a_combination_has_names_it():
    (fault,) = faults_of("{sampler.steps: [10, 5]}\naudit: {after_step: 7}")
    assert fault.key == "audit.after_step" and fault.line == 13
    assert fault.message.endswith("(in the combination sampler.steps = 5)")


def test_an_option_that_brings_a_sweep_is_named():
    with pytest.raises(BadInput, match=r"^--set sweep=\{filter.rate: \[-1\]\}: .*must be > 0; got -1"):
        loads(STEP, settings(["sweep={filter.rate: [-1]}"]))
