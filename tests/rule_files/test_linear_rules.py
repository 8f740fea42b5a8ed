"""Clauses as rules: their text, and the rows that break them, against plain fractions."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import must_be_found

from barriers.sets import Rule
from barriers.sets.cells import Cells
from benchmarks.independent_rules import broken, rules_in
from lem_safe.errors import BadInput
from lem_safe.rule_files import linear_rules
from lem_safe.rule_files.column_text import Columns

COLUMNS = ["length", "fixed acidity", "min", "x3"]
NAMES = Columns(COLUMNS, "data.csv")


def converted(text: str, tolerance: str = "0", columns: Columns = NAMES) -> list[str]:
    found = linear_rules.linear_rules(text, "rules.txt", columns, Decimal(tolerance))
    return [rule.require for rule in found.rules]


@pytest.mark.parametrize(
    ("line", "tolerance", "require"),
    [
        ("y_0 - 3y_1 - 0.5y_3 >= 1", "0", "length - 3*`fixed acidity` - 0.5*x3 >= 1"),
        ("-y_0 > -30", "0.01", "-length > -30.01"),
        ("y_0 <= y_2 + 1", "0.01", "length <= `min` + 1 + 0.01"),
        ("y_0 <= 1", "0.01", "length <= 1.01"),
        ("neg y_0 > 1 or y_3 >= 0", "0", "if length > 1 then x3 >= 0"),
        ("neg y_0 > 1 or y_3 >= 0", "0.01", "if length > 1.01 then x3 >= -0.01"),
        ("y_3 < 7 or neg y_0 <= 1 or neg y_2 < 2", "0.5", "if length <= 0.5 and `min` < 1.5 then x3 < 7.5"),
        ("neg y_0 >= 1", "0", "length < 1"),
        ("neg y_0 >= 1 or neg y_3 < 2", "0.01", "length < 1.01 or x3 >= 1.99"),
        ("y_0 = 1 or y_3 > 0", "0", "(length >= 1 and length <= 1) or x3 > 0"),
        ("y_0 = 1", "0.01", "length >= 0.99 and length <= 1.01"),
    ],
)
def test_the_text_of_a_rule(line, tolerance, require):
    assert converted(line, tolerance) == [require]


def test_names_of_columns_that_are_not_there_are_refused_by_line():
    with pytest.raises(BadInput) as caught:
        converted("y_0 >= 0\ny_4 - y_9 >= 0\n")
    assert [(f.line, f.column, f.message.split(";")[0]) for f in caught.value.faults] == [
        (2, 1, "y_4 is none of the 4 columns y_0 to y_3 of data.csv"),
        (2, 7, "y_9 is none of the 4 columns y_0 to y_3 of data.csv"),
    ]


def test_without_names_the_numbers_stay():
    assert converted("y_30 - y_2 > 0", columns=Columns()) == ["y_30 - y_2 > 0"]


def test_long_sums_are_named_and_their_value_is_the_same():
    d = 300
    names = [f"a_column_of_a_rather_long_name_{i}" for i in range(d)]
    line = " + ".join(f"y_{i}" for i in range(d - 1)) + f" - {d}y_{d - 1} >= 0"
    found = linear_rules.linear_rules(line, "r.txt", Columns(names, "t"), Decimal(0))
    (rule,) = found.rules
    assert all(len(text) < 2000 for text in (rule.require, *found.derived.values())) and found.derived
    region = Rule(require=rule.require, columns=names, cells=Cells(derived=found.derived))
    x = torch.zeros(3, d, dtype=torch.float64)
    x[:, : d - 1] = 1.0
    x[:, d - 1] = torch.tensor([0.0, (d - 1) / d - 0.001, (d - 1) / d + 0.001])
    assert region.contains(x).tolist() == [False, False, True]


numbers = st.integers(-12, 12).map(lambda n: Fraction(n, 4))
sums = st.lists(st.tuples(numbers, st.integers(0, 3)), min_size=1, max_size=3)
inequalities = st.tuples(st.booleans(), sums, st.sampled_from([">=", ">", "<=", "<"]), numbers)
problems = st.tuples(
    st.lists(inequalities, min_size=1, max_size=3),
    st.sampled_from([Fraction(0), Fraction(1, 4), Fraction(3, 2)]),
    st.lists(st.lists(numbers, min_size=4, max_size=4), min_size=1, max_size=6),
)


def text_of(value: Fraction) -> str:
    return str(Decimal(value.numerator) / value.denominator)


def line_of(clause: Sequence[tuple[bool, list[tuple[Fraction, int]], str, Fraction]]) -> str:
    def one(negated, terms, sign, constant):
        body = " ".join(f"{'-' if c < 0 else '+'} {text_of(abs(c))}y_{i}" for c, i in terms)
        return f"{'neg ' * negated}{body} {sign} {text_of(constant)}"

    return " or ".join(one(*part) for part in clause)


def holds(part, row: Sequence[Fraction], tolerance: Fraction) -> bool:
    """The definition, in fractions: accepted up to the tolerance."""
    negated, terms, sign, constant = part
    value = sum((c * row[i] for c, i in terms), Fraction(0)) - constant
    above = sign[0] == ">"
    if negated:
        above, strict = not above, len(sign) == 2
    else:
        strict = len(sign) == 1
    value = value + tolerance if above else tolerance - value
    return value > 0 if strict else value >= 0


@settings(max_examples=150, deadline=None)
@given(problems)
def test_the_rows_that_break_a_rule_are_those_of_plain_fractions(problem):
    clause, tolerance, rows = problem
    line = line_of(clause)
    (require,) = converted(line, text_of(tolerance))
    region = Rule(require=require, columns=COLUMNS, cells=Cells())
    inside = region.contains(torch.tensor([[float(v) for v in row] for row in rows], dtype=torch.float64))
    expected = [not any(holds(part, row, tolerance) for part in clause) for row in rows]
    assert inside.tolist() == expected, (line, require)
    texts = [[text_of(v) for v in row] for row in rows]
    (judged,) = broken(rules_in(line, text_of(tolerance)), texts, range(4))
    assert judged[:, 0].tolist() == expected


def a_boundary_is_decided():
    """Rows on the boundary, and beside it by the tolerance, of each sign and its negation."""
    rows = torch.tensor([[v, 0.0, 0.0, 0.0] for v in (0.75, 1.0, 1.25)], dtype=torch.float64)
    found = {}
    for line in ("y_0 >= 1", "y_0 > 1", "neg y_0 >= 1", "neg y_0 > 1", "neg y_0 >= 1 or y_1 > 5"):
        for tolerance in ("0", "0.25"):
            (require,) = converted(line, tolerance)
            inside = Rule(require=require, columns=COLUMNS, cells=Cells()).contains(rows)
            found[line, tolerance] = "".join("x" if v else "." for v in inside.tolist())
    assert found == {
        ("y_0 >= 1", "0"): "x..",
        ("y_0 >= 1", "0.25"): "...",
        ("y_0 > 1", "0"): "xx.",
        ("y_0 > 1", "0.25"): "x..",
        ("neg y_0 >= 1", "0"): ".xx",
        ("neg y_0 >= 1", "0.25"): "..x",
        ("neg y_0 > 1", "0"): "..x",
        ("neg y_0 > 1", "0.25"): "...",
        ("neg y_0 >= 1 or y_1 > 5", "0"): ".xx",
        ("neg y_0 >= 1 or y_1 > 5", "0.25"): "..x",
    }


test_a_boundary_is_decided = a_boundary_is_decided


def _unsigned(honest):
    def clauses(text, file):
        return [
            c._replace(parts=tuple(p._replace(negated=False) for p in c.parts)) for c in honest(text, file)
        ]

    return clauses


def _loose(honest):
    def clauses(text, file):
        return [
            c._replace(parts=tuple(p._replace(sign=p.sign[0] + "=") for p in c.parts))
            for c in honest(text, file)
        ]

    return clauses


TEETH = {
    "neg is ignored": (a_boundary_is_decided, linear_rules, "clauses", _unsigned),
    "strictness is lost": (a_boundary_is_decided, linear_rules, "clauses", _loose),
    "the tolerance tightens": (
        a_boundary_is_decided,
        linear_rules._Writer,
        "compared",
        lambda honest: lambda self, part, sign, way=1: honest(self, part, sign, -way),
    ),
    "the negation keeps its strictness": (
        a_boundary_is_decided,
        linear_rules,
        "NOT",
        lambda honest: {">=": "<=", ">": "<", "<=": ">=", "<": ">"},
    ),
}


@pytest.mark.parametrize("tooth", TEETH.values(), ids=TEETH.keys())
def test_planted_faults_are_found(tooth, monkeypatch):
    must_be_found(tooth, monkeypatch)


def test_sums_are_rounded_as_the_page_says():
    (loose,), (strict,) = converted("y_0 - y_1 - y_3 >= 0"), converted("y_0 - y_1 - y_3 > 0")
    rows = torch.tensor([[0.3, 0.1, 0.0, 0.2], [0.8, 0.7, 0.0, 0.1]], dtype=torch.float64)
    broken_ = [
        Rule(require=r, columns=COLUMNS, cells=Cells()).contains(rows).tolist() for r in (loose, strict)
    ]
    assert broken_ == [[True, False], [True, False]]


def test_every_rule_has_the_name_of_its_line():
    found = linear_rules.linear_rules(
        "\ny_0 > 0\n\ny_1 > 0", "r.txt", Columns(["line_2", "b"], "t"), Decimal(0)
    )
    assert [(r.name, r.line, r.written) for r in found.rules] == [
        ("line_2_2", 2, "y_0 > 0"),
        ("line_4", 4, "y_1 > 0"),
    ]
