"""--set KEY=VALUE: what it reaches, and that its faults name the option that was typed."""

import pytest
from scenario_texts import GOOD

from lem_safe.errors import BadInput
from lem_safe.registry import loads
from lem_safe.scenario import settings


def messages(*texts: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        loads(GOOD, settings(texts))
    return [str(fault) for fault in caught.value.faults]


def test_scalars_lists_mappings_and_entries_of_lists_are_replaced():
    s = loads(
        GOOD,
        settings(
            [
                "sampler.steps=2000",
                "constraints.0.beta=.02",
                "unsafe.near.center=[1, -1]",
                "filter={kind: step, rate: 2}",
                "energy.std=1e-1",
            ]
        ),
    )
    assert (s.sampler.steps, s.constraints[0].beta, s.unsafe["near"]["center"], s.energy["std"]) == (
        2000,
        0.02,
        [1.0, -1.0],
        0.1,
    )
    assert s.filter["rate"] == 2.0 and s.sampler.samples == 100


def test_a_mapping_that_is_not_there_is_made_and_null_takes_a_value_away():
    assert loads(GOOD, settings(["audit.confidence=.9"])).audit.confidence == 0.9
    assert loads(GOOD, settings(["columns="])).columns == ["x0", "x1"]
    assert loads(GOOD, settings(["constraints[0].beta=.5"])).constraints[0].beta == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sampler.stepz=3", "sampler.stepz: unknown key 'stepz' - did you mean 'steps'?"),
        ("constraints.0.beta=7", "constraints[0].beta: must be < 1; got 7"),
        ("constraints.1.beta=.1", "constraints: is a list of 1 entry; name one by its index from 0; got '1'"),
        ("constraints.-1.beta=.1", "constraints: is a list of 1 entry"),
        ("constraints.²=3", "constraints: is a list of 1 entry"),
        ("name.x=3", "name: has no key 'x': it is 'two_balls'; set it whole"),
        ("unsafe.near.center=[1, 2, 3]", "unsafe.near.center: has 3 dimensions where the energy has 2"),
        ("seed=&x 1", "seed: anchors and aliases are not allowed"),
        ("filter={kind: gate", "filter: this bracket is never closed"),
        ("seed=1" + "0" * 30, "seed: must be at most 9,223,372,036,854,775,807 in size"),
        ("seed=1\n2", "must be on one line"),
        ("seed", "must be KEY=VALUE"),
        ("sampler..steps=1", "must be KEY=VALUE"),
    ],
)
def test_a_fault_names_the_option(text: str, message: str):
    (told,) = messages(text)
    option = told.split(": ", 1)[0]
    assert told.startswith("--set ") and message in told and "scenario.yaml" not in told, told
    assert option.isprintable() and len(option) < 80


def test_a_key_is_set_once_and_not_beside_what_it_lies_in():
    assert "is given twice, first as '--set seed=1'" in messages("seed=1", "seed=2")[0]
    assert "lies inside '--set filter={kind: gate}'" in messages("filter={kind: gate}", "filter.kind=step")[0]


def test_all_faults_of_options_and_file_are_told_together():
    with pytest.raises(BadInput) as caught:
        loads(
            GOOD.replace("radius: 0.8", "radius: -1"), settings(["sampler.steps=0", "constraints.0.beta=2"])
        )
    assert {(str(fault.file), fault.key) for fault in caught.value.faults} == {
        ("scenario.yaml", "unsafe.near.radius"),
        ("--set sampler.steps=0", "sampler.steps"),
        ("--set constraints.0.beta=2", "constraints[0].beta"),
    }
