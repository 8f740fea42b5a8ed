"""Schemas of pandera as rules: both forms of checks, what may be missing, what is listed."""

from decimal import Decimal

import pytest

from lem_safe.errors import BadInput
from lem_safe.rule_files.pandera_schema import pandera_rules
from lem_safe.rule_files.rule_file import RuleFile
from lem_safe.scenario.reading import parse

HEAD = "schema_type: dataframe\nversion: 0.24.0\ncolumns:\n"


def rules(columns: str, tolerance: str = "0", tail: str = "") -> RuleFile:
    return pandera_rules(parse(HEAD + columns + tail, "p.yaml"), Decimal(tolerance))


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("greater_than: 0", "a > 0"),
        ("greater_than_or_equal_to: 0", "a >= 0"),
        ("less_than: {value: 2.5, options: {ignore_na: true}}", "a < 2.5"),
        ("le: 2", "a <= 2"),
        ("in_range: {min_value: 0, max_value: 9}", "a >= 0 and a <= 9"),
        ("in_range: {min_value: 0, max_value: 9, include_min: false, include_max: false}", "a > 0 and a < 9"),
        ("isin: [1, 2]", "1 <= a <= 1 or 2 <= a <= 2"),
        ("isin: {allowed_values: [F, M]}", "a in {'F', 'M'}"),
        ("notin: [F, M]", "not (a in {'F', 'M'})"),
        ("not_equal_to: 3", "not (3 <= a <= 3)"),
        ("equal_to: x", "a == 'x'"),
    ],
)
def test_checks_as_mapping_and_as_list(check, expected):
    found = rules(f"  a:\n    nullable: false\n    checks:\n      {check}\n")
    assert [r.require for r in found.rules] == [expected, "a is not missing"] and not found.unmapped
    name, _, value = check.partition(": ")
    if not value.startswith("{"):
        entry = f"    - value: {value}\n      options: {{check_name: {name}}}\n"
        assert rules(f"  a:\n    nullable: false\n    checks:\n{entry}").rules[0].require == expected


def test_missing_cells_follow_nullable_and_ignore_na():
    found = rules(
        "  a: {nullable: true, checks: {greater_than: 0}}\n"
        "  b: {nullable: true, checks: {greater_than: {value: 0, options: {ignore_na: false}}}}\n"
        "  c: {checks: {greater_than: 0}}\n"
    )
    assert [r.require for r in found.rules] == [
        "a is missing or a > 0",
        "b > 0",
        "c > 0",
        "c is not missing",
    ]


def test_types_that_say_something_of_a_cell_are_rules():
    found = rules(
        "  a: {dtype: int64, nullable: true}\n  b: {dtype: bool, nullable: true}\n"
        "  c: {dtype: 'datetime64[ns]', nullable: true, checks: {ge: '2020-01-31 00:00:00'}}\n"
        "  d: {dtype: float64, nullable: true}\n"
    )
    assert [r.require for r in found.rules] == [
        "a is missing or a % 1 <= 0",
        "b is missing or (b == true or b == false)",
        "c is missing or c >= '2020-01-31T00:00:00'",
    ]
    assert [(f.key, f.line) for f in found.unmapped] == [("columns.d.dtype", 7)]


def test_the_tolerance_is_written_into_the_rules():
    found = rules(
        "  a: {nullable: true, dtype: int64, checks: {in_range: {min_value: 0, max_value: 9}}}\n", "0.5"
    )
    assert [r.require for r in found.rules] == [
        "a is missing or (a >= -0.5 and a <= 9.5)",
        "a is missing or min(a % 1, 1 - a % 1) <= 0.5",
    ]


def test_what_is_no_rule_is_listed():
    found = rules(
        "  a: {unique: true, coerce: true, required: false, checks: {str_matches: x, isin: 3}}\n"
        "  'b.*': {regex: true, checks: {greater_than: 0}}\n"
        "  c: {checks: [{value: 3}, {value: 1, options: {check_name: greater_than, raise_warning: true}}]}\n",
        tail="checks: {wide: 1}\nindex: [{dtype: int64}]\nstrict: true\nordered: false\nname: null\n",
    )
    assert [r.require for r in found.rules] == ["a is not missing", "c is not missing"]
    assert {f.key for f in found.unmapped} == {
        "columns.a.checks.str_matches",
        "columns.a.checks.isin",
        "columns.a.unique",
        "columns.a.coerce",
        "columns.a.required",
        "columns.b.*",
        "columns.c.checks[0]",
        "columns.c.checks[1]",
        "checks",
        "index",
        "strict",
    }


@pytest.mark.parametrize("columns", ["  a: 3\n", "  - a\n", "  a: {dtype: float64, nullable: true}\n"])
def test_what_holds_no_rule_is_refused(columns):
    with pytest.raises(BadInput):
        rules(columns)
