"""Tables written by people: how their cells are separated, what their first line is, their rows as numbers,
and the matching of the columns of two tables.
"""

from barriers.tables.cell_kinds import DAY, CellKind, Holding, code_of, date_text, ticks_of
from barriers.tables.cells import Record, pieces
from barriers.tables.coder import WANTED, Coder, kind_of_cells
from barriers.tables.csv_rows import BLOCK, csv_blocks, csv_holdings
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
    Gaps,
    Missing,
    Separator,
    TableFormat,
    only_of_text,
)
from barriers.tables.text_file import TEXT, TableFault, begins_with_mark, is_text, kind_of, opened

__all__ = [
    "BLOCK",
    "DAY",
    "DECIMAL",
    "HEADER",
    "MISSING",
    "SEPARATOR",
    "TEXT",
    "UNKNOWN",
    "WANTED",
    "CellKind",
    "Coder",
    "CsvHead",
    "Decimal",
    "Doubt",
    "Gaps",
    "Holding",
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
    "code_of",
    "csv_blocks",
    "csv_head",
    "csv_holdings",
    "date_text",
    "defaults",
    "folded",
    "identifier",
    "is_text",
    "kind_of",
    "kind_of_cells",
    "listed",
    "misplaced",
    "number",
    "only_of_text",
    "opened",
    "pair",
    "pieces",
    "ticks_of",
    "unquoted",
]
