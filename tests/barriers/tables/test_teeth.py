"""Faults planted into the reading of tables, one at a time: the check of truths.tables that is there to find
it must fail, and pass without it.
"""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from planted import Tooth, checks, must_be_found, result, written_in
from truths import tables as truths

from barriers.tables import csv_rows, first_row, head, pairing
from lem_safe.auditor import matching
from lem_safe.auditor import tables as streams
from lem_safe.data import csv_text, parquet

TEETH: dict[str, Tooth] = {
    "the old contract: names unless all are numbers": (
        truths.first_lines,
        head,
        "first_row",
        lambda f: (
            lambda first, below, quoted: (
                "row" if all(first_row.number(c) is not None for c in first) else "names"
            )
        ),
    ),
    "gaps alone are names": (
        truths.first_lines,
        head,
        "first_row",
        result(
            lambda found, first, *_: (
                "names" if not any(first_row.number(c) is not None for c in first) else found
            )
        ),
    ),
    "pandas' numbers are a row": (
        truths.first_lines,
        first_row,
        "_numbers",
        result(lambda why, *_: None if why is not None and "pandas" in why else why),
    ),
    "years are a row": (truths.first_lines, first_row, "_years", lambda f: lambda values: False),
    "years above years are names": (truths.first_lines, first_row, "YEARS", lambda years: range(1990, 1996)),
    "integers above decimals are a row": (
        truths.first_lines,
        first_row,
        "_decimal",
        lambda f: lambda cell: False,
    ),
    "numerals are words": (
        truths.first_lines,
        first_row,
        "_is_figure",
        lambda f: lambda cell: first_row.number(cell) is not None,
    ),
    "values written otherwise are names": (
        truths.first_lines,
        first_row,
        "_VALUE",
        lambda pattern: re.compile(r"(?!)"),
    ),
    "gaps beside a word are names": (truths.first_lines, first_row, "_is_gap", lambda f: lambda cell: False),
    "units are values": (truths.first_lines, first_row, "_VALUE", lambda pattern: re.compile(r"\d.*")),
    "one year is a row": (truths.first_lines, first_row, "_periods", lambda f: lambda cells, below: False),
    "months are a row": (truths.first_lines, first_row, "_is_month", lambda f: lambda value: False),
    "quotes say nothing": (truths.first_lines, head, "in_quotes", lambda f: lambda *_: False),
    "a row is skipped as names": (
        truths.rows_in_are_rows_out,
        csv_text,
        "csv_blocks",
        lambda f: lambda head, chosen: (block[1:] for block in f(head, chosen)),
    ),
    "the last line of a block is lost": (
        truths.rows_in_are_rows_out,
        streams,
        "csv_blocks",
        lambda f: (
            lambda head, chosen, size: (block[: max(1, len(block) - 1)] for block in f(head, chosen, size))
        ),
    ),
    "numbers rounded to float32": (
        truths.rows_in_are_rows_out,
        csv_rows,
        "_fast",
        result(lambda block, *_: None if block is None else block.astype(np.float32).astype(np.float64)),
    ),
    "blank lines are no rows": (
        truths.rows_in_are_rows_out,
        csv_rows,
        "_gaps",
        lambda f: lambda *_: ([], None),
    ),
    "case parts names": (truths.names_decide, pairing, "folded", lambda f: lambda name: name),
    "a unit is no difference": (
        truths.names_decide,
        pairing,
        "folded",
        lambda f: lambda name: f(name.split("_")[0]),
    ),
    "position where names fail": (truths.names_decide, pairing, "defaults", lambda f: lambda names: True),
    "the first of several that are alike": (
        truths.names_decide,
        pairing,
        "_same",
        result(lambda found, *_: (found[0] | {"load": 0}, "")),
    ),
    "columns taken as they come": (
        truths.samples_follow_their_names,
        matching,
        "pair",
        lambda f: lambda own, expected: None,
    ),
    "integers checked, not rounded": (
        truths.whole_numbers_are_rounded,
        parquet,
        "cast_to_float64",
        lambda f: (
            lambda column: f(SimpleNamespace(type=column.type, cast=lambda kind, safe: column.cast(kind)))
        ),
    ),
    "integers by way of float32": (
        truths.whole_numbers_are_rounded,
        parquet,
        "cast_to_float64",
        result(lambda numbers, *_: numbers.astype(np.float32).astype(np.float64)),
    ),
}


CHECKS = checks(TEETH)


@pytest.mark.parametrize("name", CHECKS)
def test_the_honest_code_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert written_in(truths) - {"written"} == set(CHECKS)
