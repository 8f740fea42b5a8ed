"""Columns that are computed from others: D makes them of the cells as they are written (E.28)."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from computed_tables import DERIVED, broken, houses

from barriers.tables import TableFormat
from lem_safe.data.typed import Codec, TypedTable, settings_of, typed_table
from lem_safe.data.typed.computed import Computed
from lem_safe.errors import BadInput
from lem_safe.runs.table_files import write_csv

KEEP = TableFormat(True, ",", ".", "keep")


def table_of(
    directory: Path, digits: int = 2, derived: dict[str, str] | None = None, **told: Any
) -> TypedTable:
    said = {name: settings_of(name, given) for name, given in told.items()}
    return typed_table(houses(directory, digits), None, KEEP, said, derived or DERIVED)


def drawn(codec: Codec, n: int = 3000) -> torch.Tensor:
    """Points all over the latent space, with every code."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(n, codec.numbers, generator=generator, dtype=torch.float64)
    c = [torch.randint(0, size, (n, 1), generator=generator).double() for size in codec.sizes]
    return torch.cat([z, *c], 1)


def written(table: TypedTable, path: Path) -> list[dict[str, str]]:
    codec = table.codec
    write_csv(codec, codec.columns, codec.rows(drawn(codec)).numpy(), path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("digits", [0, 1, 2, 6])
def test_every_written_row_is_what_exact_arithmetic_makes_of_its_cells(tmp_path: Path, digits: int) -> None:
    table = table_of(tmp_path, digits)
    modelled = [field.name for field in table.codec.fields if field.moves or field.coded]
    assert modelled == ["above", "basement", "sold", "days", "mix", "kind"]
    rows = written(table, tmp_path / "out.csv")
    assert [broken(row, digits) for row in rows] == [[]] * len(rows)
    assert {row["large"] for row in rows} == {"yes", "no", ""}
    assert sum(row["living"] == "" for row in rows) == sum(row["basement"] == "" for row in rows) > 100


def unrounded(honest: Callable[..., Any]) -> Callable[..., Any]:
    """Computed before the others are rounded: quarter is then half of what is not written."""

    def faulty(self: Codec, x: torch.Tensor, wanted: Any = None, held: Any = None) -> torch.Tensor:
        found = self.values(x.detach())
        return torch.stack([f.rounded(found[:, j]) for j, f in enumerate(self.fields)], -1)

    return faulty


def test_the_planted_fault_of_computing_before_rounding_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(tmp_path, 2)
    monkeypatch.setattr(Codec, "rows", unrounded(Codec.rows))
    rows = written(table, tmp_path / "out.csv")
    assert sum("quarter" in broken(row, 2) for row in rows) > 100


def test_a_wish_for_some_columns_makes_what_they_are_computed_from(tmp_path: Path) -> None:
    codec = table_of(tmp_path).codec
    x, place = drawn(codec, 50), codec.columns.index("large")
    whole, part = codec.rows(x).numpy(), codec.rows(x, [place]).numpy()
    np.testing.assert_array_equal(part[:, place], whole[:, place])
    assert np.isnan(np.delete(part, place, 1)).all()


def test_values_before_rounding_have_the_gradient_of_the_formula(tmp_path: Path) -> None:
    codec = table_of(tmp_path).codec
    x = drawn(codec, 20).requires_grad_()
    above, quarter = (codec.columns.index(name) for name in ("above", "quarter"))
    found = codec.values(x)
    (one,) = torch.autograd.grad(found[:, above].sum(), x, retain_graph=True)
    (other,) = torch.autograd.grad(found[:, quarter].sum(), x)
    torch.testing.assert_close(other, one * (1.7 / 2.3))
    assert codec.continuous("quarter") and not codec.continuous("living")  # basement may be missing


def test_a_codec_is_the_same_from_its_text(tmp_path: Path) -> None:
    codec = table_of(tmp_path).codec
    again = Codec.from_json(codec.to_json())
    x = drawn(codec, 100)
    np.testing.assert_array_equal(codec.rows(x).numpy(), again.rows(x).numpy())
    assert [field.names for field in again.fields if field.name == "large"] == [(("both", "living + 0"),)]


def test_rows_that_differ_are_counted_and_too_many_refused(tmp_path: Path) -> None:
    few = typed_table(houses(tmp_path, wrong=5), None, KEEP, {}, DERIVED)
    said = {equal.column: equal for equal in few.equal}
    lacking = int(np.isnan(few.values[-5:, 1]).sum())
    assert said["living"].differ == 5 - lacking > 0 and said["half"].differ == 0
    assert said["living"].in_words() == (
        f"computed: living = above + basement, true in {500 - 5 + lacking} of 500 rows"
    )
    living, above, basement = few.values[:, 2], few.values[:, 0], few.values[:, 1]
    np.testing.assert_array_equal(living, above + basement)  # what is learned and started from is computed
    with pytest.raises(
        BadInput, match="not above \\+ basement in .* of 500 rows.*the first is row 49"
    ) as bad:
        typed_table(houses(tmp_path, wrong=9), None, KEEP, {}, DERIVED)
    assert "take the column out of derived" in str(bad.value)


@pytest.mark.parametrize(
    ("derived", "told", "words"),
    [
        ({"living": "sold + days"}, {}, "dates are computed, and the column holds integers"),
        ({"kind": "above / 2"}, {}, "numbers are computed, and the column holds categories"),
        ({"kind": "above > 2"}, {}, "truth values are computed, and the column holds categories"),
        ({"large": "kind"}, {}, "is text"),
        ({"living": "above + cellar"}, {}, "unknown column 'cellar'"),
        ({"living": "half + 1", "half": "living - 1"}, {}, "made of itself: living -> half -> living"),
        ({"living": "living + 0"}, {}, "made of itself: living -> living"),
        ({"large": "half == 40"}, {}, "'half' holds no whole numbers to compare by =="),
        ({"living": "above + basement"}, {"living": {"range": [0, None]}}, "range is for columns that are"),
        ({"half": "above / 2.3"}, {"half": {"transform": "none"}}, "transform is for columns that are"),
        ({"living": "above + basement"}, {"living": {"kind": "category"}}, "holds categories"),
        ({"cellar": "above + basement"}, {}, "'cellar' is no column"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(
    tmp_path: Path, derived: dict[str, str], told: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput) as bad:
        table_of(tmp_path, 2, derived, **told)
    assert words in str(bad.value)


def test_a_formula_without_a_value_leaves_the_cell_empty(tmp_path: Path) -> None:
    """Its column may then miss cells; not where it divides by a column that is never 0."""
    path = tmp_path / "t.csv"
    parts = [(i % 7, 1 + i % 5) for i in range(200)]
    lines = [f"{a},{b},{a / b:.3f},{'' if b == 3 else f'{a / (b - 3):.2f}'}" for a, b in parts]
    path.write_text("\n".join(["a,b,ratio,other", *lines]) + "\n")
    table = typed_table(path, None, KEEP, {}, {"ratio": "a / b", "other": "a / (b - 3)"})
    assert [field.gaps for field in table.codec.fields] == [False, False, False, True]
    assert [equal.differ for equal in table.equal] == [0, 0]
    cells = [torch.tensor(values).double() for values in ([3, 1], [3, 4], [0, 0], [0, 0])]
    made = table.codec.computed.complete(cells, [2, 3], rounded=True)
    texts = [[field.text(float(v)) for v in made[j]] for j, field in enumerate(table.codec.fields)]
    assert texts[2:] == [["1.000", "0.250"], ["", "1.00"]]
    assert not Computed(table.codec.fields[:2]).order


@pytest.mark.parametrize("digits", [0, 1, 3])
def test_cells_that_are_cut_off_are_said_to_be_equal_up_to_rounding_alone(
    tmp_path: Path, digits: int
) -> None:
    """Counted with whole numbers: those a third of which is written otherwise cut off than rounded."""
    path, size = tmp_path / "t.csv", 10**digits
    numbers = [7 * i % 301 for i in range(300)]
    cut, near = ([(2 * size * a + more) // 6 for a in numbers] for more in (0, 3))
    lines = [
        f"{a},{c / size:.{digits}f},{n / size:.{digits}f}" for a, c, n in zip(numbers, cut, near, strict=True)
    ]
    path.write_text("\n".join(["a,cut,near", *lines]) + "\n")
    cut_off, nearest = typed_table(path, None, KEEP, {}, {"cut": "a / 3", "near": "a / 3"}).equal
    apart = sum(c != n for c, n in zip(cut, near, strict=True))
    assert (cut_off.differ, cut_off.apart) == (0, apart) and apart > 80
    assert f"true in all 300 rows up to rounding: {apart} cells are not" in cut_off.in_words()
    assert nearest.apart == 0 and nearest.in_words().endswith("true in all 300 rows")


def test_rows_are_numbered_as_in_their_file_also_where_some_are_dropped(tmp_path: Path) -> None:
    path, form = tmp_path / "t.csv", TableFormat(True, ",", ".", "drop")
    lines = [f"{a},{b},{a * b}" for a, b in ((1 + i % 50, 1 + i % 7) for i in range(300))]
    lines[3], lines[9], lines[20] = "4,,4", ",1,5", "3,0,0"
    path.write_text("\n".join(["a,b,area", *lines]) + "\n")
    with pytest.raises(BadInput, match="'area' over a \\* b has no value in row 21; leave"):
        typed_table(path, None, form, {"area": settings_of("area", {"over": "a * b"})}, {})
    path.write_text(path.read_text().replace("3,0,0", "3,2,9"))
    assert typed_table(path, None, form, {}, {"area": "a * b"}).equal[0].first == (21, "9", "6")
    path.write_text(path.read_text().replace("3,2,9", "3,two,9"))
    with pytest.raises(BadInput, match="column 'b': row 21 holds 'two'"):
        typed_table(path, None, form, {}, {})


@pytest.mark.parametrize(
    ("cells", "formula", "words"),
    [
        (["5", "6", "7"], "5 + 1", "column 'a' is not 5 + 1 in 2 of 3 rows"),
        (["6", "6", "6"], "5 + 1", "every column has one value alone or is computed, so there is nothing"),
    ],
)
def test_a_table_whose_only_column_is_computed_is_refused_for_what_it_is(
    tmp_path: Path, cells: list[str], formula: str, words: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a", *cells]) + "\n")
    with pytest.raises(BadInput) as bad:
        typed_table(path, None, KEEP, {}, {"a": formula})
    assert words in str(bad.value)
