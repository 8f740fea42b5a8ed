"""Comma-separated numbers as one table: read by `barriers.tables`, with its errors as faults of the file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from barriers.tables import TableFault, csv_blocks, csv_head
from lem_safe.data.names import chosen_among
from lem_safe.errors import BadInput, Fault


def read_csv(
    path: Path,
    columns: Sequence[str] | None,
    header: bool | None = None,
    expected: Sequence[str] | None = None,
) -> tuple[NDArray[np.float64], list[str] | None]:
    """The numbers and the names (None where the first line is a row); with `columns`, of those columns alone.

    header: whether the first line is names; None where unknown. expected: names that identify the first line
    as names if it contains all of them.
    """
    with faults_of(path):
        head = csv_head(path, header)
        _commas(head.first, path)
        head = head.settled(columns or expected)
        kept = list(range(head.width))
        if columns is not None and head.names is not None:
            kept = chosen_among(columns, head.names, str(path))
        values = np.concatenate(list(csv_blocks(head, kept)))
    return values, None if head.names is None else [head.names[i] for i in kept]


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Raises the faults of a table as those of its file."""
    try:
        yield
    except TableFault as bad:
        raise BadInput([Fault(message, str(path), line) for message, line in bad.faults]) from None


def _commas(first: Sequence[str], path: Path) -> None:
    for other, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(first) == 1 and other in first[0]:
            raise BadInput(Fault(f"has columns separated by {name}; separate them by commas", str(path), 1))
