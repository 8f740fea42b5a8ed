"""Columns that are modelled as differences from others, or as shares of them (E.29)."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from barriers.tables import TableFormat
from lem_safe.data.typed import Codec, TypedTable, settings_of, typed_table
from lem_safe.data.typed.computed import Computed
from lem_safe.errors import BadInput

KEEP = TableFormat(True, ",", ".", "keep")
SAID = {"end": {"minus": "begin"}, "sum": {"over": "end - begin"}, "share": {"over": "1 / sum"}}


def spans(directory: Path, n: int = 400) -> Path:
    """Begins all over a long range, ends shortly behind them, a sum that the length determines roughly."""
    rng, lines = np.random.default_rng(0), ["begin,end,sum,share,gap,when"]
    for _ in range(n):
        begin, long = int(rng.integers(0, 1700)), int(3 + rng.gamma(2, 4))
        total = int(long * rng.integers(80, 120))
        gap = "" if rng.random() < 0.1 else str(rng.integers(1, 99))
        share = f"{rng.integers(0, 9) / total:.6f}"
        lines.append(f"{begin},{begin + long},{total},{share},{gap},2021-01-{rng.integers(1, 29):02d}")
    path = directory / "spans.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def table_of(
    directory: Path, said: dict[str, Any] | None = None, derived: dict[str, str] | None = None
) -> TypedTable:
    told = {name: settings_of(name, given) for name, given in (said or SAID).items()}
    return typed_table(spans(directory), None, KEEP, told, derived)


def drawn(codec: Codec, n: int = 4000) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(n, codec.numbers, generator=generator, dtype=torch.float64)
    c = [torch.randint(0, size, (n, 1), generator=generator).double() for size in codec.sizes]
    return codec.rows(torch.cat([z, *c], 1)).numpy()


def within(table: TypedTable) -> list[bool]:
    """Whether written differences and shares are among those of the data, whatever the begin is."""
    real, rows = table.values, drawn(table.codec)
    inner = rows[rows[:, 1] < real[:, 1].max()]  # an end beyond those of the data is put back to the last
    long, own = inner[:, 1] - inner[:, 0], real[:, 1] - real[:, 0]
    mean, means = inner[:, 2] / long, real[:, 2] / own
    half = 0.5 / long + 1e-9  # the sum is rounded to a whole number
    return [
        bool((long >= own.min()).all() and (long <= own.max()).all()),
        bool((mean >= means.min() - half).all() and (mean <= means.max() + half).all()),
    ]


def test_ends_stay_behind_their_begins_as_far_as_in_the_data(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    assert within(table) == [True, True]
    rows = drawn(table.codec)
    assert (rows == np.round(rows, 6))[:, :4].all() and (rows[:, :3] == np.rint(rows[:, :3])).all()
    assert rows[:, 1].max() <= table.values[:, 1].max()  # the column's own range


def unrounded(honest: Callable[..., Any]) -> Callable[..., Any]:
    """The base before it is rounded."""

    def faulty(self: Codec, x: torch.Tensor, wanted: Any = None) -> torch.Tensor:
        found = self.values(x.detach())
        return torch.stack([f.rounded(found[:, j]) for j, f in enumerate(self.fields)], -1)

    return faulty


def test_the_planted_fault_of_a_base_that_is_not_written_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(tmp_path)
    monkeypatch.setattr(Codec, "rows", unrounded(Codec.rows))
    assert within(table) == [True, False]  # a whole number added before rounding is one after it


def test_rows_of_the_data_are_points_and_back(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    rows = torch.from_numpy(table.values)
    uniforms = torch.rand(rows.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    back = table.codec.rows(table.codec.latent(rows, uniforms)).numpy()
    np.testing.assert_array_equal(back[:, :2], table.values[:, :2])
    np.testing.assert_allclose(back[:, 2:4], table.values[:, 2:4], rtol=0, atol=1.0001)
    again = Codec.from_json(table.codec.to_json())
    np.testing.assert_array_equal(again.rows(again.latent(rows, uniforms)).numpy(), back)


def test_a_difference_is_the_latent_number(tmp_path: Path) -> None:
    """With the begins of other rows, ends are behind them by what they were behind their own."""
    table = table_of(tmp_path, {"end": {"minus": "begin"}})
    codec, rows = table.codec, torch.from_numpy(table.values)
    x = codec.latent(rows, torch.full_like(rows, 0.5))
    x[:, 0] = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0)), 0]
    made = codec.rows(x).numpy()
    least, most = table.values[:, 1].min(), table.values[:, 1].max()
    free = (made[:, 1] > least) & (made[:, 1] < most)  # what is beyond is put back to these
    assert free.mean() > 0.97 and (made[:, 0] != table.values[:, 0]).mean() > 0.9
    own = table.values[:, 1] - table.values[:, 0]
    np.testing.assert_array_equal((made[:, 1] - made[:, 0])[free], own[free])


def test_a_base_may_be_computed_and_have_names(tmp_path: Path) -> None:
    table = table_of(tmp_path, {"sum": {"over": "long"}, "end": {"minus": "begin"}}, {"long": "end - begin"})
    assert [field.names for field in table.codec.fields if field.name == "sum"] == [
        (("long", "end - begin"),)
    ]
    assert Computed(table.codec.fields).order == [1, 2]


def parcels(directory: Path, delivered: str | None = None) -> Path:
    """Days of three steps, the last two of which may not have come yet; delivered: that of the row without a
    day on which it was sent.
    """
    rng, lines = np.random.default_rng(0), ["ordered,sent,delivered"]
    for i in range(400):
        ordered = date(2021, 1, 1) + timedelta(int(rng.integers(0, 700)))
        sent = ordered + timedelta(int(rng.integers(0, 4)))
        there = sent + timedelta(int(rng.integers(1, 30)))
        known = 2 if i % 10 else i // 10 % 2
        lines.append(",".join([str(ordered), *[str(sent), str(there)][:known], *[""] * (2 - known)]))
    if delivered is not None:
        lines.append(f"2021-06-01,,{delivered}")
    path = directory / "parcels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


STEPS = {"sent": settings_of("sent", {"minus": "ordered"}), "delivered": settings_of("", {"minus": "sent"})}


def test_dates_with_missing_cells_follow_one_another_as_in_the_data(tmp_path: Path) -> None:
    table = typed_table(parcels(tmp_path), None, KEEP, STEPS)
    rows, day = torch.from_numpy(table.values), 86_400e6
    back = table.codec.rows(table.codec.latent(rows, torch.full_like(rows, 0.5)))
    np.testing.assert_array_equal(back.numpy(), table.values)
    made, real = drawn(table.codec) / day, table.values / day
    sent, there = ~np.isnan(made[:, 1]), ~np.isnan(made[:, 2])
    assert 0 < sent.mean() < 1 and 0 < (there & sent).mean() < sent.mean()
    assert not (there & ~sent).any()  # where the base is missing, so is the cell
    last = np.nanmax(real, 0)
    for j in (1, 2):
        apart, known = made[:, j] - made[:, j - 1], real[:, j] - real[:, j - 1]
        free = made[:, j] < last[j]  # what is beyond the column's own range is put back to its last day
        assert free.mean() > 0.3 and set(apart[free]) <= set(range(30)) and (apart[free] % 1 == 0).all()
        assert np.nanmin(apart[free]) == np.nanmin(known) and np.nanmax(apart[free]) <= np.nanmax(known)


def test_a_cell_without_its_base_is_refused_by_row(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'delivered' minus sent has no value in row 401; leave minus out"):
        typed_table(parcels(tmp_path, delivered="2021-06-09"), None, KEEP, STEPS)
    typed_table(parcels(tmp_path, delivered=""), None, KEEP, STEPS)


@pytest.mark.parametrize(
    ("said", "derived", "words"),
    [
        ({"end": {"minus": "gap"}}, {}, "no cell of 'end' is missing, so the expression must have a value"),
        ({"sum": {"over": "end / (end - begin)"}}, {}, "must have a value in every row"),
        ({"end": {"minus": "when"}}, {}, "both must be numbers, or both dates; leave minus out"),
        ({"when": {"minus": "begin"}}, {}, "both must be numbers, or both dates"),
        ({"when": {"over": "begin"}}, {}, "both must be numbers; leave over out"),
        (
            {"end": {"minus": "begin"}, "begin": {"minus": "end"}},
            {},
            "is made of itself: begin -> end -> begin",
        ),
        ({"end": {"minus": "cellar"}}, {}, "unknown column 'cellar'"),
        ({"sum": {"over": "end - end"}}, {}, "over end - end has no value in row 1"),
        ({"end": {"minus": "begin"}}, {"end": "begin + 3"}, "minus is for columns that are modelled"),
    ],
)
def test_what_cannot_be_relative_is_refused_by_name(
    tmp_path: Path, said: dict[str, Any], derived: dict[str, str], words: str
) -> None:
    with pytest.raises(BadInput) as bad:
        table_of(tmp_path, said, derived)
    assert words in str(bad.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"minus": "a", "over": "b"}, "takes one of minus and over"),
        ({"minus": 3}, "minus must be an expression over other columns"),
        ({"kind": "date", "over": "a"}, "takes kind date without over"),
        ({"kind": "category", "over": "a"}, "kind category takes no other key"),
    ],
)
def test_what_makes_no_sense_of_a_column_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        settings_of("x", given)
