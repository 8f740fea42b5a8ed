"""Rows in memory: what is masked, missing or imaginary is never counted, and names decide."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

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
