"""`lem_safe.count`: counts that add up."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import lem_safe
from lem_safe.auditor import repeats
from lem_safe.auditor.drawn import Drawn
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.programming.counting import Counts
from lem_safe.sets import Ball

REGIONS = {"wall": Ball([0.0, 0.0], 1.0), "right": lambda x: x[:, 0] > 1}


def test_batches_add_up_to_the_whole() -> None:
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    whole = lem_safe.count(x, REGIONS)
    parts = sum(lem_safe.count(part, REGIONS) for part in x.split(70))
    assert parts == whole == lem_safe.count(x.numpy(), REGIONS)
    assert whole.inside["right"] == int((x[:, 0] > 1).sum()) and whole.samples == 300
    assert whole.fractions["right"] == whole.inside["right"] / 300
    assert whole.upper_bounds(0.9)["wall"] == upper_bound(whole.inside["wall"], 300, 0.95)
    assert str(whole).startswith("300 samples: ")


def test_a_scenario_is_counted_too_and_others_do_not_add() -> None:
    ring = lem_safe.count(np.array([[2.0, 0.0], [0.0, 0.0]]), "ring_keep_out")
    assert ring.inside == {"pillar": 1}
    with pytest.raises(lem_safe.BadInput, match="do not add"):
        ring + lem_safe.count(np.zeros((2, 2)), REGIONS)
    with pytest.raises(lem_safe.BadInput, match="confidence: must be between 0 and 1"):
        ring.upper_bounds(1.0)


NUMBERS = {
    "ball": {"kind": "ball", "center": [1.0, 0.0], "radius": 0.8},
    "slope": {"kind": "half_space", "normal": [1.0, 0.3], "offset": 1.0},
    "power": {"kind": "rule", "where": "exp(x0) + abs(x1) ** 1.7 > 3 + log(1 + x1 ** 2)"},
}
MANY = {
    "power": NUMBERS["power"],
    "odd": {"kind": "rule", "where": "word == 'neww' or x0 > 1 and word in ('a', 'b')"},
}
WIDE = {"flat": {"kind": "polytope", "normals": [[1, 0, 2], [0, 1, -1], [-1, 1, 1]], "offsets": [1, 1, 1]}}


def rows(kind: str, n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3 if kind == "wide" else 2))
    x = x.round(1) * rng.choice([-1.0, 1.0], x.shape) if kind in ("coarse", "words") else x
    table = pd.DataFrame({f"x{i}": column for i, column in enumerate(x.T)})
    if kind == "words":
        table["word"] = rng.choice([*"abcd", "new"], n)
    if kind in ("replica", "path"):
        table[kind] = np.arange(n) // 10
    if kind == "gaps":
        table.loc[rng.random(n) < 0.2, "x0"] = np.nan
    return table


@pytest.mark.simulation
@pytest.mark.parametrize("kind", ["plain", "coarse", "words", "wide", "gaps", "replica", "path"])
@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
@given(data=st.data())
def test_the_same_rows_give_the_same_sum_in_whatever_batches(kind, data):
    """In any order, any cuts, any grouping, and from other processes; byte for byte."""
    regions = {"words": MANY, "wide": WIDE}.get(kind, NUMBERS)
    table = rows(kind, 10 * data.draw(st.integers(1, 30)), data.draw(st.integers(0, 9)))
    size = 10 if kind in ("replica", "path") else 1  # units stay whole
    options = {"beta": 0.3, "near": 0.2, "missing": "drop" if kind == "gaps" else "error"}
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            patch.setattr(repeats, "KEPT", 30)
            patch.setattr(repeats, "VALUES", 40)
        whole = lem_safe.count(table, regions, **options)
        groups = len(table) // size
        order = np.random.default_rng(data.draw(st.integers(0, 9))).permutation(groups) * size
        shuffled = table.iloc[(order[:, None] + np.arange(size)).ravel()]
        inner = data.draw(st.sets(st.integers(0, groups), max_size=6))
        cuts = [0, *(size * i for i in sorted(inner)), len(table)]
        counts = [
            lem_safe.count(shuffled.iloc[a:b], regions, **options)
            for a, b in zip(cuts, cuts[1:], strict=False)
        ]
        counts = [
            pickle.loads(pickle.dumps(counts[i])) for i in data.draw(st.permutations(range(len(counts))))
        ]
        middle = data.draw(st.integers(0, len(counts)))
        halves = [
            sum(half, lem_safe.count(table[:0], regions)) for half in (counts[:middle], counts[middle:])
        ]
        assert sum(counts) == whole == halves[0] + halves[1]
        assert sum(counts).report().to_json() == whole.report().to_json()


def test_a_report_of_counts_is_the_audit_without_what_depends_on_row_numbers() -> None:
    table = rows("coarse", 700, 0)
    one = lem_safe.audit(table, NUMBERS, beta=0.3, near=0.2).to_dict()
    two = lem_safe.count(table, NUMBERS, beta=0.3, near=0.2).report().to_dict()
    for report in (one, two):
        for c in report["constraints"]:
            assert {w["row"] for w in c["worst"]} == {None} or report is one
            left_out = ("worst", "inside", "diagnostic_ess", "diagnostic_interval")
            assert (c["inside"], c["diagnostic_ess"]) == (None, None) or report is one
            for name in left_out:
                c.pop(name)
    assert one == two


def test_a_report_of_counts_knows_copies_clouds_and_coupled_rows() -> None:
    x = np.random.default_rng(0).normal(size=(200, 2))
    counts = lem_safe.count(x, NUMBERS, beta=0.5)
    assert counts.report().verdict == "certified"
    assert (counts + counts).report().assumes.startswith("copies, 200 distinct rows among 400")
    clouds = rows("replica", 400, 0)
    found = lem_safe.count(clouds[:200], NUMBERS, beta=0.5) + lem_safe.count(clouds[200:], NUMBERS, beta=0.5)
    assert found.report().to_json() == lem_safe.count(clouds, NUMBERS, beta=0.5).report().to_json()
    assert (found.report().unit, found.report().units) == ("cloud", 40)
    coupled = lem_safe.count(Drawn(x, coupled=True), NUMBERS, beta=0.5)
    fresh = lem_safe.count(x + 0.1, NUMBERS, beta=0.5)
    for both in (coupled + fresh, fresh + coupled):
        assert both.report().assumes == "coupled cloud: bound not claimed"


def test_counts_of_something_else_do_not_add() -> None:
    x, table = np.zeros((10, 2)), rows("path", 40, 0)
    counts = lem_safe.count(x, NUMBERS, beta=0.3)
    for other, said in (
        (lem_safe.count(x, NUMBERS, beta=0.4), "has another scenario"),
        (lem_safe.count(x, NUMBERS, beta=0.3, near=0.1), "has another near .0.1. than the others .None."),
        (lem_safe.count(x, NUMBERS, beta=0.3, missing="drop"), "has another missing .drop."),
        (lem_safe.count(table, NUMBERS, beta=0.3), "has other units .path. than the others .sample."),
    ):
        with pytest.raises(lem_safe.BadInput, match=said):
            counts + other
    paths = [lem_safe.count(table[a:b], NUMBERS, beta=0.3) for a, b in ((0, 25), (25, 40))]
    with pytest.raises(lem_safe.BadInput, match="path 2 has rows here and in another part"):
        sum(paths)
    with pytest.raises(TypeError):
        counts + 1
    with pytest.raises(lem_safe.BadInput, match="a report needs counts that lem_safe.count has made"):
        (Counts({name: 0 for name in NUMBERS}, 3) + counts).report()


@pytest.mark.parametrize("kind", ["table", "batch"])
def test_an_arrow_table_without_rows_adds_nothing(kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    whole = pa.Table.from_pandas(rows("words", 20, 0))
    table = whole if kind == "table" else whole.to_batches()[0]
    counts = lem_safe.count(table, MANY, beta=0.3)
    assert lem_safe.count(table.slice(0, 0), MANY, beta=0.3) + counts == counts
    assert counts.inside == lem_safe.count(rows("words", 20, 0), MANY, beta=0.3).inside


def test_a_batch_without_rows_adds_nothing() -> None:
    x = rows("words", 50, 0)
    counts = lem_safe.count(x, MANY, beta=0.3)
    empty = lem_safe.count(x[:0], MANY, beta=0.3)
    assert (empty.samples, empty.inside) == (0, dict.fromkeys(MANY, 0)) and str(empty).startswith(
        "0 samples: 0 in"
    )
    assert empty + counts == counts == counts + empty and (empty + empty).samples == 0
    for of in (empty.report, empty.upper_bounds, lambda: empty.fractions):
        with pytest.raises(lem_safe.BadInput, match="no row was counted"):
            of()
    assert (
        lem_safe.count(np.empty((0, 2)), NUMBERS).samples
        == lem_safe.count(torch.empty(0, 2), NUMBERS).samples
        == 0
    )


def test_functions_are_told_apart_by_what_they_compute_with() -> None:
    x = np.array([[0.0, 0.0], [2.0, 0.0]])

    def over(t: float, scale: np.ndarray | None = None):
        return lambda z: z[:, 0] * (1.0 if scale is None else float(scale[0])) > t

    def counted(region) -> Counts:
        return lem_safe.count(x, {"r": region})

    one = counted(over(1.0))
    assert (one + counted(over(1.0))).inside == {"r": 2}
    others = (over(-1.0), over(1.0, np.ones(1)), lambda z: z[:, 0] > 1.0, lambda z, t=1.0: z[:, 0] > t)
    for other in others:
        with pytest.raises(lem_safe.BadInput, match="another object as region 'r'.*give this one object"):
            one + counted(other)
        again = counted(other)
        assert (again + counted(other)).samples == 4

    class Bound:
        def __init__(self, t: float) -> None:
            self.t = t

        def __call__(self, z):
            return z[:, 0] > self.t

    first = Bound(1.0)
    assert (counted(first) + counted(first)).samples == 4
    with pytest.raises(lem_safe.BadInput, match="another object"):
        counted(first) + counted(Bound(-1.0))


def test_counts_over_a_function_can_be_sent() -> None:
    x, regions = np.random.default_rng(0).normal(size=(50, 2)), {"r": lambda z: z[:, 0] > 1, **REGIONS}
    one = lem_safe.count(x, regions, beta=0.5)
    sent = pickle.loads(pickle.dumps(one))
    assert sent == one and sent + one == one + one
    assert sent.report().to_json() == one.report().to_json()


def test_bounds_are_those_of_the_report() -> None:
    x = np.random.default_rng(0).normal(size=(200, 2))
    clouds = rows("replica", 400, 0)
    marked = (Drawn(x, coupled=True), Drawn(x, moved=0.0), np.concatenate([x, x]))
    for batch in (x, clouds, rows("path", 400, 0).assign(x0=lambda t: t.x0 / 9), *marked):
        counts = lem_safe.count(batch, NUMBERS, beta=0.5)
        bounds = {c.set: c.upper_bound for c in counts.report().constraints}
        assert counts.upper_bounds() == bounds
        assert (None in bounds.values()) == any(batch is each for each in marked)
    by_row = upper_bound(counts.inside["ball"], counts.samples, 1 - 0.05 / 3)
    assert lem_safe.count(clouds, NUMBERS, beta=0.5).upper_bounds()["ball"] != by_row


def test_an_empty_file_adds_nothing_and_an_unknown_option_is_named(tmp_path) -> None:
    pytest.importorskip("pyarrow")
    table = rows("words", 20, 0)
    table[:0].to_parquet(tmp_path / "empty.parquet")
    table[:0].to_feather(tmp_path / "empty.feather")
    counts = lem_safe.count(table, MANY, beta=0.3)
    for name in ("empty.parquet", "empty.feather"):
        assert lem_safe.count(tmp_path / name, MANY, beta=0.3) + counts == counts
    with pytest.raises(TypeError, match=r"report\(\).*'foo'"):
        counts.report(foo=1)


def test_rows_that_are_left_out_are_counted_in_batches_of_their_own() -> None:
    table = rows("gaps", 40, 0).sort_values("x0")
    whole = lem_safe.count(table, NUMBERS, beta=0.3, missing="drop")
    gone = int(table.x0.isna().sum())
    halves = (table[: len(table) - gone], table[len(table) - gone :])
    parts = [lem_safe.count(half, NUMBERS, beta=0.3, missing="drop") for half in halves]
    assert parts[1].samples == 0 and sum(parts) == whole == parts[1] + parts[0]
