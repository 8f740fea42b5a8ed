"""Data: tables from files, built-in distributions, and the sources a scenario can name."""

from lem_safe.data.distributions import Checkerboard, EightGaussians, Pinwheel, Rings, SwissRoll, TwoMoons
from lem_safe.data.mixture import Mixture
from lem_safe.data.source import Dataset, DataSource
from lem_safe.data.sources import DATA, FileTable, SklearnTable
from lem_safe.data.tables import Table, read_table

__all__ = [
    "DATA",
    "Checkerboard",
    "DataSource",
    "Dataset",
    "EightGaussians",
    "FileTable",
    "Mixture",
    "Pinwheel",
    "Rings",
    "SklearnTable",
    "SwissRoll",
    "Table",
    "TwoMoons",
    "read_table",
]
