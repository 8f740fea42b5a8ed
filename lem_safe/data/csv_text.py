"""A text file as one array: read by `barriers.tables`, with its errors as faults of the file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from barriers.tables import TableFault, TableFormat, csv_blocks, csv_head
from lem_safe.data.names import chosen_among, expected_among
from lem_safe.data.remote import Remote, reached
from lem_safe.errors import BadInput, Fault


def read_csv(
    path: Path,
    columns: Sequence[str] | None,
    form: TableFormat | bool | None = None,
    expected: Sequence[str] | None = None,
) -> tuple[NDArray[np.float64], list[str] | None]:
    """The numbers and the names (None where there are none); with `columns`, of those columns alone, in that
    order.

    form: what is known of the file. expected: names that identify the first line as names if it contains all
    of them; where they tell the columns apart, only these are read.
    """
    with faults_of(path):
        head = csv_head(path, form).settled(columns or expected)
        kept = list(range(head.width))
        if columns is not None and head.names is not None:
            kept = chosen_among(columns, head.names, str(path))
        elif expected is not None and head.names is not None:
            kept = expected_among(expected, head.names) or kept
        values = np.concatenate([np.empty((0, len(kept))), *csv_blocks(head, kept)])
    return values, None if head.names is None else [head.names[i] for i in kept]


@contextmanager
def faults_of(path: Path | Remote) -> Iterator[None]:
    """Raises the faults of a table as those of its file, and what reading one elsewhere raises."""
    try:
        with reached(path.address) if isinstance(path, Remote) else nullcontext():
            yield
    except TableFault as bad:
        raise BadInput([Fault(message, str(path), line) for message, line in bad.faults]) from None
