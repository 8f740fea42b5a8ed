"""Rows of Parquet copied with their columns, types, metadata and compression."""

from pathlib import Path
from typing import Any, BinaryIO

from lem_safe.auditor.rows import BLOCK
from lem_safe.errors import BadInput, Fault
from lem_safe.thinning.choice import Flags


def copy_parquet(path: Path, flags: Flags, to: BinaryIO) -> int:
    """Copies the rows of one file that stay, and returns how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = 0
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            schema = file.schema_arrow
            with pq.ParquetWriter(to, schema, compression=_compression(file)) as table:
                for batch in file.iter_batches(BLOCK, use_threads=False):
                    stays = batch.filter(pa.array(flags.take(batch.num_rows)))
                    kept += stays.num_rows
                    if stays.num_rows:
                        table.write_batch(stays.cast(schema) if stays.schema != schema else stays)
    except pa.ArrowException as error:
        raise BadInput(Fault(f"cannot be copied as parquet: {error}", str(path))) from None
    return kept


def _compression(file: Any) -> dict[str, str]:
    """How each column of the file is compressed, by its path."""
    if not file.metadata.num_row_groups:
        return {}
    group = file.metadata.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    names = {"UNCOMPRESSED": "none"}
    return {c.path_in_schema: names.get(c.compression, c.compression.lower()) for c in columns}
