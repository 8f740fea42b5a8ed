"""Samples opened from any source: a file (.npz, .npy, text, .parquet), several files, an array, a tensor,
rows of numbers, a table with `columns`.

The result is a stream of blocks (`samples`); the rest of the audit does not depend on the source.
"""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from barriers.arrays import torch
from barriers.tables import UNKNOWN, TableFormat, folded, is_text, kind_of, listed, only_of_text
from lem_safe.auditor.arrays import Archive, Array, open_npy, rows_in
from lem_safe.auditor.arrow_files import open_arrow
from lem_safe.auditor.beside import facts_beside, marked_beside, said_of
from lem_safe.auditor.dataset import ARROW, DataSet, Shard, dataset_of
from lem_safe.auditor.drawn import Drawn, Numbers
from lem_safe.auditor.in_memory import IN_MEMORY, filled, of_tensor, rows_by_column
from lem_safe.auditor.parts import open_parts
from lem_safe.auditor.rows import Rows, must_be_file, rows_of_array
from lem_safe.auditor.samples import UNITS, Samples
from lem_safe.auditor.tables import open_csv, open_parquet
from lem_safe.data.names import identifiers, placeholders
from lem_safe.data.parts import in_parts
from lem_safe.data.readers import READERS
from lem_safe.data.remote import is_address
from lem_safe.errors import BadInput, Fault

Source = Any
"""A file's path, an array, a tensor, rows of numbers, or a table with `columns`: the input of `open_samples`.
"""


def open_both(
    samples: Source, clouds: Source | None, columns: Sequence[str] | None, form: TableFormat | bool | None
) -> tuple[Samples, Samples | None]:
    """The samples, and the separate clouds, if any. columns: names of the samples' columns. form: applies to
    each text file of the two (see `open_samples`).
    """
    opened = open_samples(samples, columns, _form_of(samples, form, clouds))
    if clouds is None:
        return opened, None
    return opened, open_samples(clouds, None, replace(_form_of(clouds, form, samples), missing="error"))


def open_samples(
    source: Any,
    columns: Sequence[str] | None = None,
    form: TableFormat | bool | None = None,
    shard: Shard | None = None,
) -> Samples:
    """The samples of a file (.npz, .npy, text, .parquet, .arrow), of several, on this machine or at an
    address, of an array, a tensor or a table; opened ones as they are.

    columns: names for samples without names. form: what is known of a text file, by default detected and
    refused where ambiguous (True or False alone: whether its first line is names), and whether rows that miss
    a value are left out. shard: which of several files are read.
    """
    if isinstance(source, Samples):
        return source
    form = form if isinstance(form, TableFormat) else TableFormat(header=form)
    if shard is not None and not (is_address(source) or (_is_path(source) and in_parts(Path(source)))):
        named = str(source) if _is_path(source) else IN_MEMORY
        message = "a shard is some of the files of a directory, a pattern or an address"
        raise BadInput(Fault(f"{message}; got {named}, which is not several files", key="--shard"))
    if form.of_text and not _is_text(source):
        named = str(source) if _is_path(source) else IN_MEMORY
        kind = kind_of(Path(source)) or "directory" if _is_path(source) else "table in memory"
        raise BadInput(Fault(only_of_text(form, kind), named))
    if isinstance(source, torch.Tensor):
        opened = _of_array(of_tensor(source), columns)
    elif isinstance(source, Drawn):
        opened = _of_drawn(source, columns)
    else:
        opened = _of_path(source, columns, form, shard) if _is_path(source) else _of_memory(source, columns)
    return opened if form.missing == "error" else replace(opened, gaps=form.missing)


def _of_path(
    source: str | PathLike[str], columns: Sequence[str] | None, form: TableFormat, shard: Shard | None
) -> Samples:
    if not is_address(source) and not in_parts(Path(source)):
        return _of_file(Path(source), columns, form)
    return of_dataset(dataset_of(str(source), shard), columns, form)


def of_dataset(data: DataSet, columns: Sequence[str] | None, form: TableFormat) -> Samples:
    """The rows of the chosen files of a data set."""
    rows = open_parts(data, form)
    named = _named(rows._replace(columns=_given(rows.columns, columns, data.source)), data.source)
    said = said_of(data.files[i] for i in data.chosen)
    return said.on(Samples(named, data.source, gaps=form.missing, data=data))


def names_without_rows(source: Any) -> list[str] | None:
    """The columns of a file of Parquet or Arrow that has no rows; None for everything else."""
    if not _is_path(source) or is_address(source) or not Path(source).is_file():
        return None
    path, kind = Path(source), kind_of(Path(source))
    if kind not in (".parquet", *ARROW):
        return None
    rows = open_arrow(path) if kind in ARROW else open_parquet(path, may_be_empty=True)
    return list(rows.columns or ()) if rows.total == 0 else None


def _of_file(path: Path, columns: Sequence[str] | None, form: TableFormat) -> Samples:
    kind = kind_of(path)
    if form.missing == "error" and facts_beside(path).get("missing") == "keep":
        form = replace(form, missing="keep")
    if is_text(path) or kind in (".parquet", *ARROW):
        table = open_csv(path, form) if is_text(path) else _binary(path)
        rows = table._replace(columns=_given(table.columns, columns, str(path)))
        return marked_beside(Samples(_named(rows, str(path)), str(path)), path)
    match kind:
        case ".npz":
            return _of_archive(Archive(path), columns)
        case ".npy":
            array = open_npy(path)
            if len(array.shape) == 3:
                message = (
                    "has three axes, which a .npy cannot explain; save an .npz with x [clouds, rows, "
                    "columns], or path [paths, times, columns]"
                )
                raise BadInput(Fault(f"{message}; got shape {array.shape}", str(path)))
            rows = rows_in(array, columns)
        case _:
            must_be_file(path)
            known = ", ".join((*READERS, *ARROW))
            message = f"'{path.suffix}' is not a table this reads; use one of {known}"
            raise BadInput(Fault(message, str(path)))
    return Samples(_named(rows, str(path)), str(path))


def _binary(path: Path) -> Rows:
    return open_arrow(path) if kind_of(path) in ARROW else open_parquet(path)


def _form_of(source: Any, form: TableFormat | bool | None, beside: Any = None) -> TableFormat:
    """The `form` that applies to this source, given one for it and another source: `missing` alone where only
    the other is text.
    """
    form = form if isinstance(form, TableFormat) else TableFormat(header=form)
    only_beside = not _is_text(source) and _is_text(beside)
    return replace(UNKNOWN, missing=form.missing) if only_beside else form


def _is_path(source: Any) -> TypeGuard[str | PathLike[str]]:
    return isinstance(source, str | PathLike)


def _is_text(source: Any) -> bool:
    """Whether it is a file of text, or may be several."""
    if is_address(source):
        return True
    return _is_path(source) and (is_text(Path(source)) or in_parts(Path(source)))


def _of_array(values: np.ndarray, columns: Sequence[str] | None) -> Samples:
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise BadInput(
            Fault(
                f"needs numbers in an array of shape [samples, columns]; got {values.dtype} {values.shape}",
                IN_MEMORY,
            )
        )
    if 0 in values.shape:
        raise BadInput(Fault(f"holds no samples: its shape is {values.shape}", IN_MEMORY))
    return Samples(_named(rows_of_array(values, columns), IN_MEMORY), IN_MEMORY)


def _of_drawn(drawn: Drawn, columns: Sequence[str] | None) -> Samples:
    """The rows of a run, with the units of its file."""
    plain = _of_array(np.asarray(drawn), columns)
    if drawn.replica is not None and drawn.replica.shape == drawn.shape[:1]:
        return replace(
            plain,
            unit="cloud",
            members=Numbers(drawn.replica),
            coupled=drawn.coupled,
            seed=drawn.seed,
            moved=drawn.moved,
        )
    return replace(
        plain, coupled=drawn.coupled or drawn.replica is not None, seed=drawn.seed, moved=drawn.moved
    )


def _of_memory(source: Any, columns: Sequence[str] | None) -> Samples:
    """The rows of a table with named columns, or of anything numpy converts to an array."""
    rows = rows_by_column(source)
    if rows is not None:
        named = rows._replace(columns=_given(rows.columns, columns, IN_MEMORY))
        return Samples(_named(named, IN_MEMORY), IN_MEMORY)
    if isinstance(source, np.ndarray):
        return _of_array(filled(source), columns)
    try:
        values = np.asarray(source)
    except (TypeError, ValueError):
        values = np.asarray(None)
    if values.dtype.kind not in "fiu":
        what = f"{type(source).__module__}.{type(source).__name__}"
        raise BadInput(
            Fault(f"needs a file's path, an array, a tensor or rows of numbers; got {what}", IN_MEMORY)
        )
    labels = list(getattr(source, "columns", None) or [])
    unnamed = labels == list(range(len(labels)))
    return _of_array(values, _given(None if unnamed else [*map(str, labels)], columns, IN_MEMORY))


def _of_archive(archive: Archive, columns: Sequence[str] | None) -> Samples:
    """The rows of an .npz, with the units given by their shape or by an array of numbers, and the file's
    marks.
    """
    source = str(archive.path)
    x, whole_paths = _array_of_rows(archive, source)
    rows = _named(rows_in(x, _given(archive.columns(), columns, source)), source)
    plain = Samples(
        rows,
        source,
        coupled=archive.flag("coupled"),
        tuned=archive.flag("tuned"),
        seed=archive.number("seed"),
        moved=archive.share("moved"),
    )
    named = [] if whole_paths else [name for name in UNITS if name in archive]
    if len(x.shape) == 3 and named:
        raise BadInput(Fault(f"has units by its shape {x.shape} and by '{named[0]}'; keep one", source))
    if len(x.shape) == 3:
        return replace(plain, unit="path" if whole_paths else "cloud", each=x.shape[1])
    if len(named) > 1:
        raise BadInput(Fault(f"numbers its rows' units twice, by {listed(named)}; keep one", source))
    if not named:
        return plain
    members = archive.array(named[0])
    if members.shape != (rows.total,) or members.header.dtype.kind not in "iu":
        message = (
            f"'{named[0]}' must be {rows.total} whole numbers, one per row; got {members.header.dtype} "
            f"{members.shape}"
        )
        raise BadInput(Fault(message, source))
    return replace(plain, unit=UNITS[named[0]], members=members)


def _array_of_rows(archive: Archive, source: str) -> tuple[Array, bool]:
    """The array that holds the rows, and whether it consists of whole paths, [paths, times, columns]."""
    paths = archive.array("path") if "path" in archive else None
    if paths is None or len(paths.shape) == 1:
        if "x" not in archive:
            found = ", ".join(f"'{name}'" for name in archive.names) or "nothing"
            raise BadInput(
                Fault(
                    "must hold its rows as the array 'x', or as 'path' [paths, times, columns]; found "
                    f"{found}",
                    source,
                )
            )
        return archive.array("x"), False
    if "x" in archive:
        raise BadInput(Fault("holds both 'x' and whole paths; audit one of them", source))
    if len(paths.shape) != 3:
        raise BadInput(
            Fault(
                f"'path' must be [paths, times, columns], or number the rows of x; got shape {paths.shape}",
                source,
            )
        )
    return paths, True


def _given(own: Sequence[str] | None, columns: Sequence[str] | None, source: str) -> tuple[str, ...] | None:
    """A file's own names, else those given; BadInput where both are there and are different sets."""
    if own and columns and sorted(map(folded, own)) != sorted(map(folded, columns)):
        message = (
            f"has column names of its own ({listed(own)}), which are not the columns given "
            f"({listed(columns)}); leave these out"
        )
        raise BadInput(Fault(message, source))
    names = own or columns
    return tuple(names) if names else None


def _named(rows: Rows, source: str) -> Rows:
    """The same rows with checked names, as identifiers that rules can use."""
    columns = rows.columns
    if columns is None:
        return rows
    if len(columns) != rows.width:
        raise BadInput(
            Fault(f"has {rows.width} columns but {len(columns)} names were given ({listed(columns)})", source)
        )
    return rows._replace(columns=identifiers(placeholders(columns), source)[0])
