"""Rows that obey the business: orders beside SDV, with and without its own constraints, the repair of
PiShield, and rejection.

SDV and PiShield are no dependencies: `pip install sdv pishield`, or in a folder that PYTHONPATH names.
"""

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from benchmarks.gallery import data, pictures, shield
from benchmarks.gallery import order_table as table
from benchmarks.gallery.likeness import told_apart
from benchmarks.gallery.row import Row, named
from benchmarks.gallery.running import fresh, ran, timed

NAME = "rows_that_obey"
PROBLEM = "Rows that obey the business: orders with dates, money, gaps"
HEADS = ("wrong order of days", "another promise", "wrong totals", "told apart")
FRESH = 3000
"""Orders that no method has seen."""
WORDS = {"channel": ("web", "shop", "phone"), "member": ("no", "yes"), "item": tuple(table.ITEMS)}
DAYS = ("ordered", "shipped", "delivered")
LINEAR = "ordering y_0 y_1 y_2 y_3 y_4\ny_3 - y_2 >= 0\ny_4 - y_3 >= 0\n20y_0 - y_1 >= 0\n"
"""What PiShield's linear rules can say: of member (0, 1), discount, and the three days as numbers."""

Table = Sequence[Mapping[str, str]]


def lacks() -> str | None:
    missing = [name for name in ("sdv", "pishield") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} cannot be imported (pip install sdv pishield)" if missing else None


def measure() -> list[Row]:
    """The scenario, its rows without the filter, SDV with its constraints, and the others."""
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.gallery: {NAME}: {why}")
    with fresh() as directory:
        done = ran(NAME, directory / "run")
        ours = table.read(done.run.directory / "samples.csv")
        free_run = ran(NAME, directory / "free", {"filter": {"kind": "none"}})
        free = table.read(free_run.run.directory / "samples.csv")
        table.orders(directory / "fresh.csv", FRESH, seed=1)
        real = numbers(table.read(directory / "fresh.csv"))
        synthetic, fitted = timed(lambda: synthesized(len(ours), constrained=True))
        plain, plainly = timed(lambda: synthesized(len(ours), constrained=False))
        mended, mending = timed(lambda: repaired(free))
        kept = [row for row in free if not table.broken(row)]

        def row(method: str, role: Any, by: str, rows: Table, seconds: float, told: str = "") -> Row:
            return Row(NAME, method, role, by, len(rows), _inside(rows), seconds, _found(rows, real), told)

        bad, off = _inside(synthetic), sum(not table.adds_up(r) for r in synthetic)
        said = f"{_share(bad, synthetic)} break a promise, {_share(off, synthetic)} do not add up"
        rows = [
            done.without(_inside(free), _found(free, real), f"{_share(_inside(free), free)} break a promise"),
            done.ours(
                _inside(ours), _found(ours, real), "0 break one, certified below 0.1 %; totals to the cent"
            ),
            row("SDV and its constraints", "today", named("sdv"), synthetic, fitted, said),
            row("SDV", "beside", named("sdv"), plain, plainly),
            row("repair", "beside", named("pishield"), mended, done.before + mending),
            row("rejection", "beside", named("lem-safe"), kept, done.before),
        ]
        panels = [("SDV", plain), ("SDV and its constraints", synthetic), ("lem-safe", ours)]
        _draw(panels, table.read(directory / "fresh.csv"))
    return rows


def numbers(rows: Table) -> Float[np.ndarray, "n d"]:
    """Rows as numbers, missing cells as NaN, without the total, which follows from the others; with the days
    between two dates, which any buyer would compute.
    """
    return np.array([_numbers(row) for row in rows], dtype=np.float64)


def _numbers(row: Mapping[str, str]) -> list[float]:
    made = []
    for name in (name for name in table.COLUMNS if name != "total"):
        cell = row[name]
        if name in WORDS:
            made.append(float(WORDS[name].index(cell)))
        elif name in DAYS:
            made.append(float(date.fromisoformat(cell).toordinal()) if cell else np.nan)
        else:
            made.append(float(cell) if cell else np.nan)
    apart = (table.days(row, *pair) for pair in (("ordered", "shipped"), ("shipped", "delivered")))
    return [*made, *(np.nan if gap is None else float(gap) for gap in apart)]


def _inside(rows: Table) -> int:
    return sum(map(table.broken, rows))


def _share(count: int, rows: Table) -> str:
    return f"{100 * count / len(rows):.0f} %"


def _found(rows: Table, real: Float[np.ndarray, "n d"]) -> dict[str, Any]:
    """What a table's cells break, and how well they are told from real ones."""
    order, *others = table.PROMISES.values()
    return {
        HEADS[0]: sum(map(order, rows)),
        HEADS[1]: sum(any(breaks(row) for breaks in others) for row in rows),
        HEADS[2]: sum(not table.adds_up(row) for row in rows),
        HEADS[3]: told_apart(numbers(rows), real),
    }


def synthesized(n: int, *, constrained: bool, source: Path = data.FOLDER / "orders.csv") -> Table:
    """Rows of SDV's Gaussian copula; with what its own constraints can say of the promises."""
    import pandas as pd
    from sdv.cag import FixedCombinations, Inequality
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        frames = {"orders": pd.read_csv(source)}
        metadata = Metadata.detect_from_dataframes(frames)
        for name in ("discount", "postage"):
            metadata.update_column(table_name="orders", column_name=name, sdtype="categorical")
        synthesizer = GaussianCopulaSynthesizer(metadata)
        if constrained:
            order = [Inequality("ordered", "shipped"), Inequality("shipped", "delivered")]
            synthesizer.add_constraints([*order, FixedCombinations(["member", "discount"])])
        synthesizer.fit(frames)
        found = synthesizer.sample(n)
    logging.disable(logging.NOTSET)
    rows = (found["orders"] if isinstance(found, dict) else found).to_dict("records")
    return [{name: _cell(name, row[name]) for name in table.COLUMNS} for row in rows]


def _cell(name: str, value: Any) -> str:
    """A value of a data frame as the table writes it."""
    if value is None or value != value:
        return ""
    if name in WORDS:
        return str(value)
    if name in DAYS:
        return str(value)[:10]
    return f"{float(value):.2f}" if name in ("price", "postage", "total") else str(round(float(value)))


def repaired(rows: Table) -> Table:
    """Rows after PiShield's layer, where a missing day is taken for the one before it and is missing again
    afterwards; whole numbers rounded.
    """
    x = []
    for row in rows:
        three = [row["ordered"], row["shipped"] or row["ordered"]]
        three.append(row["delivered"] or three[1])
        days = [(date.fromisoformat(day) - table.BEGINS).days for day in three]
        x.append([WORDS["member"].index(row["member"]), int(row["discount"]), *days])
    fixed = shield.repaired(np.array(x, dtype=np.float64), LINEAR).round().astype(int).tolist()
    made = []
    for row, (_, discount, *three) in zip(rows, fixed, strict=True):
        written = {
            name: str(table.BEGINS + timedelta(day)) if row[name] else ""
            for name, day in zip(DAYS, three, strict=True)
        }
        made.append({**row, "discount": str(discount), **written})
    return made


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [
        "*Inside* are rows that break a promise, counted in the written cells by plain Python that shares no "
        "code with lem-safe; the two columns behind it part them. *Wrong totals* are off by a cent or more; "
        "lem-safe computes that column, and SDV models it as any other. *Told apart* is the AUC with which "
        "gradient boosting tells 2,000 rows from orders that no method has seen, by all columns but the "
        "total, and by the days between two dates: 0.5 is chance. *SDV* is its Gaussian copula; its "
        "constraints are those it has for the order of days and for discounts, and its licence (BUSL 1.1) "
        "allows this use. *Repair* is PiShield's layer on the unfiltered rows, with the rules that are "
        "linear; those about a product or a missing cell are not. *Rejection* leaves out the unfiltered rows "
        "that break a promise.",
    ]


def _draw(panels: Sequence[tuple[str, Table]], real: Table) -> None:
    edges = np.arange(-40.5, 61)

    def shares(rows: Table) -> np.ndarray:
        waits = [wait for row in rows if (wait := table.days(row, "ordered", "delivered")) is not None]
        return np.histogram(np.clip(waits, -40, 60), edges)[0] / len(waits)

    true = shares(real)

    def panel(rows: Table) -> Any:
        def paint(axis: Axes) -> None:
            found, at = shares(rows), (edges[1:] + edges[:-1]) / 2
            axis.bar(at, found, width=1, color=np.where(at < 0, pictures.INSIDE, pictures.OUTSIDE))
            axis.stairs(true, edges, color="0.2", linewidth=1)
            axis.set(
                xlabel="days from order to delivery",
                ylabel="share of the rows",
                yscale="log",
                ylim=(3e-4, 1),
                xlim=(-41, 61),
            )

        return paint

    pictures.draw(NAME, [(title, panel(rows)) for title, rows in panels], width=4.0, height=3.0)
