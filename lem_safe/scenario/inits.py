"""The start of the particles, as frozen numbers; a run draws from them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_types import Ge
from typing_extensions import Doc

from barriers.kinds import Entry, Kinds
from barriers.tables import DECIMAL, HEADER, MISSING, SEPARATOR, Decimal, Missing, Separator


@dataclass(frozen=True)
class Standard:
    """A standard normal in sampler coordinates: N(0, I), whitened where the energy is trained on a table."""

    example: ClassVar[dict[str, object]] = {"kind": "standard"}


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution in the data's units."""

    mean: Annotated[list[float], Doc("The mean, one number per column.")]
    std: Annotated[
        Annotated[float, Ge(0)] | list[Annotated[float, Ge(0)]],
        Doc("The standard deviation: a number, or one per column."),
    ] = 1.0

    example: ClassVar[dict[str, object]] = {"kind": "gaussian", "mean": [-1.0, 0.0], "std": 0.4}


@dataclass(frozen=True)
class DataRows:
    """Rows that the energy was trained on, drawn with replacement where there are too few."""

    outside: Annotated[
        bool | None,
        Doc("Whether only rows outside every constrained region are taken; by default all of them."),
    ] = None

    example: ClassVar[dict[str, object]] = {"kind": "data"}


@dataclass(frozen=True)
class Rows:
    """Rows of a file: .npz (array x), .npy, text (.csv, .tsv, .txt, .dat, .data, also .gz) or .parquet."""

    path: Annotated[
        Path,
        Doc(
            "The file, a directory of files, or a pattern such as parts/*.parquet; a relative path is "
            "relative to the scenario's file."
        ),
    ]
    header: Annotated[bool | None, Doc(HEADER)] = None
    separator: Annotated[Separator | None, Doc(SEPARATOR)] = None
    decimal: Annotated[Decimal | None, Doc(DECIMAL)] = None
    missing: Annotated[Missing | None, Doc(MISSING)] = None

    example: ClassVar[dict[str, object]] = {"kind": "file", "path": "starts.npz"}


INITS: Kinds[Entry] = Kinds(
    "start",
    Entry,
    {
        "standard": Standard,
        "gaussian": Gaussian,
        "data": DataRows,
        "file": Rows,
    },
    base=None,
    default="standard",
)
"""Every start a scenario can name by `kind`."""
