"""JSON Schemas as rules: every keyword, what may be missing, what is listed and what is refused."""

import json
from decimal import Decimal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lem_safe
from barriers.sets import Rule
from barriers.sets.cells import Cells
from lem_safe.errors import BadInput
from lem_safe.rule_files.json_schema import schema_rules
from lem_safe.rule_files.rule_file import RuleFile
from lem_safe.scenario.reading import parse


def rules(schema: object, tolerance: str = "0") -> RuleFile:
    return schema_rules(parse(json.dumps(schema, indent=1), "s.json"), Decimal(tolerance))


def of_column(schema: object, tolerance: str = "0") -> list[str]:
    """What is asked of a column a that must be there."""
    whole = {"properties": {"a": schema}, "required": ["a"]}
    return [r.require for r in rules(whole, tolerance).rules if r.name != "a_required"]


@pytest.mark.parametrize(
    ("schema", "tolerance", "expected"),
    [
        ({"type": "integer", "minimum": 0}, "0", ["a % 1 <= 0", "a >= 0"]),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1.5}, "0", ["a > 0", "a <= 1.5"]),
        ({"type": "number", "minimum": 2, "exclusiveMinimum": True}, "0", ["a > 2"]),
        ({"type": "number", "minimum": 2, "maximum": 3}, "0.01", ["a >= 1.99", "a <= 3.01"]),
        ({"type": "number", "multipleOf": 0.25}, "0", ["a % 0.25 <= 0"]),
        ({"type": "number", "multipleOf": 0.1}, "0.01", ["min(a % 0.1, 0.1 - a % 0.1) <= 0.01"]),
        ({"enum": ["x", "it's"]}, "0", ["a in {'x', \"it's\"}"]),
        ({"enum": [1, 2.5]}, "0", ["1 <= a <= 1 or 2.5 <= a <= 2.5"]),
        ({"const": True}, "0", ["a == true"]),
        ({"type": "boolean"}, "0", ["a == true or a == false"]),
        ({"type": "number", "not": {"minimum": 3}}, "0.5", ["not (a >= 3.5)"]),
        ({"type": "number", "anyOf": [{"maximum": 0}, {"minimum": 9}]}, "0", ["a <= 0 or a >= 9"]),
        ({"type": "number", "allOf": [{"minimum": 1}, {"maximum": 2}]}, "0", ["a >= 1 and a <= 2"]),
    ],
)
def test_keywords_of_a_property(schema, tolerance, expected):
    assert of_column(schema, tolerance) == expected


def test_a_cell_may_be_missing_where_the_property_is_optional_or_nullable():
    properties = {
        "a": {"type": "number", "minimum": 0},
        "b": {"type": ["number", "null"], "minimum": 0},
        "c": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
        "d": {"type": "number", "minimum": 0, "nullable": True},
        "e1": {"type": "number", "minimum": 0},
    }
    found = {
        r.name: r.require for r in rules({"properties": properties, "required": ["a", "b", "c", "d"]}).rules
    }
    assert found == {
        "a_minimum": "a >= 0",
        "a_required": "a is not missing",
        "b_minimum": "b is missing or b >= 0",
        "c_anyOf": "c is missing or c >= 0",
        "d_minimum": "d is missing or d >= 0",
        "e1_minimum": "e1 is missing or e1 >= 0",
    }


def test_implications_are_rules_about_rows():
    schema = {
        "if": {"properties": {"kind": {"const": "new"}}, "required": ["kind"]},
        "then": {"properties": {"price": {"type": "number", "minimum": 10}}, "required": ["price"]},
        "else": {"required": ["price"]},
        "dependentRequired": {"mail": ["name"]},
        "not": {"properties": {"price": {"type": "number", "minimum": 99}}, "required": ["price"]},
    }
    found = {r.name: r.require for r in rules(schema, "0.5").rules}
    assert found["dependentRequired"] == "if mail is not missing then name is not missing"
    assert found["not_"] == "not (price is not missing and price >= 99.5)"
    assert found["if_"] == (
        "(if kind is not missing and kind == 'new' then price is not missing and price >= 9.5) and "
        "(if not (kind is not missing and kind == 'new') then price is not missing)"
    )


def test_arrays_of_rows_and_references_are_followed():
    schema = {
        "type": "array",
        "minItems": 1,
        "items": {"allOf": [{"properties": {"a b": {"$ref": "#/$defs/Share"}}, "required": ["a b"]}]},
        "$defs": {"Share": {"type": "number", "minimum": 0, "maximum": 1}},
    }
    found = rules(schema)
    assert [r.require for r in found.rules] == ["`a b` >= 0", "`a b` <= 1", "`a b` is not missing"]
    assert [f.key for f in found.unmapped] == ["minItems"]


def test_what_is_no_rule_is_listed_by_name_and_line():
    schema = {
        "properties": {
            "mail": {"type": "string", "pattern": "@", "enum": ["a@b"]},
            "n": {"type": "number"},
            "o": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "m": {"enum": [1, "a"]},
            "p": {"type": "number", "multipleOf": 0.1},
            "q": {"type": "object", "properties": {}},
            "r": {"$ref": "#/$defs/none"},
            "s": {"type": "number", "not": {"pattern": "x"}},
        },
        "oneOf": [{}],
        "additionalProperties": False,
        "if": {"properties": {"mail": {"pattern": "x"}}},
        "then": {"required": ["n"]},
    }
    found = rules(schema)
    assert [r.name for r in found.rules] == ["mail_enum"]
    keys = {f.key: f.line for f in found.unmapped}
    assert set(keys) == {
        "properties.mail.pattern",
        "properties.n.type",
        "properties.o.anyOf",
        "properties.m.enum",
        "properties.p.multipleOf",
        "properties.q",
        "properties.r",
        "properties.s.not",
        "oneOf",
        "additionalProperties",
        "if",
    }
    assert keys["properties.mail.pattern"] == 5 and all(keys.values())


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"properties": {"a": {"type": "number"}}}, "nothing that is a rule"),
        ({"properties": [1]}, "must be a mapping"),
        ({"required": "a"}, "must be a list of names"),
        ({"type": "array", "items": [1]}, "must be a schema"),
    ],
)
def test_what_cannot_be_read_is_refused(schema, words):
    with pytest.raises(BadInput, match=words):
        rules(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"minimum": "x", "maximum": 3}}},
        {"properties": {"a": {"enum": 3}, "b": {"maximum": 3}}},
        {"properties": {"a": {"enum": [[1]], "maximum": 3}}},
        {"properties": {"a": {"anyOf": {}}, "b": {"maximum": 3}}},
        {"properties": {"a": {"type": ["x"], "maximum": 3}, "b": {"maximum": 3}}},
        {"properties": {"a": {"type": {}}, "b": {"maximum": 3}}},
        {"properties": {"a": {"anyOf": 1.5}, "b": {"maximum": 3}}},
        {"properties": {"a": {"$ref": "#"}, "b": {"maximum": 3}}},
        {"properties": {"b": {"maximum": 3}}, "dependentRequired": {"a": "bc"}},
        {"properties": {"b": {"maximum": 3}}, "allOf": {}},
        {"properties": {"b": {"maximum": 3}}, "anyOf": [3]},
        {"properties": {"b": {"maximum": 3}}, "if": 3, "then": {}},
        {"properties": {"b": {"maximum": 3}, "c": {"$ref": "#/properties/c"}}},
    ],
)
def test_values_that_make_no_sense_are_listed(schema):
    found = rules(schema)
    assert [r.require.rsplit("or ")[-1][2:] for r in found.rules] == ["<= 3"] and len(found.unmapped) >= 1


def test_the_rules_count_rows(tmp_path):
    properties = {
        "n": {"type": "integer", "minimum": 0},
        "kind": {"enum": ["new", "old", None]},
        "ok": {"type": "boolean"},
    }
    found = rules({"properties": properties, "required": ["n", "ok"]})
    (tmp_path / "t.csv").write_text("n,kind,ok\n1,new,true\n1.5,,false\n-1,used,true\n,old,true\n")
    regions = {r.name: {"kind": "rule", "require": r.require} for r in found.rules}
    report = lem_safe.audit(tmp_path / "t.csv", regions, beta=0, missing="keep")
    assert {c.set: (c.violations, c.undefined) for c in report.constraints} == {
        "n_type": (2, 1),
        "n_minimum": (2, 1),
        "n_required": (1, 0),
        "kind_enum": (1, 0),
        "ok_type": (0, 0),
        "ok_required": (0, 0),
    }


number = st.integers(-8, 8).map(lambda n: n / 2)
leaf = st.one_of(
    st.tuples(
        st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "const"]), number
    ),
    st.tuples(st.just("multipleOf"), st.sampled_from([0.5, 1, 1.5, 3])),
    st.tuples(st.just("enum"), st.lists(number, min_size=1, max_size=3)),
    st.tuples(st.just("type"), st.just("integer")),
).map(lambda pair: {pair[0]: pair[1]})
schemas = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["anyOf", "allOf"]), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("not"), inner),
    ).map(lambda pair: {pair[0]: pair[1]}),
    max_leaves=5,
)
MEANINGS = {
    "minimum": lambda a, v: a >= v,
    "maximum": lambda a, v: a <= v,
    "exclusiveMinimum": lambda a, v: a > v,
    "exclusiveMaximum": lambda a, v: a < v,
    "const": lambda a, v: a == v,
    "multipleOf": lambda a, v: (a / v).is_integer(),
    "enum": lambda a, v: a in v,
    "type": lambda a, v: float(a).is_integer(),
    "anyOf": lambda a, v: any(valid(a, part) for part in v),
    "allOf": lambda a, v: all(valid(a, part) for part in v),
    "not": lambda a, v: not valid(a, v),
}


def valid(a: float, schema: dict[str, object]) -> bool:
    return all(MEANINGS[key](a, value) for key, value in schema.items())


@settings(max_examples=150, deadline=None)
@given(schemas, st.booleans())
def test_rules_mean_what_the_schema_means(schema, about_rows):
    values = [n / 4 for n in range(-18, 19)]
    whole = {"properties": {"a": schema}, "required": ["a"]}
    found = rules({"not": {"not": whole}} if about_rows else whole)
    x = torch.tensor(values, dtype=torch.float64)[:, None]
    inside = [Rule(require=r.require, columns=["a"], cells=Cells()).contains(x) for r in found.rules]
    assert torch.stack(inside).any(0).tolist() == [not valid(a, schema) for a in values]
    assert not found.unmapped
