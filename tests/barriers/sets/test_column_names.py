"""Which columns regions name, told without a table."""

import pytest

from barriers.sets.column_names import column_names, names_among, names_of_all, rule_names

RULE = {"kind": "rule", "where": "sqrt(load) > 2 * pi and limit < e"}
BALL = {"kind": "ball", "center": [0, 0], "radius": 1}
OVER = {"kind": "columns", "columns": ["speed", "load"], "set": BALL}


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (RULE, ["load", "limit"]),
        (OVER, ["speed", "load"]),
        (OVER | {"columns": ["speed", 0]}, None),
        (BALL, None),
        ({"any": [RULE, BALL]}, None),
        ({"all": [OVER, {"not": RULE}]}, ["speed", "load", "limit"]),
        ({"kind": "grow", "set": OVER, "by": 0.1}, ["speed", "load"]),
        ({"kind": "smooth_union", "sets": [OVER, OVER], "width": 0.1}, ["speed", "load"]),
        ({"kind": "anywhere", "set": RULE, "waypoints": 3}, None),
        ("named", ["a"]),
    ],
)
def test_a_specification_says_which(spec: object, names: list[str] | None) -> None:
    assert column_names(spec, {"named": {"kind": "rule", "where": "a > 1"}}) == names


def test_a_text_that_cannot_be_read_names_nothing() -> None:
    assert rule_names({"kind": "rule", "where": "load >"}) == []
    assert names_of_all({"a": {"kind": "rule", "where": "load >"}}) is None
    assert column_names("a", {"a": "b", "b": "a"}) == []  # names in a circle


def test_names_are_among_a_tables_up_to_case_and_a_constant_may_be_one() -> None:
    specs = {"a": RULE, "b": OVER}
    assert names_among(specs, ["note", "Limit", "speed", "LOAD"]) == ["load", "limit", "speed"]
    assert names_among(specs, ["note", "limit", "speed"]) is None
    assert names_among({"a": RULE}, ["load", "limit", "e"]) == ["load", "limit", "e"]


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("`fixed acidity` > 2 * pH", ["fixed_acidity", "pH"]),
        ("`PM2.5` > `class` and load < `2nd`", ["PM2_5", "class_", "load", "x2nd"]),
        ("`pi` > pi", ["pi"]),
        ("`sqrt` > sqrt(load)", ["sqrt", "load"]),
        ("`a b > 1", []),
        ("`` > load", ["load"]),
    ],
)
def test_names_in_backticks_are_the_identifiers_of_their_columns(where: str, names: list[str]) -> None:
    assert rule_names({"kind": "rule", "where": where}) == names


def test_names_in_backticks_are_among_a_tables() -> None:
    specs = {
        "a": {"kind": "rule", "where": "`PM2.5` > `2nd` or `pi` > 3 * pi"},
        "b": OVER | {"columns": ["`class`", "2nd"]},
    }
    assert names_among(specs, ["note", "pi", "x2nd", "PM2_5", "class_"]) == ["PM2_5", "x2nd", "pi", "class_"]
    assert names_among(specs, ["note", "pi", "x2nd", "PM2_5"]) is None
