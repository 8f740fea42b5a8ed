"""The overall score of SDMetrics' QualityReport, by another program, where `sdmetrics` is installed."""

import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from lem_safe.judging.table import Column, Table

ABSENT = "sdmetrics is not installed; pip install sdmetrics adds its score"
KINDS = {"number": "numerical", "date": "datetime", "text": "categorical", "boolean": "categorical"}
"""What SDMetrics calls the types of columns."""


def sdmetrics_score(real: Table, samples: Table) -> dict[str, Any]:
    """`score` in [0, 1], 1 for alike, with its `properties` by name and the `version`; a score of None with
    `why` where it cannot be had.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own deprecations, and of pandas'
        return _scored(real, samples)


def _scored(real: Table, samples: Table) -> dict[str, Any]:
    try:
        from sdmetrics.reports.single_table import QualityReport
    except ImportError:
        return {"score": None, "why": ABSENT}
    try:
        report = QualityReport()
        report.generate(_frame(real), _frame(samples), metadata(real), verbose=False)
        named = report.get_properties()
        properties = dict(zip(named["Property"].tolist(), named["Score"].astype(float).tolist(), strict=True))
        score = float(report.get_score())
    except Exception as error:  # another program's: whatever stops it does not stop this one
        return {"score": None, "why": f"sdmetrics failed: {type(error).__name__}: {str(error)[:200]}"}
    try:
        known = version("sdmetrics")
    except PackageNotFoundError:
        known = "unknown"
    finite = {name: value if np.isfinite(value) else None for name, value in properties.items()}
    return {"score": score if np.isfinite(score) else None, "properties": finite, "version": known}


def metadata(table: Table) -> dict[str, Any]:
    """What SDMetrics is told of the columns."""
    return {"columns": {column.name: _told(column) for column in table.columns}}


def _told(column: Column) -> dict[str, str]:
    if not column.ordered:
        return {"sdtype": "categorical"}
    more = {"datetime_format": "%Y-%m-%dT%H:%M:%S.%f"} if column.kind == "date" else {}
    return {"sdtype": KINDS[column.kind], **more}


def _frame(table: Table) -> Any:
    """A table of pandas with the cells as written."""
    import pandas as pd

    return pd.DataFrame(
        {column.name: _cells(column, table.values[:, i]) for i, column in enumerate(table.columns)}
    )


def _cells(column: Column, values: np.ndarray) -> Any:
    if column.levels is not None:
        return [None if np.isnan(v) else column.levels[int(v)] for v in values]
    if column.kind == "date":
        return np.array(
            [np.datetime64("NaT") if np.isnan(v) else np.datetime64(int(v), "us") for v in values]
        )
    return values
