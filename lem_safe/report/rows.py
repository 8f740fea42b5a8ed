"""The rows of a run on a table as they are written, beside those that its energy was learned from."""

import json
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from barriers.arrays import torch
from lem_safe.data.typed import Codec, RowCoordinates, coordinates_of
from lem_safe.report.contents import Contents

FEWEST = 50
"""Rows of the data that samples are compared with, at least."""


class Tables(NamedTuple):
    """Rows of the data and of the run, as pandas frames."""

    real: Any
    samples: Any


def tables(contents: Contents) -> Tables | None:
    """The rows of a run on a table, and of the data those that have the values that are given; None for any
    other run, for too few rows, and where a file is not what the run wrote.
    """
    path, data = contents.directory / "energy.safetensors", contents.diagnostics.get("data")
    if data is None or not path.is_file() or find_spec("pandas") is None:
        return None
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get("table")
        if text is None:
            return None
        codec = Codec.from_json(json.loads(text))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    asked = contents.scenario
    coordinates = coordinates_of(codec, contents.columns, asked["unsafe"], asked.get("derived"))
    real = _with_given(contents, np.asarray(data, dtype=np.float64))
    if len(real) < FEWEST:
        return None
    return Tables(_table(contents, coordinates, real), _table(contents, coordinates, contents.x))


def _with_given(contents: Contents, real: np.ndarray) -> np.ndarray:
    """The rows that have, in the columns that are given, what all samples have."""
    for name in contents.scenario.get("given") or {}:
        j = list(contents.columns).index(name)
        value = contents.x[0, j]
        real = real[np.isnan(real[:, j]) if np.isnan(value) else real[:, j] == value]
    return real


def _table(contents: Contents, coordinates: RowCoordinates, x: np.ndarray) -> Any:
    import pandas as pd

    rows = coordinates.placed(torch.from_numpy(np.asarray(x, dtype=np.float64))).numpy()
    made = {}
    for j, (name, field) in enumerate(zip(contents.columns, coordinates.codec.fields, strict=True)):
        values = rows[:, j]
        if field.kind == "category":
            labels = np.array([*field.labels, None], dtype=object)
            made[name] = pd.Series(labels[np.where(np.isnan(values), len(field.labels), values).astype(int)])
        elif field.kind == "date":
            gaps = np.isnan(values)
            at = np.where(gaps, 0, values).astype(np.int64).astype("datetime64[us]")
            made[name] = pd.Series(at).mask(gaps)
        else:
            made[name] = pd.Series(values)
    return pd.DataFrame(made)
