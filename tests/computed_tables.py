"""A table of houses whose columns determine one another, and what plain Python says of its rows."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

HEADER = "above,basement,living,half,quarter,sold,days,moved,large,mix,kind"
DERIVED = {
    "living": "above + basement",
    "half": "above / 2.3",
    "quarter": "half * 1.7",
    "moved": "sold + days",
    "large": "both >= 150",
    "both": "living + 0",
}
"""`both` is no column; quarter is computed from half as it is written."""

TEXT = """
version: 1
name: houses
energy:
  kind: trained
  data: {{kind: file, path: houses.csv, missing: keep{columns}}}
  network: {{kind: mixture_base, components: 4, hidden: 8, depth: 1}}
  training: {{steps: 2, batch_size: 64}}
derived: {derived}
unsafe:
  big: {{kind: rule, where: "living > 190 or quarter > 130"}}
  late: {{kind: rule, where: "moved > '2021-02-10' and kind == 'x'"}}
  apart: {{kind: rule, require: "if large == 'yes' then half > 50"}}
constraints: [{{set: big, beta: 0}}, {{set: late, beta: 0.05}}, {{set: apart, beta: 0.3}}]
sampler: {{kind: mixed, samples: 200, steps: 6, step_size: 0.05}}
filter: {{kind: gate}}
monitors: {{samples: 0}}
{more}
"""


def houses(
    directory: Path, digits: int = 2, wrong: int = 0, rows: int = 500, name: str = "houses.csv"
) -> Path:
    """A table in a directory, with so many decimals, and so many rows whose `living` is 1 too large."""
    rng, lines = np.random.default_rng(0), [HEADER]
    for i in range(rows):
        above = int(rng.integers(50, 200))
        basement = None if rng.random() < 0.2 else int(rng.poisson(20))
        living = "" if basement is None else str(above + basement + (i >= rows - wrong))
        half = f"{above / 2.3:.{digits}f}"
        quarter = f"{float(half) * 1.7:.{digits}f}"
        sold, days = date(2021, 1, 1) + timedelta(int(rng.integers(0, 28))), int(rng.integers(0, 30))
        large = "" if basement is None else "yes" if above + basement >= 150 else "no"
        cells = (above, "" if basement is None else basement, living, half, quarter, sold, days)
        lines.append(
            f"{','.join(map(str, cells))},{sold + timedelta(days)},{large},{rng.normal():.3f},{'xy'[i % 2]}"
        )
    path = directory / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def scenario(directory: Path, derived: object = None, columns: str = "", more: str = "") -> Path:
    """A scenario over houses.csv in the same directory, which is made where it is not there."""
    if not (directory / "houses.csv").exists():
        houses(directory)
    chosen = derived or "{" + ", ".join(f"{name}: {text}" for name, text in DERIVED.items()) + "}"
    path = directory / "houses.yaml"
    path.write_text(TEXT.format(derived=chosen, columns=columns, more=more), encoding="utf-8")
    return path


def broken(row: dict[str, str], digits: int) -> list[str]:
    """The computed columns of a written row that are not what they are computed as, by exact arithmetic."""
    unit = Decimal(1).scaleb(-digits) / 2
    there = row["basement"] != ""
    total = int(row["above"]) + int(row["basement"]) if there else None
    sound = {
        "living": row["living"] == ("" if total is None else str(total)),
        "half": abs(Decimal(row["half"]) - Decimal(row["above"]) / Decimal("2.3")) <= unit,
        "quarter": abs(Decimal(row["quarter"]) - Decimal(row["half"]) * Decimal("1.7")) <= unit,
        "moved": date.fromisoformat(row["moved"])
        == date.fromisoformat(row["sold"]) + timedelta(int(row["days"])),
        "large": row["large"] == ("" if total is None else "yes" if total >= 150 else "no"),
    }
    return [name for name, holds in sound.items() if not holds]
