"""The gallery's orders, made by code: categories, dates, money, whole numbers and missing cells, in rows that
all obey what the business promises; and those promises in plain Python, sharing no code with lem-safe.
"""

import csv
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np

ROWS = 1500
COLUMNS = (
    *("channel", "member", "item", "quantity", "price", "discount", "postage", "total"),
    *("ordered", "shipped", "delivered", "rating"),
)
FREE, POSTAGE = 50.0, (4.95, 9.90)
"""From what goods cost this much, postage is free; otherwise it is one of these, the second for phone."""
ITEMS = {
    "book": (0.4, 14.0, 0.35),
    "kitchen": (0.25, 32.0, 0.6),
    "garden": (0.2, 24.0, 0.7),
    "toy": (0.15, 19.0, 0.5),
}
"""Of each: its share, the median of its price, and the spread of its logarithm."""
LATE, IN_TIME = [0.25, 0.3, 0.25, 0.15, 0.05], [0.02, 0.05, 0.13, 0.35, 0.45]
"""The shares of ratings from 1 to 5, where it took more than five days, and where it did not."""
CANCELLED = 0.05
"""Of what is not bought in the shop: never sent."""
BEGINS = date(2024, 1, 1)
LAST = date(2024, 12, 31)
"""The day on which the table was written: what would come after it is missing."""

Cells = Mapping[str, str]


def orders(path: Path, rows: int = ROWS, seed: int = 0) -> None:
    """The table, as a shop would export it."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for _ in range(rows):
            writer.writerow(_row(rng))


def _row(rng: np.random.Generator) -> list[str]:
    channel = str(rng.choice(["web", "shop", "phone"], p=[0.62, 0.26, 0.12]))
    member = bool(rng.random() < {"web": 0.5, "shop": 0.35, "phone": 0.2}[channel])
    item = str(rng.choice(list(ITEMS), p=[share for share, _, _ in ITEMS.values()]))
    _, median, spread = ITEMS[item]
    price = round(median * float(np.exp(spread * rng.normal())), 2)
    quantity = 1 + int(rng.poisson(1.6 if item in ("book", "toy") else 0.7))
    discount = int(rng.choice([0, 5, 10, 20], p=[0.35, 0.3, 0.25, 0.1])) if member else 0
    goods = quantity * price * (1 - discount / 100)
    postage = 0.0 if channel == "shop" or goods >= FREE else POSTAGE[channel == "phone"]
    ordered = BEGINS + timedelta(int(rng.triangular(0, 365, 366)))
    waits = (int(rng.choice(5, p=[0.3, 0.35, 0.2, 0.1, 0.05])), 1 + int(rng.poisson(1.8)))
    shipped, delivered = (ordered + timedelta(0 if channel == "shop" else w) for w in (waits[0], sum(waits)))
    cancelled = channel != "shop" and rng.random() < CANCELLED
    there = [day <= LAST and not cancelled for day in (shipped, delivered)]
    rated = there[1] and rng.random() < (0.55 if member else 0.3)
    pleased = LATE if (delivered - ordered).days > 5 else IN_TIME
    rating = int(rng.choice([1, 2, 3, 4, 5], p=pleased))
    return [
        *(channel, "yes" if member else "no", item, str(quantity), f"{price:.2f}", str(discount)),
        *(f"{postage:.2f}", f"{round(100 * (goods + postage)) / 100:.2f}", str(ordered)),
        *(str(day) if known else "" for day, known in zip((shipped, delivered), there, strict=True)),
        str(rating) if rated else "",
    ]


def goods(row: Cells) -> float:
    return int(row["quantity"]) * float(row["price"]) * (1 - int(row["discount"]) / 100)


def _before(row: Cells, early: str, late: str) -> bool:
    return bool(row[early] and row[late]) and row[late] < row[early]


def days(row: Cells, early: str, late: str) -> int | None:
    """The days from one date to a later one; None where one is missing."""
    if not row[early] or not row[late]:
        return None
    return (date.fromisoformat(row[late]) - date.fromisoformat(row[early])).days


PROMISES: dict[str, Callable[[Cells], bool]] = {
    "too_early": lambda r: _before(r, "ordered", "shipped") or _before(r, "shipped", "delivered"),
    "unsent": lambda r: bool(r["delivered"]) and not r["shipped"],
    "unseen": lambda r: bool(r["rating"]) and not r["delivered"],
    "stranger": lambda r: int(r["discount"]) > 0 and r["member"] == "no",
    "unpaid_post": lambda r: float(r["postage"]) == 0 and goods(r) < FREE and r["channel"] != "shop",
}
"""Whether a row breaks each promise. Days are ISO texts, whose order is that of the days."""


def broken(row: Cells) -> bool:
    """Whether a row breaks any promise."""
    return any(breaks(row) for breaks in PROMISES.values())


def adds_up(row: Cells) -> bool:
    """Whether the total is what the row costs, to the cent."""
    return abs(float(row["total"]) - goods(row) - float(row["postage"])) < 0.0051


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a table, as texts."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
