"""The rows of a run on a table as a file: names, types, digits, categories and dates as in the table that the
energy was learned from.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from barriers.arrays import torch
from barriers.tables import TableFormat
from lem_safe.auditor.beside import facts_beside
from lem_safe.auditor.opening import open_samples
from lem_safe.auditor.samples import Samples
from lem_safe.data.typed import Codec, RowCoordinates
from lem_safe.errors import BadInput, Fault
from lem_safe.files import sha256_of, void, write_atomically, write_json
from lem_safe.inputs import read_mapping
from lem_safe.runs.arrow_files import write_arrow
from lem_safe.runs.problem import Problem
from lem_safe.runs.sample_files import csv_lines, facts_of, quoted

NAMES = ("samples.csv", "samples.parquet")


def table_file(directory: Path) -> Path | None:
    """The file of a run's rows as they were written; None where the run was not on a table."""
    found = (directory / name for name in NAMES)
    return next((path for path in found if path.is_file()), None)


def write_table(directory: Path, problem: Problem, x: Float[torch.Tensor, "n D"], moved: float) -> None:
    """Writes the rows at final points, and beside them what an audit of the file has to know; nothing for a
    run that is not on a table.
    """
    if isinstance(problem.coordinates, RowCoordinates):
        rows = problem.coordinates.rows(x.cpu()).numpy()
        replicas = problem.scenario.audit.replicas
        write_rows(directory, problem, rows, moved=moved, replicas=replicas, coupled=problem.couples)


def write_rows(
    directory: Path,
    problem: Problem,
    rows: Float[np.ndarray, "n d"],
    *,
    moved: float,
    replicas: int,
    coupled: bool,
) -> None:
    """Writes rows of a table, categories by place, and the facts about them."""
    coordinates, scenario = problem.coordinates, problem.scenario
    assert isinstance(coordinates, RowCoordinates)
    path = directory / f"samples.{scenario.output}"
    facts = {
        "schema_version": 1,
        "file": path.name,
        "samples": len(rows),
        "seed": scenario.seed,
        "replicas": replicas,
        "coupled": coupled,
        "moved": moved,
        **coordinates.facts(problem.columns),
        "fingerprint": scenario.fingerprint(),
    }
    write = write_parquet if scenario.output == "parquet" else write_csv
    write(coordinates.codec, problem.columns, rows, path)
    write_json(facts_of(path), {**facts, "sha256": sha256_of(path)})


def write_csv(codec: Codec, columns: Sequence[str], rows: Float[np.ndarray, "n d"], path: Path) -> None:
    """Rows (categories by place) as text, a header first."""
    lines = (quoted(list(columns)), *csv_lines(codec, rows))
    write_atomically(path, lambda file: void(file.writelines(f"{line}\n".encode() for line in lines)))


def write_parquet(codec: Codec, columns: Sequence[str], rows: Float[np.ndarray, "n d"], path: Path) -> None:
    """The same as Parquet."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        message = "writing .parquet needs pyarrow: pip install 'lem-safe[data]'"
        raise BadInput(Fault(message, str(path))) from None
    write_atomically(path, lambda file: write_arrow(codec, columns, rows, file))


def frame(path: Path) -> Any:
    """The rows of a written table as a pandas frame, with the types of its columns: Int64 for whole numbers,
    which may be missing, datetime64 for dates, text for categories. BadInput without pandas.
    """
    try:
        import pandas as pd
    except ImportError:
        raise BadInput(Fault("needs pandas: pip install pandas", str(path))) from None
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    facts = read_mapping(facts_of(path), "run it again in another --out")
    made = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in facts["columns"]:
        name, kind = column["name"], column["kind"]
        cells = made[name]
        if column["missing"] is not None:
            cells = cells.mask(cells == column["missing"])
        if kind == "date":
            cells = pd.to_datetime(cells)
        elif kind in ("integer", "number"):
            cells = pd.to_numeric(cells).astype("Int64" if kind == "integer" else "float64")
        made[name] = cells
    return made


def open_table(directory: Path) -> Samples | None:
    """The written rows with the marks of the run's samples.npz, to be audited; None where there is no such
    file.
    """
    path = table_file(directory)
    if path is None:
        return None
    marks = open_samples(directory / "samples.npz")
    gaps = facts_beside(path).get("missing", "keep")
    form = TableFormat(True, ",", ".", gaps) if path.suffix == ".csv" else TableFormat(missing=gaps)
    own = {name: getattr(marks, name) for name in ("unit", "each", "members", "coupled", "seed", "moved")}
    return replace(open_samples(path, None, form), **own)
