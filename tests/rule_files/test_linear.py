"""The format of PiShield: what is read, and what is refused at which character."""

from decimal import Decimal

import pytest

from lem_safe.errors import BadInput
from lem_safe.rule_files.linear import Inequality, Term, clauses


def parts(line: str) -> tuple[Inequality, ...]:
    (clause,) = clauses(line, "rules.txt")
    return clause.parts


def test_a_sum_is_read_term_by_term():
    (found,) = parts("y_0 - 3y_19 + .5*y_2 - 1e1 y_3 >= -2.50")
    assert found.left == (
        Term(Decimal(1), 0),
        Term(Decimal(-3), 19),
        Term(Decimal("0.5"), 2),
        Term(Decimal(-10), 3),
    )
    assert (found.sign, found.right, found.negated) == (">=", (Term(Decimal("-2.50"), None),), False)


def test_constants_and_columns_stand_on_either_side():
    (found,) = parts("2 - y_1 < y_0 + 3")
    assert found.left == (Term(Decimal(2), None), Term(Decimal(-1), 1))
    assert found.right == (Term(Decimal(1), 0), Term(Decimal(3), None))


def test_neg_negates_one_inequality():
    first, second, third = parts("y_7 > 70 or neg y_11 > 3 or y_10 == 2")
    assert [p.negated for p in (first, second, third)] == [False, True, False]
    assert [p.sign for p in (first, second, third)] == [">", ">", "="]


@pytest.mark.parametrize("line", ["y_0 or not y_1 or y_2", "0 :- 1 n2", "c4 0 :- 1 n2"])
def test_propositional_rules_are_clauses_about_a_half(line):
    found = parts(line)
    half = (Term(Decimal("0.5"), None),)
    signs = {part.left[0].column: part.sign for part in found}
    assert signs == {0: ">", 1: "<", 2: ">"} and all(part.right == half for part in found)


def test_orderings_blank_lines_and_comments_are_no_rules():
    found = clauses("# head\nordering y_0 y_2 y_1\n\ny_0 >= 1  # least\n  \ny1 - y2 > 0\n", "r.txt")
    assert [(c.line, c.written) for c in found] == [(4, "y_0 >= 1"), (6, "y1 - y2 > 0")]


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("y_0 - z_1 >= 0", 7, "'z_1' has no place"),
        ("y_0 >= ", 7, "expected a number or a column"),
        ("y_0 - y_1", 10, "expected one of >="),
        ("y_0 >= 1 >= 0", 10, "one comparison"),
        ("y_0 >= 1 and y_1 >= 0", 10, "'and' has no place"),
        ("1 >= 0", 1, "numbers alone"),
        ("3 or y_1 >= 0", 3, "expected one of >="),
        ("neg y_0", 8, "expected one of >="),
        ("not y_0 >= 1", 9, "'neg'"),
        ("neg y_0 = 1", 1, "write a > b or a < b"),
        ("y_0 - - y_1 >= 0", 7, "a number or a column"),
        ("y_0 / 2 >= 0", 5, "'/' has no place"),
        ("12x >= 0", 1, "'12x' has no place"),
        ("1e999y_0 >= 0", 1, "too large"),
        ("y_0 :- 1", 1, "no literal"),
        ("ordering y_0 x", 14, "no column"),
        ("ordering y_0 y_1 y_0", 18, "named twice"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_character(line, column, words):
    with pytest.raises(BadInput) as caught:
        clauses(f"y_5 >= 0\n{line}\n", "rules.txt")
    (fault,) = caught.value.faults
    assert (fault.file, fault.line, fault.column, fault.source) == ("rules.txt", 2, column, line)
    assert words in fault.message


def test_all_faulty_lines_are_named_at_once():
    with pytest.raises(BadInput) as caught:
        clauses("ordering y_0\ny_0 >\ny_1 > 0\ny_0 > 0\n?\n", "rules.txt")
    assert [(f.line, f.column) for f in caught.value.faults] == [(2, 6), (3, 1), (5, 1)]
    assert "y_1 is not in the ordering" in caught.value.faults[1].message


def test_a_file_without_rules_is_refused():
    with pytest.raises(BadInput, match="holds no rule"):
        clauses("ordering y_0 y_1\n", "rules.txt")
