"""Numbers and texts as people write them in YAML: folded rules are read, other numbers refused with the way
to write them.
"""

import pytest
from scenario_texts import GOOD, changed

from lem_safe.errors import BadInput
from lem_safe.registry import loads


def faults(text: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        loads(text)
    return [fault.message for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("beta: 0.03", "beta: 1%", "must be a number; got '1%'; write 0.01"),
        ("beta: 0.03", "beta: 12.5 %", "write 0.125"),
        ("beta: 0.03", "beta: 0.1‰", "write 0.0001"),
        ("beta: 0.03", "beta: inf", "every number must be finite"),
        ("beta: 0.03", "beta: -Infinity", "every number must be finite"),
        ("beta: 0.03", "beta: ∞", "every number must be finite"),
        ("beta: 0.03", "beta: nan", "every number must be finite"),
        ("beta: 0.03", "beta: '0,05'", "write 0.05, with a decimal point"),
        ("beta: 0.03", "beta: '1.234,5'", "write 1234.5, with a decimal point"),
        ("beta: 0.03", "beta: 1.0.0", "a number has one decimal point"),
        ("beta: 0.03", "beta: yes", "must be a number; got 'yes'"),
        ("beta: 0.03", "beta: ٠", "write 0, in the digits 0 to 9"),
        (
            "samples: 100",
            "samples: '1,000'",
            "write 1000, without commas, or 1.000 if the comma marks decimals",
        ),
        ("samples: 100", "samples: '1,000,000'", "write 1000000, without commas"),
        ("std: 1", "std: 5%", "must be a number or a list; got '5%'; write 0.05"),
        ("center: [2, 0]", "center: [2%, 0]", "write 0.02"),
        ("kind: gate", "kind: gate, aim: 5%", "must be auto; got '5%'; write 0.05"),
        ("version: 1", "version: '1'", "write it without quotes"),
        ("center: [2, 0]", "center: [1,000]", "in a list 1,000 is two numbers; write 1000"),
        ("radius: 0.8", "radius: 1,000", "in braces, ',000' begins another key"),
        ("radius: 0.8", "radius: 0,8", "in braces, ',8' begins another key"),
    ],
)
def test_a_number_written_otherwise(old, new, words):
    said = faults(changed(old, new))
    assert any(words in message for message in said), said


def test_a_truth_value_written_otherwise(tmp_path):
    data = "{kind: trained, data: {kind: file, path: t.csv, header: yes}}"
    said = faults(changed("{kind: gaussian, mean: [0, 0], std: 1}", data))
    assert any("must be true or false; got 'yes'; write true" in message for message in said), said


def test_numbers_that_yaml_reads_are_numbers():
    text = changed("steps: 10", "steps: 1_0", changed("center: [2, 0]", "center: [2,0]"))
    scenario = loads(text)
    assert scenario.sampler.steps == 10 and scenario.unsafe["near"]["center"] == [2, 0]
    assert loads(changed("center: [2, 0]", "center: [2, 000]")).unsafe["near"]["center"] == [2, 0]


@pytest.mark.parametrize("mark", [">", ">-", ">+", "|", "|-", "|+", ""])
def test_a_rule_over_several_lines(mark):
    rule = f"  both:\n    kind: rule\n    where: {mark}\n      x0 > 1\n      and (x1 > 1\n      or x1 < -1)\n"
    scenario = loads(GOOD.replace("  both: {any: [near, wall]}\n", rule))
    where = scenario.unsafe["both"]["where"]
    assert " ".join(where.split()) == "x0 > 1 and (x1 > 1 or x1 < -1)" and "\a" not in where
    assert loads(scenario.to_yaml()).fingerprint() == scenario.fingerprint()


def test_a_fault_in_a_folded_rule_is_told_at_its_key():
    rule = "  both:\n    kind: rule\n    where: >\n      x0 > 1\n      and x7 > 1\n"
    (said,) = faults(GOOD.replace("  both: {any: [near, wall]}\n", rule))
    assert "unknown column 'x7' at character 12" in said
