"""The data a scenario can name: built-in distributions, the tables that ship with scikit-learn, and the
user's own files.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from typing_extensions import Doc

from barriers.arrays import torch
from barriers.kinds import Entry, Kinds
from barriers.tables import DECIMAL, HEADER, SEPARATOR, Decimal, Gaps, Separator, TableFormat
from lem_safe.data.distributions import Checkerboard, EightGaussians, Pinwheel, Rings, SwissRoll, TwoMoons
from lem_safe.data.images import IMAGES
from lem_safe.data.mixture import Mixture
from lem_safe.data.paths import PathFile
from lem_safe.data.shipped import shipped
from lem_safe.data.source import Dataset, DataSource, digest
from lem_safe.data.tables import Table, read_table
from lem_safe.data.typed import Codec, Equality, TypedTable, holds_words, settings_of, typed_table

Columns = Annotated[list[str] | None, Doc("The columns to use, in this order; all of them by default.")]


MODELLED = (
    "What to do with missing cells: error, the default; drop, which leaves out such rows; or keep, which "
    "models which cells are missing."
)

COMPUTED = (
    "Columns that are computed from the others instead of modelled, as expressions by name; those among a "
    "scenario's derived names that are columns of this table are added here."
)


class SklearnTable(DataSource):
    """A table that ships with scikit-learn: measured data, without a download. Column names are written as
    identifiers, such as mean_perimeter.
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "sklearn",
        "table": "iris",
        "columns": ["petal_length_cm", "sepal_width_cm"],
    }

    def __init__(
        self,
        table: Annotated[
            Literal["breast_cancer", "wine", "diabetes", "digits", "iris"],
            Doc("Which table; diabetes is read in its original units."),
        ],
        columns: Columns = None,
    ):
        self.table, self.chosen = table, columns

    @property
    def columns(self) -> tuple[str, ...]:
        return _names(self._rows)

    def load(self, seed: int) -> Dataset:
        return Dataset(torch.from_numpy(self._rows.values), self.columns)

    def fingerprint(self) -> str:
        return _content(self._rows)

    @cached_property
    def _rows(self) -> Table:
        whole = shipped(self.table)
        return whole if self.chosen is None else whole.select(self.chosen)


class FileTable(DataSource):
    """Your own table: text (.csv, .tsv, .txt, .dat, .data, also .gz), .npz, .npy or .parquet. Only the chosen
    columns are read, so the others may hold text or missing values.
    """

    example: ClassVar[dict[str, object]] = {"kind": "file", "path": "rows.csv"}

    def __init__(
        self,
        path: Annotated[
            Path,
            Doc(
                "The file, a directory of files, or a pattern such as parts/*.parquet; a relative path is "
                "relative to the scenario's file."
            ),
        ],
        columns: Annotated[
            list[str] | dict[str, Any] | None,
            Doc(
                "The columns to use, in this order; all of them by default. Or what columns are, by name: "
                "kind (number, integer, category, date, ignore), range, digits, transform; the others are "
                "inferred."
            ),
        ] = None,
        header: Annotated[bool | None, Doc(HEADER)] = None,
        separator: Annotated[Separator | None, Doc(SEPARATOR)] = None,
        decimal: Annotated[Decimal | None, Doc(DECIMAL)] = None,
        missing: Annotated[Gaps | None, Doc(MODELLED)] = None,
        derived: Annotated[dict[str, str] | None, Doc(COMPUTED)] = None,
    ):
        self.path, self.chosen = Path(path), columns if isinstance(columns, list) else None
        self.form = TableFormat(header, separator, decimal, missing or "error")
        told = columns if isinstance(columns, dict) else {}
        self.told = {name: settings_of(name, given) for name, given in told.items()}
        self.derived = dict(derived or {})
        self.typed = bool(self.told) or self.form.missing == "keep" or bool(self.derived)

    @property
    def columns(self) -> tuple[str, ...]:
        return _names(self._rows) if self.codec is None else self.codec.columns

    @property
    def codec(self) -> Codec | None:
        """What the values stand for, of a table with columns of other types than numbers, or of which
        something is said; None of plain numbers.
        """
        table = self._typed
        return None if table is None else table.codec

    @property
    def ignored(self) -> list[str]:
        """The columns that are left out by what is said of them."""
        return [name for name, said in self.told.items() if said.kind == "ignore"]

    @property
    def equal(self) -> tuple[Equality, ...]:
        """How often the cells of columns that are computed are what is computed."""
        table = self._typed
        return () if table is None else table.equal

    @property
    def holds_words(self) -> bool:
        """Whether one of the columns holds something else than numbers, by most of its first cells."""
        return holds_words(self.path, self.chosen, self.form)

    def load(self, seed: int) -> Dataset:
        if (table := self._typed) is not None:
            return Dataset(torch.from_numpy(table.values), self.columns, table.dropped, table.codec)
        return Dataset(torch.from_numpy(self._rows.values), self.columns, self._rows.dropped)

    def fingerprint(self) -> str:
        if (table := self._typed) is not None:
            return digest(table.codec.to_json(), str(table.values.shape), table.values.tobytes())
        return _content(self._rows)

    @cached_property
    def _typed(self) -> TypedTable | None:
        if not self.typed and not self.holds_words:
            return None
        return typed_table(self.path, self.chosen, self.form, self.told, self.derived)

    @cached_property
    def _rows(self) -> Table:
        return read_table(self.path, self.chosen, form=self.form)


def _names(table: Table) -> tuple[str, ...]:
    return (
        table.columns if table.columns is not None else tuple(f"x{i}" for i in range(table.values.shape[1]))
    )


def _content(table: Table) -> str:
    return digest(*_names(table), str(table.values.shape), table.values.tobytes())


DATA: Kinds[Entry] = Kinds(
    "data",
    Entry,
    {
        "eight_gaussians": EightGaussians,
        "two_moons": TwoMoons,
        "rings": Rings,
        "checkerboard": Checkerboard,
        "pinwheel": Pinwheel,
        "swiss_roll": SwissRoll,
        "gaussian_mixture": Mixture,
        "sklearn": SklearnTable,
        "file": FileTable,
        "paths": PathFile,
        **IMAGES,
    },
    base=DataSource,
)
"""Every source a scenario's `data:` can name by `kind`."""
