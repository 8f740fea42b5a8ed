"""Tables in Arrow's own format (.arrow, .feather, .ipc) as rows, one block at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lem_safe.auditor.arrow_columns import ArrowColumns
from lem_safe.auditor.rows import Rows, must_be_file
from lem_safe.data.names import identifiers, placeholders
from lem_safe.data.remote import Remote, reached
from lem_safe.errors import BadInput, Fault


def open_arrow(path: Path | Remote) -> Rows:
    """The rows of a file of Arrow, of which only the chosen columns are read."""
    if isinstance(path, Path):
        must_be_file(path)
    try:
        import pyarrow.dataset as ds
        from pyarrow.fs import LocalFileSystem
    except ImportError:
        message = "reading Arrow's files needs pyarrow: pip install 'lem-safe[data]'"
        raise BadInput(Fault(message, str(path))) from None
    system, place = (path.system, path.path) if isinstance(path, Remote) else (LocalFileSystem(), str(path))
    with _whole(path):
        fragment = ds.IpcFileFormat().make_fragment(place, filesystem=system)
        schema = fragment.physical_schema
    if not schema.names:
        raise BadInput(Fault("holds no samples: it has no columns", str(path)))

    def batches(names: Sequence[str], size: int) -> Iterator[Any]:
        one_at_a_time = {"use_threads": False, "batch_readahead": 1, "fragment_readahead": 0}
        with _whole(path):
            yield from fragment.to_batches(columns=list(names), batch_size=size, **one_at_a_time)

    table = ArrowColumns(str(path), list(zip(schema.names, schema.types, strict=True)), batches)
    columns = identifiers(placeholders(schema.names), str(path))[0]
    return Rows(None, len(columns), columns, table.stream, coded=table.blocks, holds=table.holds)


@contextmanager
def _whole(path: Path | Remote) -> Iterator[None]:
    """Turns what pyarrow raises of a damaged file into BadInput."""
    import pyarrow as pa

    if isinstance(path, Remote):
        with reached(path.address):
            yield
        return
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0][:200]
        what = f"cannot be read as an Arrow file: {why}; write it with pyarrow.ipc.new_file or as Feather"
        raise BadInput(Fault(what, str(path))) from None
