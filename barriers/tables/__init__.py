"""Tables written by people: whether the first line of a CSV is a header, its rows as numbers, and the
matching of the columns of two tables.
"""

from barriers.tables.csv_rows import BLOCK, CsvHead, TableFault, csv_blocks, csv_head
from barriers.tables.first_row import Doubt, number
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

__all__ = [
    "BLOCK",
    "CsvHead",
    "Doubt",
    "Pairing",
    "TableFault",
    "Unpaired",
    "alike",
    "by_position",
    "csv_blocks",
    "csv_head",
    "defaults",
    "folded",
    "listed",
    "misplaced",
    "number",
    "pair",
]
