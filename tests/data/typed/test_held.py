"""Given values of ordered columns are put in before others are made of them, also where D jumps over them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from barriers.tables import TableFormat
from lem_safe.data.typed import Codec, RowCoordinates, settings_of, typed_table

KEEP = TableFormat(True, ",", ".", "keep")
DERIVED = {"twice": "2 * x", "more": "twice + lo", "far": "x > 25", "end": "day + 3"}


def coordinates(directory: Path) -> RowCoordinates:
    """x is often 10 or 20 and never between 24 and 30, no day is between January and March, hi is modelled
    relative to lo, and area to what is computed.
    """
    rng, lines = np.random.default_rng(0), ["x,twice,lo,hi,more,far,day,end,area"]
    for i in range(1200):
        x = int(rng.choice([10, 10, 20, 31, 45, 60, 80]) + (i % 4 if i % 3 else 0))
        lo, month = int(rng.integers(1, 500)), 1 + 2 * (i % 2)
        day, far = 1 + i % 25, "yes" if x > 25 else "no"
        dates = f"2021-0{month}-{day:02},2021-0{month}-{day + 3:02}"
        lines.append(f"{x},{2 * x},{lo},{lo + i % 9},{2 * x + lo},{far},{dates},{2 * x * (1 + i % 50)}")
    path = directory / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    said = {name: settings_of(name, told) for name, told in RELATIVE.items()}
    return RowCoordinates(typed_table(path, None, KEEP, said, DERIVED).codec)


RELATIVE: dict[str, dict[str, Any]] = {"hi": {"minus": "lo"}, "area": {"over": "twice"}}


def points(codec: Codec, n: int = 300) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(n, codec.numbers, generator=generator, dtype=torch.float64)
    c = [torch.randint(0, size, (n, 1), generator=generator).double() for size in codec.sizes]
    return torch.cat([z, *c], 1)


def wrong(codec: Codec, rows: torch.Tensor) -> list[str]:
    """The columns that are not what their cells say, worked out here."""
    x, twice, lo, hi, more, far, day, end, area = rows.unbind(1)
    yes = float(codec.fields[5].labels.index("yes"))
    share, least = (area / twice).numpy(), -1e-9
    sound = {
        "twice": twice == 2 * x,
        "more": more == 2 * x + lo,
        "far": (far == yes) == (x > 25),
        "end": end == day + 3 * 86_400e6,
        "hi": (hi - lo >= 0) & (hi - lo <= 8),
        "area": torch.tensor((share >= 1 + least) & (share <= 50 + 1e-9)) | (area == area.max()),
    }
    return [name for name, holds in sound.items() if not bool(holds.all())]


GIVEN: list[dict[str, float]] = [
    {"x": 27.0},
    {"lo": 250.0},
    {"day": 1612224000e6},
    {"x": 27.0, "lo": 333.0, "day": 1612224000e6},
    {"x": 31.0},
]


@pytest.mark.parametrize("given", GIVEN)
def test_what_is_made_of_given_values_is_made_of_them(tmp_path: Path, given: dict[str, float]) -> None:
    free = coordinates(tmp_path)
    codec = free.codec
    held = free.holding({codec.columns.index(name): value for name, value in given.items()})
    z = points(codec)
    rows = held.rows(z)
    for name, value in given.items():
        assert bool((rows[:, codec.columns.index(name)] == value).all())
    assert wrong(codec, rows) == []
    before, judged = held(z), held.about([codec.columns.index("more")]).counted(z)
    torch.testing.assert_close(before[:, 4], 2 * before[:, 0] + before[:, 2])
    torch.testing.assert_close(judged[:, 4], rows[:, 4])
    assert bool((held.saved(z) == held.counted(z)).all())


def overwritten(honest: Callable[..., Any]) -> Callable[..., Any]:
    """The given values written over those of D, once everything is computed."""

    def faulty(self: Codec, x: torch.Tensor, wanted: Any = None, held: Any = None) -> torch.Tensor:
        rows: torch.Tensor = honest(self, x, wanted)
        for j, value in (held or {}).items():
            rows[:, j] = value
        return rows

    return faulty


def test_the_planted_fault_of_writing_them_over_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = coordinates(tmp_path).holding({0: 27.0})
    monkeypatch.setattr(Codec, "rows", overwritten(Codec.rows))
    assert wrong(held.codec, held.rows(points(held.codec))) == ["twice", "more", "far"]


def test_a_column_that_is_made_of_others_cannot_be_held(tmp_path: Path) -> None:
    for j in (1, 3):
        with pytest.raises(ValueError, match="is made from others and cannot be held"):
            coordinates(tmp_path).holding({j: 20.0})
