"""Rows to latent points and back: what a column holds, what it can become, and what is written."""

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from barriers.tables import TableFormat
from lem_safe.data.typed import Codec, TypedTable, settings_of, typed_table
from lem_safe.errors import BadInput

KEEP = TableFormat(missing="keep")
WHOLE = st.integers(-(10**6), 10**6).map(str)
DECIMAL = st.decimals(-1000, 1000, places=2).map(str)
DATE = st.dates().filter(lambda d: 1600 < d.year < 2200).map(str)
MOMENT = st.datetimes().filter(lambda d: 1700 < d.year < 2200).map(lambda d: d.isoformat(" ", "seconds"))
WORD = st.sampled_from(["red", "green", "a, b", 'say "hi"', "é", "7a"])
GAP = st.sampled_from(["", "", "NA"])


def table_of(rows: list[list[str]], path: Path, **told: object) -> TypedTable:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(f"c{j}" for j in range(len(rows[0])))
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")
    form = TableFormat(True, ",", ".", "keep")
    return typed_table(path, None, form, {name: settings_of(name, said) for name, said in told.items()})


def points(table: TypedTable, seed: int = 0) -> torch.Tensor:
    rows = torch.from_numpy(table.values)
    generator = torch.Generator().manual_seed(seed)
    return table.codec.latent(rows, torch.rand(rows.shape, generator=generator, dtype=torch.float64))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_row_is_written_as_it_was_read_and_so_is_any_point(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kinds = data.draw(st.lists(st.sampled_from([WHOLE, DECIMAL, DATE, MOMENT, WORD]), min_size=1, max_size=4))
    gaps = [data.draw(st.booleans()) for _ in kinds]
    cells = [kind | GAP if gap else kind for kind, gap in zip(kinds, gaps, strict=True)]
    rows = data.draw(st.lists(st.tuples(*cells).map(list), min_size=4, max_size=30))
    for j in range(len(kinds)):
        rows[0][j] = data.draw(kinds[j])  # not every cell is missing
    rows = [[*row, "xy"[i % 2]] for i, row in enumerate(rows)]  # not every column has one value
    table = table_of(rows, tmp_path_factory.mktemp("t") / "t.csv")
    codec, x = table.codec, points(table)
    back = codec.rows(x).numpy()
    repeated = [len(f.labels) > 0 or not f.moves for f in codec.fields]
    for j, field in enumerate(codec.fields[:-1]):
        if repeated[j]:  # every value is a code
            np.testing.assert_array_equal(back[:, j], table.values[:, j])
        known = table.values[~np.isnan(table.values[:, j]), j]
        drawn = codec.rows(torch.randn(200, codec.dimension).double() * 2).numpy()[:, j]
        there = drawn[~np.isnan(drawn)]
        assert field.kind == "category" or (there >= known.min()).all() and (there <= known.max()).all()
        texts = codec.cells(
            np.stack([drawn if i == j else back[:1, i].repeat(200) for i in range(len(codec.fields))], 1)
        )
        _reads_back(table, j, texts[j], drawn)


def _reads_back(table: TypedTable, j: int, texts: list[str], values: np.ndarray) -> None:
    """Texts mean the values exactly."""
    field = table.codec.fields[j]
    for text, value in zip(texts, values, strict=True):
        if math.isnan(value):
            assert text == field.mark
        elif field.kind == "category":
            assert text == field.labels[int(value)]
        elif field.kind in ("number", "integer"):
            assert float(text) == value
        else:
            assert np.datetime64(text.replace(" ", "T")) == np.datetime64(int(value), "us")


def test_cells_keep_their_style(tmp_path: Path) -> None:
    rows = [["1.50", "2.5", "7", "2020-01-31 10:00:00"], ["0.25", "3", "8", "2021-02-01 11:30:00"]] * 3
    table = table_of([[*row] for row in rows], tmp_path / "t.csv")
    cells = table.codec.cells(table.values)
    assert [list(column) for column in zip(*cells, strict=True)] == rows


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_uniform_ranks_give_each_repeated_value_its_share(tmp_path: Path, share: float) -> None:
    """D of a standard normal number has the distribution of the column (E.23)."""
    rng = np.random.default_rng(0)
    n, common = 1000, int(1000 * share)
    values = np.concatenate([np.full(common, 3.0), np.round(rng.gamma(2.0, 5.0, n - common), 2)])
    table = table_of([[f"{v:.2f}", str(i % 7)] for i, v in enumerate(values)], tmp_path / "t.csv")
    field = table.codec.fields[0]
    ranks = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    drawn = field.rounded(field.values(torch.special.ndtri(ranks), torch.full_like(ranks, len(field.atoms))))
    rest = values[values != 3.0] if field.atoms else values
    for value in np.unique(rest)[:50]:
        assert abs(float((drawn == value).double().mean()) - (rest == value).mean()) < 2 / len(rest)
    grid = np.linspace(rest.min(), rest.max(), 50)
    gap = [(drawn.numpy() <= t).mean() - (rest <= t).mean() for t in grid]
    assert np.abs(gap).max() < 2 / len(rest)


def test_what_a_scenario_says_of_a_column_holds(tmp_path: Path) -> None:
    rows = [[str(i % 40), f"{i / 7:.3f}", "ab"[i % 2], "x"] for i in range(400)]
    told = {
        "c0": {"kind": "integer", "range": [0, None]},
        "c1": {"digits": 1, "range": [-5, 100.06]},
        "c2": {"kind": "category"},
        "c3": {"kind": "ignore"},
    }
    table = table_of(rows, tmp_path / "t.csv", **told)
    first, second, third = table.codec.fields
    assert (first.kind, first.low, first.high) == ("integer", 0.0, math.inf)
    assert (second.digits, second.low, second.high) == (1, -5.0, 100.0)
    assert third.labels == ("a", "b")
    z = torch.tensor([-8.0, 3.0, 5.0, 8.0], dtype=torch.float64)
    far = first.rounded(first.values(z, torch.full_like(z, len(first.atoms))))
    assert far[0] == 0 and far[-1] > 39 and bool((far == far.round()).all())  # an open end goes on
    far = second.rounded(second.values(z, torch.full_like(z, len(second.atoms))))
    assert far[0] == -5 and 57.1 < far[-1] <= 100


def test_a_linear_map_is_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [[f"{v:.4f}"] for v in rng.normal(3.0, 2.0, 200)]
    field = table_of(rows, tmp_path / "t.csv", c0={"transform": "none", "range": [None, None]}).codec.fields[
        0
    ]
    z = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    v = field.values(z, None)
    assert torch.allclose(v[2] - v[1], 2 * (v[1] - v[0]))
    assert abs(float(v[1]) - 3.0) < 0.5
    assert torch.allclose(field.latent(v, torch.full_like(v, 0.5))[0], z)


def test_a_codec_survives_json(tmp_path: Path) -> None:
    rows = [[str(i % 40), f"{i / 7:.3f}", "ab"[i % 2], "" if i % 3 else "2020-01-01"] for i in range(100)]
    codec = table_of(rows, tmp_path / "t.csv").codec
    again = Codec.from_json(codec.to_json())
    assert again.fields == codec.fields
    x = torch.randn(50, codec.dimension).double()
    assert torch.equal(again.rows(x).nan_to_num(-1.0), codec.rows(x).nan_to_num(-1.0))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"kind": "integer"}, "is not a whole number"),
        ({"kind": "date"}, "is not a date"),
        ({"range": [0, 3]}, "outside the range"),
        ({"range": [3, 0]}, "must not be empty"),
        ({"range": 3}, "range must be"),
        ({"kind": "words"}, "kind must be one of"),
        ({"digits": 1.5}, "digits must be a whole number"),
        ({"sort": 1}, "has no key 'sort'"),
        ("integer", "must be a mapping"),
        ({"kind": "category", "digits": 2}, "takes no other key"),
    ],
)
def test_what_does_not_fit_a_column_is_refused(tmp_path: Path, cell: object, said: str) -> None:
    with pytest.raises((BadInput, ValueError), match=said):
        table_of([[f"{i}.5"] for i in range(10)], tmp_path / "t.csv", c0=cell)


def test_a_column_that_names_rows_or_misses_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="are no categories"):
        table_of([[f"id{i}", "1"] for i in range(200)], tmp_path / "t.csv")
    with pytest.raises(BadInput, match="every cell is missing"):
        table_of([["", str(i)] for i in range(9)], tmp_path / "t.csv")
    with pytest.raises(BadInput, match="no column 'c9'"):
        table_of([["1", "a"]] * 9, tmp_path / "t.csv", c9={"kind": "integer"})
    path = tmp_path / "gaps.csv"
    path.write_text("a,b\n1,x\n,y\n3,\n4,z\n")
    with pytest.raises(BadInput, match="cells are missing"):
        typed_table(path, None, TableFormat(), {})
    assert typed_table(path, None, TableFormat(missing="drop"), {}).dropped == 2


def test_leading_zeros_are_names_and_whole_numbers_stay_whole(tmp_path: Path) -> None:
    rows = [[f"{i % 20:03d}", str(i % 30), f"{i % 25}.0"] for i in range(300)]
    codec = table_of(rows, tmp_path / "t.csv").codec
    assert [field.kind for field in codec.fields] == ["category", "integer", "integer"]
    cells = codec.cells(codec.rows(torch.randn(100, codec.dimension).double()).numpy())
    assert all(len(text) == 3 for text in cells[0])
    assert all(text.isdigit() for text in cells[1])
    assert all(text.endswith(".0") for text in cells[2])


@pytest.mark.parametrize(("rows", "codes"), [(2000, (2,)), (1000, ())])
def test_a_value_needs_a_hundred_rows_to_be_a_code(tmp_path: Path, rows: int, codes: tuple[int, ...]) -> None:
    zeros = rows // 12
    numbers = np.random.default_rng(0).normal(size=rows - zeros).tolist()
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a", *["0"] * zeros, *map(repr, numbers)]) + "\n")
    found = typed_table(path, None, TableFormat(missing="keep"), {})
    assert found.codec.sizes == codes
    x = found.codec.latent(torch.from_numpy(found.values), torch.full((rows, 1), 0.3, dtype=torch.float64))
    assert int((found.codec.rows(x) == 0).sum()) == zeros
