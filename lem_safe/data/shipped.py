"""The tables that ship with scikit-learn, read from its files: importing it takes a second, which reading a
table does not need.

Where a file is not there, or not as it is described here, as another version may have it, scikit-learn's own
loader is asked.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from lem_safe.data.tables import Table, checked
from lem_safe.errors import BadInput

OUTLINES = (
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity"),
    *("concave points", "symmetry", "fractal dimension"),
)
WINE = (
    "alcohol, malic_acid, ash, alcalinity_of_ash, magnesium, total_phenols, flavanoids, "
    "nonflavanoid_phenols, proanthocyanins, color_intensity, hue, od280/od315_of_diluted_wines, proline"
)


class Shipped(NamedTuple):
    """A file and what it holds: the names of its columns, how many rows, whether its first line is a header,
    what is between numbers, whether a column with classes follows.
    """

    file: str
    names: Sequence[str]
    rows: int
    header: bool = True
    between: str = ","
    classes: bool = True


TABLES = {
    "breast_cancer": Shipped(
        "breast_cancer.csv",
        [
            f"{kind} {name}" if kind != "error" else f"{name} error"
            for kind in ("mean", "error", "worst")
            for name in OUTLINES
        ],
        569,
    ),
    "wine": Shipped("wine_data.csv", WINE.split(", "), 178),
    "diabetes": Shipped(
        "diabetes_data_raw.csv.gz",
        ["age", "sex", "bmi", "bp", *(f"s{i}" for i in range(1, 7))],
        442,
        header=False,
        between=" ",
        classes=False,
    ),
    "digits": Shipped(
        "digits.csv.gz", [f"pixel_{i}_{j}" for i in range(8) for j in range(8)], 1797, header=False
    ),
    "iris": Shipped(
        "iris.csv", [f"{part} {way} (cm)" for part in ("sepal", "petal") for way in ("length", "width")], 150
    ),
}


@cache
def shipped(name: str) -> Table:
    """A table that ships with scikit-learn, diabetes in its original units. Raises BadInput where it is not
    installed, ValueError for another name.
    """
    if name not in TABLES:
        raise ValueError(f"SklearnTable: table must be one of {', '.join(TABLES)}; got {name!r}")
    values = numbers(name)
    if values is None:
        return _loaded(name)
    return checked(values, list(TABLES[name].names), f"sklearn {name}")


def numbers(name: str) -> Float64[np.ndarray, "n d"] | None:
    """The numbers of the installed file; None where there is none that is as described."""
    found = find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        return None
    told = TABLES[name]
    file = Path(found.submodule_search_locations[0]) / "datasets" / "data" / told.file
    try:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
            rows = list(csv.reader(lines, delimiter=told.between))[int(told.header) :]
        values = np.array(rows, dtype=np.float64)
    except (OSError, EOFError, zlib.error, ValueError, csv.Error):
        return None
    if values.shape != (told.rows, len(told.names) + told.classes):
        return None
    return np.ascontiguousarray(values[:, : len(told.names)])


def _loaded(name: str) -> Table:
    """The same by scikit-learn's loader."""
    try:
        from sklearn import datasets
    except ImportError:
        raise BadInput(f"the table '{name}' ships with scikit-learn: pip install 'lem-safe[data]'") from None
    loaders: dict[str, Callable[[], Any]] = {
        "breast_cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
        "diabetes": lambda: datasets.load_diabetes(scaled=False),
        "digits": datasets.load_digits,
        "iris": datasets.load_iris,
    }
    bunch = loaders[name]()
    return checked(bunch.data, [str(column) for column in bunch.feature_names], f"sklearn {name}")
