"""Rules as a scenario: the file loads, says what it is, and means what its values mean."""

from decimal import Decimal

import pytest

import lem_safe
from lem_safe.errors import Fault
from lem_safe.registry import loads
from lem_safe.rule_files.converted import Converted
from lem_safe.rule_files.rule_file import Requirement, RuleFile

RULES = RuleFile(
    "PiShield",
    (
        Requirement("line_2", 2, "y_0 - y_1 >= 0", "load - `top speed` >= 0"),
        Requirement("line_3", 3, "x\x1b[1m", "kind in {'a\"b', 'ü'}"),
    ),
    {"part": "load + 1"},
    (Fault("is no rule", "s.json", 7, key="properties.mail"),),
)


def converted(tolerance: str = "0", beta: float = 0.0, file: str = "my rules.txt") -> Converted:
    return Converted(RULES, file, Decimal(tolerance), beta)


@pytest.mark.parametrize(("tolerance", "beta"), [("0", 0.0), ("0.01", 0.025)])
def test_the_file_has_the_values(tolerance, beta):
    found = converted(tolerance, beta)
    scenario = loads(found.to_yaml(), to_audit=True)
    assert scenario.unsafe == found.unsafe() and scenario.derived == dict(RULES.derived)
    assert [(c.set, c.beta) for c in scenario.constraints] == [
        (name, beta) for name in ("line_2", "line_3", "any_rule")
    ]
    assert scenario.name == "my_rules" and scenario.lacking


def test_the_comments_say_what_each_rule_was_and_what_is_none():
    text = converted("0.01").to_yaml()
    assert "# line 2: y_0 - y_1 >= 0" in text and "\x1b" not in text
    assert "up to 0.01" in text and "exactly as written" in converted().to_yaml()
    assert "#   properties.mail: is no rule" in text


@pytest.mark.parametrize("file", ["-x.txt", "...", "a/b\n.txt", "ä" * 200 + ".txt", ".txt"])
def test_names_of_scenarios_are_allowed_ones(file):
    assert loads(converted(file=file).to_yaml(), to_audit=True).name


def test_any_rule_holds_the_rows_of_each():
    table = {"load": [1.0, 0.0, 2.0], "top speed": [0.0, 1.0, 0.0], "kind": ["ü", "ü", "c"]}
    regions = converted().unsafe()
    pandas = pytest.importorskip("pandas")
    report = lem_safe.audit(pandas.DataFrame(table), regions, beta=0)
    assert [c.violations for c in report.constraints] == [1, 1, 2]
