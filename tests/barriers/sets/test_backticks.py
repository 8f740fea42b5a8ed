"""Names in backticks, in rules and in `columns` regions: any characters, positions kept, doubts refused."""

import pytest
import torch

from barriers.sets import Rule, RuleError, build_set
from barriers.sets.backticks import place_of

X = torch.tensor([[1.0, 5.0], [3.0, 2.0]])


@pytest.mark.parametrize(
    ("where", "columns", "inside"),
    [
        ("`fixed acidity` > 2", ["fixed acidity", "pH"], [False, True]),
        ("`fixed acidity` > 2", ["fixed_acidity", "pH"], [False, True]),
        ("`PM2.5` > `class`", ["PM2_5", "class_"], [False, True]),
        ("`PM2.5`>`class`", ["PM2.5", "class"], [False, True]),
        ("2*`2nd` > 5 and `# of rooms` < 4", ["2nd", "# of rooms"], [False, True]),
        ("`2nd` > 2", ["x2nd", "y"], [False, True]),
        ("` a  ` > 2", ["a", "y"], [False, True]),
        ("`pi` > 2", ["pi", "y"], [False, True]),
        ("`α β` > 2 or 一 > 4", ["α β", "一"], [True, True]),
        ("`a-b` > 2", ["a-b", "a b"], [False, True]),
    ],
)
def test_the_column_of_that_name(where, columns, inside):
    assert Rule(where, columns).contains(X).tolist() == inside


@pytest.mark.parametrize(
    ("where", "columns", "offset", "message"),
    [
        ("x0 > 1 and `zz` < 2", ["x0", "x1"], 11, "unknown column 'zz' at character 12 (columns: x0, x1)"),
        ("`a > 1", ["a", "b"], 0, "never closed"),
        ("`` > 1", ["a", "b"], 0, "unknown column"),
        ("`a_b` > 1", ["a b", "a-b"], 0, "could be any of 'a b', 'a-b'"),
        ("`PM25` > 1", ["PM2.5", "b"], 0, "unknown column 'PM25'"),
        ("`a b` + 1", ["a b", "c"], 0, "'`a b` + 1' at character 1 compares nothing"),
        ("`a b` < 1 == 2", ["a b", "c"], 8, "'1' at character 9 and '2' hold no column"),
        ("`a b` == c", ["a b", "c"], 6, "'=='"),
        ("`a b`(3) > 1", ["a b", "c"], 0, "unknown function '`a b`'"),
        ("`a b` > foo", ["a b", "c"], 8, "unknown column 'foo'"),
    ],
)
def test_faults_stand_where_they_are(where, columns, offset, message):
    with pytest.raises(RuleError) as caught:
        Rule(where, columns)
    assert message in str(caught.value) and caught.value.offset == offset


def test_a_region_on_chosen_columns_takes_the_same_names():
    spec = {
        "kind": "columns",
        "columns": ["`PM2.5`"],
        "set": {"kind": "half_space", "normal": [1.0], "offset": 4.0},
    }
    for columns in (["class", "PM2.5"], ["class_", "PM2_5"]):
        region = build_set(spec, named={}, context={"columns": tuple(columns)})
        assert region.contains(X).tolist() == [True, False]
    assert place_of("class", ["class_", "b"]) == 0
    with pytest.raises(ValueError, match="unknown column 'c'"):
        build_set({**spec, "columns": ["c"]}, named={}, context={"columns": ("a", "b")})
