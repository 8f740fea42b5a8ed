"""Tables written by people: how their cells are separated, what their first line is, their rows as numbers,
and the matching of the columns of two tables.
"""

from barriers.tables.cells import Record, pieces
from barriers.tables.csv_rows import BLOCK, csv_blocks
from barriers.tables.first_row import Doubt, number
from barriers.tables.head import CsvHead, csv_head
from barriers.tables.names import identifier, unquoted
from barriers.tables.pairing import (
    Pairing,
    Unpaired,
    alike,
    by_position,
    defaults,
    folded,
    listed,
    misplaced,
    pair,
)
from barriers.tables.table_format import (
    DECIMAL,
    HEADER,
    MISSING,
    SEPARATOR,
    UNKNOWN,
    Decimal,
    Missing,
    Separator,
    TableFormat,
    only_of_text,
)
from barriers.tables.text_file import TEXT, TableFault, begins_with_mark, is_text, kind_of, opened

__all__ = [
    "BLOCK",
    "DECIMAL",
    "HEADER",
    "MISSING",
    "SEPARATOR",
    "TEXT",
    "UNKNOWN",
    "CsvHead",
    "Decimal",
    "Doubt",
    "Missing",
    "Pairing",
    "Record",
    "Separator",
    "TableFault",
    "TableFormat",
    "Unpaired",
    "alike",
    "begins_with_mark",
    "by_position",
    "csv_blocks",
    "csv_head",
    "defaults",
    "folded",
    "identifier",
    "is_text",
    "kind_of",
    "listed",
    "misplaced",
    "number",
    "only_of_text",
    "opened",
    "pair",
    "pieces",
    "unquoted",
]
