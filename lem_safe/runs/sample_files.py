"""Rows drawn from a finished run, and the files that hold them: .npz, .npy, .csv, .parquet, with their
dependence.

Rows of several clouds are numbered by `replica`, several records of independent particles by `chain`, and an
audit counts these units. One cloud coupled by a filter (A.2) is marked by `coupled` in an .npz, and in a
table by a `replica` with one number, and no bound is claimed for it. A table marks rows in the same way where
most particles never left their start; an .npz has their share, `moved`.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from lem_safe.auditor.movement import FROZEN
from lem_safe.data.typed import Codec, RowCoordinates
from lem_safe.errors import BadInput, Fault
from lem_safe.files import sha256_of, void, write_atomically, write_json, write_npz
from lem_safe.runs.arrow_files import blocks, marked, write_groups, write_parts


@dataclass(frozen=True)
class Draws:
    """Rows in the data's units, cloud by cloud and record by record.

    replica, chain, step: the cloud of each row, its particle, and the step after which it was recorded.
    """

    x: Float[np.ndarray, "rows d"]
    columns: tuple[str, ...]
    replica: Int64[np.ndarray, "rows"]
    chain: Int64[np.ndarray, "rows"]
    step: Int64[np.ndarray, "rows"]
    coupled: bool
    seed: int
    burn_in: int
    thin: int
    pool: int
    replicas: int
    fingerprint: str
    moved: float = 1.0
    """The share of the particles that are not where they started."""
    table: RowCoordinates | None = None
    """What the rows stand for, of an energy that is learned from a table with columns of every type."""

    @property
    def unit(self) -> str | None:
        """The name in a file of the unit of dependent rows: `replica`, `chain`, or None where every row is
        its own.
        """
        if self.coupled or self.replicas > 1:
            return "replica"
        return "chain" if self.pool > 1 else None

    @property
    def facts(self) -> dict[str, object]:
        """Facts about the rows, for the .json file."""
        return {
            "schema_version": 1,
            "samples": len(self.x),
            "seed": self.seed,
            "burn_in": self.burn_in,
            "thin": self.thin,
            "pool": self.pool,
            "replicas": self.replicas,
            "coupled": self.coupled,
            "moved": self.moved,
            "fingerprint": self.fingerprint,
            **({} if self.table is None else self.table.facts(self.columns)),
        }


def write(draws: Draws, path: Path) -> None:
    """Writes the rows as .npz, .npy, .csv or .parquet, by the file's name, and their facts as .json with that
    name.

    Raises BadInput for another suffix, for an existing file, and for dependent rows in a .npy, which cannot
    mark them.
    """
    _WRITERS[_suffix(path, draws.unit is not None)](draws, path)
    write_json(facts_of(path), {**draws.facts, "file": path.name, "sha256": sha256_of(path)})


def facts_of(path: Path) -> Path:
    """The .json file in which `write` states the facts of a file's rows."""
    return path.with_name(f"{path.name}.json")


def must_be_writable(path: Path, dependent: bool) -> None:
    """Refuses, before any work, a path that `write` would refuse."""
    _suffix(path, dependent)
    for file in (path, facts_of(path)):
        if file.exists():
            raise BadInput(Fault("is there already; choose another --out", file=str(file)))
    if not path.parent.is_dir():
        raise BadInput(Fault("no such directory; make it, or choose another --out", file=str(path.parent)))


def _suffix(path: Path, dependent: bool) -> str:
    kind = path.suffix.lower()
    if kind not in _WRITERS:
        raise BadInput(
            Fault(f"'{path.suffix}' is not written; use one of {', '.join(_WRITERS)}", file=str(path))
        )
    if kind == ".npy" and dependent:
        raise BadInput(
            Fault(
                "a .npy cannot say that its rows depend on one another; use .npz, .csv or .parquet",
                file=str(path),
            )
        )
    return kind


def _write_npz(draws: Draws, path: Path) -> None:
    one = draws.coupled and draws.replicas == 1  # marked by `coupled`
    units = {} if draws.unit is None or one else {draws.unit: getattr(draws, draws.unit)}
    named = {
        "columns": np.array(draws.columns),
        "coupled": np.array(draws.coupled),
        "seed": np.array(draws.seed),
    }
    named["moved"] = np.array(draws.moved)
    write_npz(path, x=draws.x, step=draws.step, **named, **units)


def _write_npy(draws: Draws, path: Path) -> None:
    write_atomically(path, lambda file: np.save(file, draws.x))


def _unit(draws: Draws, path: Path) -> tuple[str, np.ndarray] | None:
    """The column that marks dependent rows in a table; where most particles never moved, all rows are one
    unit.
    """
    frozen = draws.moved < FROZEN
    unit = "replica" if frozen else draws.unit
    if draws.table is not None and unit == "replica" and draws.pool == 1:
        return None  # the facts beside the table say it, so that its columns are those of the data
    if unit is None:
        return None
    if unit in draws.columns:
        message = (
            f"needs the column '{unit}' to say that rows depend on one another, but a "
            "coordinate has that name; use .npz"
        )
        raise BadInput(Fault(message, file=str(path)))
    return unit, np.zeros_like(draws.replica) if frozen else getattr(draws, unit)


def _write_csv(draws: Draws, path: Path) -> None:
    unit = _unit(draws, path)
    heads = [*draws.columns, *([unit[0]] if unit else [])]
    lines: Iterable[str] = _lines(draws)
    if unit:
        numbers = (number for part in blocks(unit[1]) for number in part.tolist())
        lines = (f"{line},{number}" for line, number in zip(lines, numbers, strict=True))
    write_atomically(
        path,
        lambda file: void(file.writelines(f"{line}\n".encode() for line in chain([quoted(heads)], lines))),
    )


def _lines(draws: Draws) -> Iterable[str]:
    """The rows as text: a table's cells as its data write them, else the shortest text that is the same
    number again.
    """
    if (table := draws.table) is None:
        parts = (part.astype(np.float64).tolist() for part in blocks(draws.x))
        return (",".join(map(repr, row)) for part in parts for row in part)
    return chain.from_iterable(csv_lines(table.codec, table.written(part)) for part in blocks(draws.x))


def csv_lines(codec: Codec, rows: Float[np.ndarray, "n d"]) -> Iterator[str]:
    """Rows of a table, categories by place, as lines of text; cells in quotes where they need them."""
    several = len(codec.fields) > 1
    for part in blocks(rows):
        cells = [_all_quoted(texts, several) for texts in codec.cells(part)]
        yield from (",".join(row) for row in zip(*cells, strict=True))


def _all_quoted(texts: Sequence[str], several: bool) -> list[str]:
    """Cells of one column; an empty one is left bare where there are several columns."""
    made = {text: text if several and not text else quoted([text]) for text in set(texts)}
    return [made[text] for text in texts]


def quoted(names: list[str]) -> str:
    """One line of cells; in quotes where one holds a comma, a quote or a line break, or begins with #."""
    return ",".join(map(_cell_text, names))


def _cell_text(name: str) -> str:
    line = io.StringIO()
    marked = name.lstrip().startswith("#")  # a comment, if it began a line bare
    csv.writer(line, quoting=csv.QUOTE_ALL if marked else csv.QUOTE_MINIMAL).writerow([name])
    return line.getvalue().removesuffix("\r\n")


def _write_parquet(draws: Draws, path: Path) -> None:
    try:
        import pyarrow as pa
    except ImportError:
        raise BadInput(
            Fault("writing .parquet needs pyarrow: pip install 'lem-safe[data]'", file=str(path))
        ) from None
    unit = _unit(draws, path)
    marks = {} if unit is None else {unit[0]: unit[1]}
    if (table := draws.table) is not None:
        parts = (table.written(part) for part in blocks(draws.x))
        write_atomically(path, lambda file: write_parts(table.codec, draws.columns, parts, file, marks))
        return
    names = list(enumerate(draws.columns))
    groups = (
        pa.table({name: part[:, i] for i, name in names} | marked(marks, b))
        for b, part in enumerate(blocks(draws.x))
    )
    write_atomically(path, lambda file: write_groups(groups, file))


_WRITERS: dict[str, Callable[[Draws, Path], None]] = {
    ".npz": _write_npz,
    ".npy": _write_npy,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
