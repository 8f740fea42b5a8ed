"""A table of orders: categories, money, whole numbers, dates and missing cells, with rules that most rows
obey; and scenarios over it.
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np

HEADER = "kind,region,price,items,ordered,sent,days,rating"
ROWS = 400

TEXT = """
version: 1
name: orders
energy:
  kind: trained
  data: {{kind: file, path: orders.csv, missing: keep}}
  network: {{kind: mixture_base, components: 8, hidden: 16, depth: 2}}
  training: {{steps: 40, batch_size: 64}}
derived: {{total: price * items}}
unsafe:
  early: {{kind: rule, where: "sent < ordered + 3"}}
  cheap: {{kind: rule, require: "if kind == 'new' then price >= 10"}}
  large: {{kind: rule, where: "total > 600 or (region == 'north, far' and rating is missing)"}}
constraints: [{{set: early, beta: 0}}, {{set: cheap, beta: 0.02}}, {{set: large, beta: 0.05}}]
sampler: {{kind: mixed, samples: 300, steps: 12, step_size: 0.05{init}}}
filter: {filter}
monitors: {{samples: 0}}
{more}
"""


def orders(directory: Path, rows: int = ROWS, seed: int = 0) -> Path:
    """orders.csv in a directory."""
    rng = np.random.default_rng(seed)
    lines = [HEADER]
    for _ in range(rows):
        new = rng.random() < 0.6
        region = ["south", "north, far", "east"][rng.choice(3, p=[0.5, 0.2, 0.3])]
        price = round(float(rng.gamma(3.0, 12.0 if new else 6.0)) + (8.0 if new else 0.5), 2)
        items, ordered = int(rng.poisson(3) + 1), date(2021, 1, 1) + timedelta(int(rng.integers(0, 700)))
        sent = ordered + timedelta(int(rng.choice([2, 3, 4, 7, 30], p=[0.05, 0.4, 0.3, 0.2, 0.05])))
        rating = "" if rng.random() < 0.3 else str(rng.integers(1, 6))
        kind, quoted = "new" if new else "used", f'"{region}"'
        lines.append(f"{kind},{quoted},{price:.2f},{items},{ordered},{sent},{(sent - ordered).days},{rating}")
    path = directory / "orders.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def scenario(directory: Path, filter: str = "{kind: gate}", more: str = "", init: str = "") -> Path:
    """A scenario over orders.csv, in the same directory, which is made where it is not there."""
    if not (directory / "orders.csv").exists():
        orders(directory)
    path = directory / "orders.yaml"
    path.write_text(TEXT.format(filter=filter, more=more, init=init), encoding="utf-8")
    return path
