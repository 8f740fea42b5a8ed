"""Rows of a CSV that break rules in the format of PiShield, C-DGM and DRL, as they are written: an
independent judge, which shares no code with lem_safe or barriers.

    python -m benchmarks.independent_rules RULES.txt ROWS.csv [--names-from DATA.csv] [--tolerance T]

The text of each cell is an exact decimal. Cells, coefficients and constants become integers by one power of
ten per inequality, so that every comparison is one of integers: nothing is rounded. y_3 is the column at
position 3, from 0, of ROWS.csv, or with --names-from the one that is at position 3 of DATA.csv. A cell
that is no number is refused. 1e6 rows of 88 columns and 18 rules take about 30 s.
"""

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

CHUNK = 50_000
DIGITS = 15
"""Decimals of so many digits are told apart by float64."""
SAFE = 2**62
TERM = re.compile(r"([+-]?)(\d*\.?\d*)\*?(?:y_(\d+))?")
COMPARED = re.compile(r"(neg\b)?(.+?)(>=|<=|>|<|=)(.+)")


class Inequality(NamedTuple):
    """Σ coefficient·column + constant > 0, or ≥ 0; with `within`, at most that far from 0. All exact."""

    coefficients: dict[int, Fraction]
    constant: Fraction
    strict: bool
    within: Fraction | None = None


Rule = list[Inequality]
"""A disjunction."""


def rules_in(text: str, tolerance: str = "0") -> dict[int, Rule]:
    """The rules of a file by line, each inequality accepted up to the tolerance; ValueError at a line that
    cannot be read.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if line and line.split()[0] != "ordering":
            found[number] = [_inequality(part, Fraction(tolerance)) for part in re.split(r"\bor\b", line)]
    return found


def _inequality(text: str, slack: Fraction) -> Inequality:
    match = COMPARED.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"no inequality: {text!r}")
    negated, left, sign, right = match.groups()
    moved = _sum(left, 1) + _sum(right, -1)
    columns: dict[int, Fraction] = {}
    constant = Fraction(0)
    for column, value in moved:
        if column is None:
            constant += value
        else:
            columns[column] = columns.get(column, Fraction(0)) + value
    if sign == "=":
        if negated:
            raise ValueError(f"the negation of an equation is no inequality: {text!r}")
        return Inequality(columns, constant, False, slack)
    turned = (sign[0] == "<") != bool(negated)
    strict = (len(sign) == 1) != bool(negated)
    way = -1 if turned else 1
    return Inequality({c: way * v for c, v in columns.items()}, way * constant + slack, strict)


def _sum(text: str, way: int) -> list[tuple[int | None, Fraction]]:
    bare = text.replace(" ", "")
    found, at = [], 0
    while at < len(bare):
        match = TERM.match(bare, at)
        sign, number, column = match.groups() if match else ("", "", None)
        if match is None or not (number or column) or (at and not sign):
            raise ValueError(f"no term at {bare[at:]!r}")
        value = Fraction(number or 1) * (-way if sign == "-" else way)
        found.append((None if column is None else int(column), value))
        at = match.end()
    return found


class Cells(NamedTuple):
    """A column of a chunk: value·10^digits, as int64 or as Python's integers."""

    values: np.ndarray
    digits: int


def cells(texts: Sequence[str]) -> Cells:
    """The cells of a column, exactly; ValueError where one is no finite decimal."""
    if any("_" in text for text in texts):
        raise ValueError("an underscore")
    numbers = np.array(list(map(float, texts)))
    if not np.isfinite(numbers).all():
        raise ValueError(texts[int(np.flatnonzero(~np.isfinite(numbers))[0])])
    if max(map(len, texts)) <= DIGITS and not any("e" in t or "E" in t for t in texts):
        digits = max((len(t) - t.index(".") - 1 for t in texts if "." in t), default=0)
        scaled = np.rint(numbers * 10.0**digits)
        if np.abs(scaled).max(initial=0) < 10.0**DIGITS:
            return Cells(scaled.astype(np.int64), digits)
    exact = [Decimal(t.strip()) for t in texts]
    digits = max(0, *(-int(d.as_tuple().exponent) for d in exact))
    return Cells(np.array([int(Fraction(d) * 10**digits) for d in exact], dtype=object), digits)


def holds(part: Inequality, columns: dict[int, Cells], rows: int) -> np.ndarray:
    """Whether an inequality holds, for each row of a chunk [rows]."""
    digits = max((columns[c].digits for c in part.coefficients), default=0)
    fractions = [*part.coefficients.values(), part.constant, part.within or Fraction(0)]
    common = int(np.lcm.reduce(np.array([f.denominator for f in fractions], dtype=object)))
    size, terms = abs(part.constant) * common * 10**digits, []
    for column, coefficient in part.coefficients.items():
        held = columns[column]
        factor = int(coefficient * common) * 10 ** (digits - held.digits)
        largest = max(abs(int(held.values.max())), abs(int(held.values.min())))
        size += abs(factor) * largest
        terms.append((factor, held.values))
    kind: type = np.int64 if size < SAFE else object
    total = np.full(rows, int(part.constant * common * 10**digits), dtype=kind)
    for factor, values in terms:
        total = total + factor * values.astype(kind)
    if part.within is not None:
        return np.asarray(abs(total) <= int(part.within * common * 10**digits), dtype=bool)
    return np.asarray(total > 0 if part.strict else total >= 0, dtype=bool)


def broken(
    rules: dict[int, Rule], rows: Iterable[Sequence[str]], places: Sequence[int]
) -> Iterator[np.ndarray]:
    """Which rules the rows break, a chunk at a time [b, m]. places: the position of each y_i in a row."""
    used = sorted({c for rule in rules.values() for part in rule for c in part.coefficients})
    if used and used[-1] >= len(places):
        raise ValueError(f"y_{used[-1]} is none of {len(places)} columns")
    rows, start = iter(rows), 0
    take = itemgetter(*(places[c] for c in used), *(places[c] for c in used[:1]))
    while chunk := list(islice(rows, CHUNK)):
        texts = list(zip(*map(take, chunk), strict=True))
        columns = {}
        for column, text in zip(used, texts, strict=False):
            try:
                columns[column] = cells(text)
            except (ValueError, ArithmeticError) as error:
                raise ValueError(
                    f"rows {start + 1} to {start + len(chunk)}, y_{column}: no number: {error}"
                ) from None
        found = [
            ~np.any([holds(part, columns, len(chunk)) for part in rule], axis=0) for rule in rules.values()
        ]
        yield np.stack(found, axis=1)
        start += len(chunk)


def judge(
    rules: Path, table: Path, names_from: Path | None = None, tolerance: str = "0"
) -> dict[str, object]:
    """How many rows break each rule, and any; by the rules' lines."""
    asked = rules_in(rules.read_text(encoding="utf-8-sig"), tolerance)
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader)
        names = header
        if names_from is not None:
            with names_from.open(newline="", encoding="utf-8-sig") as other:
                names = next(csv.reader(other))
        used = {c for rule in asked.values() for part in rule for c in part.coefficients}
        places = [header.index(n) if n in header else -1 for n in names]
        lacking = [names[c] if c < len(names) else f"y_{c}" for c in used if c >= len(names) or places[c] < 0]
        if lacking:
            raise ValueError(f"{table}: no column {lacking[0]!r}")
        n, any_, each = 0, 0, np.zeros(len(asked), dtype=np.int64)
        for part in broken(asked, (row for row in reader if row), places):
            n, any_, each = n + len(part), any_ + int(part.any(1).sum()), each + part.sum(0)
    lines = {f"line_{line}": int(count) for line, count in zip(asked, each, strict=True)}
    return {"rows": n, "any_rule": any_, **lines}


def main() -> None:
    """Prints the counts as JSON."""
    parser = argparse.ArgumentParser(description="Rows that break rules, in exact arithmetic.")
    parser.add_argument("rules", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--names-from", type=Path)
    parser.add_argument("--tolerance", default="0")
    given = parser.parse_args()
    json.dump(judge(given.rules, given.table, given.names_from, given.tolerance), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
