"""The independent judge of rules counts in exact arithmetic, by code of its own."""

import ast
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks import independent_rules
from benchmarks.independent_rules import broken, cells, judge, rules_in


def test_it_shares_no_code_with_the_packages():
    tree = ast.parse(Path(independent_rules.__file__).read_text(encoding="utf-8"))
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in imported if name.split(".")[0] in ("lem_safe", "barriers", "benchmarks")}


@pytest.mark.parametrize(
    "texts", [["1", "-2.50", "0.125"], ["1e3", "2.5E-4"], ["12345678901234567890", "0.1"]]
)
def test_cells_are_exact(texts):
    found = cells(texts)
    assert [Fraction(int(v), 10**found.digits) for v in found.values] == [Fraction(t) for t in texts]


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "1_0"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError):
        list(broken(rules_in("y_0 >= 0"), [["1"], [text]], [0]))


def test_boundaries_that_float64_misses_are_decided():
    rules = rules_in("y_0 - y_1 - y_2 >= 0\ny_0 - y_1 - y_2 > 0")
    (found,) = broken(rules, [["0.3", "0.1", "0.2"], ["0.8", "0.7", "0.1"]], range(3))
    assert found.tolist() == [[False, True], [False, True]]
    assert 0.3 - 0.1 - 0.2 < 0 < 0.8 - 0.7 - 0.1


@pytest.mark.parametrize(
    ("tolerance", "expected"), [("0", [True, False, True]), ("0.1", [False, False, False])]
)
def test_equations_have_the_tolerance_on_both_sides(tolerance, expected):
    (found,) = broken(rules_in("y_0 = 1", tolerance), [["0.9"], ["1.00"], ["1.1"]], [0])
    assert found[:, 0].tolist() == expected


def test_columns_are_matched_by_name(tmp_path):
    (tmp_path / "rules.txt").write_text("ordering y_0 y_1\ny_0 - y_1 > 0\nneg y_0 > 5 or y_1 > 2\n")
    (tmp_path / "data.csv").write_text("a,b,label\n1,0,x\n")
    (tmp_path / "rows.csv").write_text("label,b,a\nx,1,2\nx,2,2\nx,2,6\n")
    found = judge(tmp_path / "rules.txt", tmp_path / "rows.csv", tmp_path / "data.csv")
    assert found == {"rows": 3, "any_rule": 2, "line_2": 1, "line_3": 1}
