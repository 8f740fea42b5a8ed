"""Rows in memory: what is masked, missing or imaginary is never counted, and names decide."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import lem_safe
from lem_safe.auditor import in_memory, opening
from lem_safe.auditor.opening import open_samples
from lem_safe.errors import BadInput

LOAD, SPEED = [1.0, 2.0, 3.0], [99.0, 1.0, 4.0]
TABLES = {
    "pandas": pd.DataFrame({"note": ["a", "b", "c"], "load": LOAD, "speed": SPEED}),
    "pandas of objects": pd.DataFrame({"load": LOAD, "speed": SPEED}).astype(object),
    "pandas with its own types": pd.DataFrame(
        {"load": pd.array([1, 2, 3], dtype="Int64"), "speed": pd.array(SPEED, dtype="Float64")}
    ),
    "arrow": pa.table({"load": [1, 2, 3], "note": ["a", "b", "c"], "speed": SPEED}),
    "a structured array": np.array(
        list(zip(LOAD, SPEED, strict=True)), dtype=[("load", "f4"), ("speed", "f8")]
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_read_by_their_names(name: str) -> None:
    opened = open_samples(TABLES[name])
    assert opened.columns is not None
    order = [opened.columns.index(column) for column in ("speed", "load")]
    blocks = [block.x.tolist() for block in opened.blocks(order, None, 2)]
    assert blocks == [[[99.0, 1.0], [1.0, 2.0]], [[4.0, 3.0]]]


def test_a_table_keeps_its_names_whatever_columns_says() -> None:
    table = pd.DataFrame({"speed": SPEED, "load": LOAD})
    assert open_samples(table, ["load", "speed"]).columns == ("speed", "load")
    with pytest.raises(BadInput, match="has column names of its own"):
        open_samples(table, ["a", "b"])


MISSING = {
    "masked": np.ma.array([[99.0, 1.0], [1.0, 2.0]], mask=[[False, False], [True, False]]),
    "masked whole numbers": np.ma.array([[99, 1], [1, 2]], mask=[[False, False], [True, False]]),
    "NA": pd.DataFrame({"a": pd.array([99, None], dtype="Int64"), "b": LOAD[:2]}),
    "None": pd.DataFrame({"a": [99.0, None], "b": LOAD[:2]}, dtype=object),
    "null": pa.table({"a": [99, None], "b": LOAD[:2]}),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_refused_by_its_place(name: str) -> None:
    with pytest.raises(BadInput, match="row 2, column (a|1, counted from 1): nan is not a finite number"):
        list(open_samples(MISSING[name]).blocks([0, 1], None))


def test_the_mask_is_what_makes_the_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "filled", lambda values: values)
    assert list(open_samples(MISSING["masked"]).blocks([0, 1], None))[0].x[1].tolist() == [1.0, 2.0]
    monkeypatch.setattr(in_memory, "_missing", lambda cell: False)
    with pytest.raises(BadInput, match="row 2 holds None"):
        list(open_samples(MISSING["None"]).blocks([0, 1], None))


NO_NUMBERS = {
    "text": (pd.DataFrame({"a": ["99", "x"], "b": LOAD[:2]}), "column 'a' must hold numbers"),
    "dates": (
        pd.DataFrame({"a": pd.to_datetime(["2020", "2021"]), "b": LOAD[:2]}),
        "row 1 holds 2020-01-01.* of datetime64",
    ),
    "text in Arrow": (
        pa.table({"a": ["99", "x"], "b": LOAD[:2]}),
        "column 'a' must hold numbers; got string",
    ),
    "complex fields": (np.zeros(2, dtype=[("a", "c16"), ("b", "f8")]), "column 'a' must hold numbers"),
    "fields of arrays": (np.zeros(2, dtype=[("a", "f8", 3), ("b", "f8")]), "got arrays of float64"),
    "imaginary": (torch.ones(2, 2, dtype=torch.complex64), "got complex64"),
    "truth values": (torch.ones(2, 2, dtype=torch.bool), "got bool"),
    "sparse": (torch.ones(2, 2).to_sparse(), "needs a dense tensor"),
    "without storage": (torch.ones(2, 2, device="meta"), "needs a dense tensor"),
    "no rows": (pd.DataFrame({"a": [], "b": []}), "holds no samples"),
}


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_holds_no_numbers_is_refused(name: str) -> None:
    source, message = NO_NUMBERS[name]
    with pytest.raises(BadInput, match=message):
        list(open_samples(source).blocks([0, 1], None))


BALL = {"ball": {"kind": "ball", "center": [0, 0, 0], "radius": 1}}
FAST = {"fast": {"kind": "rule", "where": "a > 4"}}
OTHERS = {"text": list("xyz"), "when": pd.date_range("2020", periods=3), "gap": [np.nan, 1, 2]}
NUMBERS = {
    "decimals": [Decimal(1), Decimal("4.5"), Decimal(5)],
    "Arrow integers": pd.array([1, 5, 6], dtype="int64[pyarrow]"),
    "Arrow decimals": pd.array(
        [Decimal(1), Decimal(5), Decimal(6)], dtype=pd.ArrowDtype(pa.decimal128(5, 2))
    ),
    "categories": pd.Categorical([1, 5, 6]),
    "sparse": pd.arrays.SparseArray([0, 5.0, 6.0]),
    "nullable": pd.array([1.0, 5.0, 6.0], dtype="Float64"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_columns_that_nobody_names_may_hold_anything(name: str) -> None:
    frame = pd.DataFrame(
        {**OTHERS, "a": NUMBERS[name], "flag": pd.array([True, None, False], dtype="boolean")}
    )
    report = lem_safe.audit(frame, FAST, beta=0.9)
    assert report.columns == ("a",) and report.constraints[0].violations == 2


@pytest.mark.parametrize(
    ("cells", "place"),
    [
        (pd.array([1, None, 2], dtype="int64[pyarrow]"), "row 2, column a: nan"),
        (pd.array(["1", "2", "3"], dtype="string[pyarrow]"), "row 1 holds '1'"),
        ([1, Decimal("sNaN"), 2], "row 2 holds Decimal"),
        ([1, 2, 10**400], "row 3, column a: inf"),
        (pd.to_timedelta([1, 2, 3]), "row 1 holds 1 nanoseconds"),
        (pd.Categorical(["u", "v", "w"]), "row 1 holds 'u'"),
        (pd.Categorical([1, None, 2]), "row 2, column a: nan"),
    ],
)
def test_a_named_column_that_holds_something_else_is_refused_by_its_row(cells: object, place: str) -> None:
    with pytest.raises(BadInput, match=place):
        lem_safe.audit(pd.DataFrame({**OTHERS, "a": cells}), FAST, beta=0.9)


def test_arrow_decimals_and_dictionaries_are_numbers() -> None:
    for cells in (pa.array([Decimal(1), Decimal(5)]), pa.array([1, 5]).dictionary_encode()):
        report = lem_safe.audit(pa.table({"a": cells, "note": ["x", "y"]}), FAST, beta=0.9)
        assert report.constraints[0].violations == 1


def test_names_that_are_shared_or_missing_matter_where_they_are_used() -> None:
    frame = pd.DataFrame(np.full((2, 4), 5.0), columns=["a", "b", "b", ""])
    assert lem_safe.audit(frame, FAST, beta=0.5).constraints[0].violations == 2
    with pytest.raises(BadInput, match="unknown column 'b'.*b_in_column_2, b_in_column_3"):
        lem_safe.audit(frame, {"x": {"kind": "rule", "where": "b > 1"}}, beta=0.5)
    with pytest.raises(BadInput, match="column names must differ; 'b' is also column 2's"):
        lem_safe.audit(pd.DataFrame(np.zeros((2, 3)), columns=["a", "b", "b"]), BALL, beta=0.5)
    with pytest.raises(BadInput, match="2 levels \\(MultiIndex\\)"):
        lem_safe.audit(pd.DataFrame(np.zeros((2, 2)), columns=[["a", "a"], ["b", "c"]]), FAST, beta=0.5)
    numbered = pd.DataFrame(np.full((2, 3), 5.0), columns=["a", 5, None])
    assert lem_safe.audit(numbered, {"x": {"kind": "rule", "where": "x5 > 1"}}, beta=0.5).columns == ("x5",)
