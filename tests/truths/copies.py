"""Rows that repeat, tolerances that exclude each other, samples beside their data (A.13–A.16): against counts
and closed forms.
"""

import math

import numpy as np

from lem_safe.auditor import crowding, repeats
from lem_safe.auditor.crowding import by_nature
from lem_safe.auditor.repeats import Counting
from lem_safe.data import concerns
from lem_safe.runs import feasibility, fidelity


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def counting(x: np.ndarray, size: int = 1000, unit: np.ndarray | None = None) -> Counting:
    found = Counting()
    for i in range(0, len(x), size):
        rows = np.ascontiguousarray(x[i : i + size], dtype=np.float64)
        found.add(repeats.hashed(rows), rows, None if unit is None else unit[i : i + size])
    return found


def counted(x: np.ndarray, size: int = 1000) -> repeats.Repeats:
    return counting(x, size).result()


def natural(x: np.ndarray) -> bool:
    found = counting(x)
    return by_nature(found.result(), found.few())


def different_rows_are_counted() -> None:
    """Exact below KEPT, whatever the cuts; beyond, within 5 standard errors 1/√KEPT of the truth (A.13)."""
    x = draws().normal(size=(900, 2))[draws(1).integers(0, 900, 3000)]
    for size in (7, 1000, 3000):
        found = counted(x, size)
        assert (found.distinct, found.exact) == (len(np.unique(x, axis=0)), True)
        assert found.commonest == np.unique(x, axis=0, return_counts=True)[1].max()
    many = counted(np.arange(200_000.0)[:, None] * math.pi, 50_000)
    assert not many.exact and abs(many.distinct / 200_000 - 1) < 5 / math.sqrt(repeats.KEPT)
    assert counted(np.array([[0.0], [-0.0]])).distinct == 1


def copies_are_told_from_coarse_values() -> None:
    """Twice the same rows at full resolution are copies; as many repetitions of rounded, whole or float32
    values are draws (A.14).
    """
    z = draws(2).normal(size=(2000, 2))
    assert natural(z) and not natural(np.tile(z, (2, 1)))
    assert not natural(np.tile(z.astype(np.float32), (2, 1)))
    assert not natural(z[draws(3).integers(0, 2000, 2000)])
    assert (
        natural(z.round(2)[:, :1])
        and natural(z.round(1))
        and not natural(np.concatenate([z, z[:1500]]).round(3))
    )
    assert natural((1e6 + z).astype(np.float32)) and natural(draws(4).poisson(3.0, (2000, 2)))
    assert natural(np.array([float(f"{v:.3g}") for v in z[:, 0]])[:, None])
    assert natural(np.where(draws(5).random((2000, 1)) < 0.6, 0.0, z[:, :1]))  # a mass at 0
    z = draws(13).normal(
        size=(10_000, 3)
    )  # many values of these are 2 % of the rows or more, and none is a cell of its own
    assert (
        natural(z.round(1))
        and natural(draws(14).integers(0, 3, (3000, 4)) / 2)
        and not natural(np.tile(z[:5000].round(2), (2, 1)))
    )
    assert not natural(np.full((400, 3), [0.25, 0.25, 0.5])) and natural(np.zeros((400, 1)))


def whole_copies_are_found() -> None:
    """Rows, clouds and counts that are there k times over are copies, however coarse; draws have no common
    factor (A.17).
    """
    z = draws(15).normal(size=(500, 2))
    for x in (z.round(1)[:, :1], z.round(2), draws(16).integers(0, 30, (500, 2)), z.astype(np.float16)):
        assert natural(x) and counted(x).times == 1
        for k in (2, 3, 10):
            assert counted(np.tile(x, (k, 1))).times == k and not natural(np.tile(x, (k, 1)))
    counts = draws(17).poisson(3.0, (40, 10, 2)).astype(float)
    for clouds, times in ((counts, 1), (np.concatenate([counts, counts]), 2)):
        many = counting(clouds.reshape(-1, 2), 150, np.repeat(np.arange(len(clouds)), 10))
        found = many.result()
        assert found.times == times
        assert crowding.units_by_nature(found, many.few(), "cloud") == (times == 1)


def any_grid_is_a_resolution() -> None:
    """Draws on a grid that is not decimal repeat by nature: quarters, thirds, ticks of .05, days in seconds,
    inches in cm (A.14); copies of rows finer than it do not.
    """
    z = draws(18).normal(size=(3000, 2))
    steps = ((z, 0.25), (z, 1 / 3), (z, 0.2), (50 + 10 * z[:, :1], 0.05), (100 * z[:, :1], 2.54 / 4))
    for x, step in steps:
        assert natural(np.round(x / step) * step), step
        assert natural((np.round(x / step) * step).astype(np.float32)), step
    assert natural(1.7e9 + 86400.0 * draws(19).integers(0, 30, (3000, 1)))
    for few in (2, 3, 5, 40, 1000):
        assert not natural(z[draws(20).integers(0, few, 3000)])
        assert not natural(z.astype(np.float32)[draws(21).integers(0, few, 3000)])
    assert not natural((np.round(1e6 * z) * 2.54)[draws(22).integers(0, 1000, 3000)])


def resolution_explains_so_many_pairs() -> None:
    """Draws of N(0, 1) on a grid of step s: P is near n²/2 ∫ρ² s = n² s/(4√π) (A.14)."""
    n, s = 5000, 1e-4
    x = draws(6).normal(size=(n, 1)).round(4)
    found = counting(x)
    expected = n**2 * s / (4 * math.sqrt(math.pi))
    P = crowding._expected(found.result(), found.few(), crowding._columns(found.few()))
    assert abs(P / expected - 1) < 0.15


def a_sample_of_rows_explains_as_much() -> None:
    """Of more distinct rows than are kept, the kept ones find the pairs of all, each by the probability u²
    that it is kept (A.14): n² s/(4√π) for N(0, 1) on a grid of step s, also where cells must be made coarser;
    copies of such rows are found.
    """
    n = 250_000
    for s, d in ((1e-6, 1), (1e-10, 1), (2e-3, 2)):
        x = np.round(draws(23).normal(size=(n, d)) / s) * s
        many = counting(x, 50_000)
        found, few = many.result(), many.few()
        assert not found.exact and few.share < 0.5
        P = crowding._expected(found, few, crowding._columns(few))
        expected = n**2 / 2 * (s / (2 * math.sqrt(math.pi))) ** d
        assert abs(P / expected - 1) < 0.3
    assert natural(np.round(draws(24).normal(size=(200_000, 1)) / 2e-6) * 2e-6)
    assert not natural(draws(25).normal(size=(150_000, 2))[draws(26).integers(0, 150_000, 200_000)])


def parts_of_rows_add() -> None:
    """What is kept of some rows and what is kept of others is, put together, what is kept of all: the
    smallest hashes of both are among the smallest of each (A.21). Against all rows sorted, however they are
    shared out.
    """
    x = draws(27).integers(0, 90_000, (200_000, 1)).astype(float)
    hashes, counts = np.unique(repeats.hashed(x), return_counts=True)
    units = np.arange(len(x)) % 7
    for cuts in ([100_000], [1, 30_000, 199_000]):
        pairs = zip(np.split(x, cuts), np.split(units, cuts), strict=True)
        parts = [counting(rows, 50_000, unit) for rows, unit in pairs]
        whole = parts[-1]
        for part in parts[:-1]:
            whole = whole.plus(part)
        held = whole._rows.held
        assert np.array_equal(held.hashes, hashes[: repeats.KEPT]) and not whole.result().exact
        assert np.array_equal(held.counts, counts[: repeats.KEPT])
        assert np.array_equal(repeats.hashed(held.values), held.hashes)
        sums = [int(repeats.hashed(x[units == k]).sum(dtype=np.uint64)) for k in range(7)]
        assert whole._units.sums[:, 0].tolist() == sums and whole.units.tolist() == list(range(7))


def common_values_are_cells_of_their_own() -> None:
    """Rows that share a zero, a limit or a category repeat as their other columns do; copies of such rows are
    copies all the same (A.14).
    """
    for n in (400, 2000):
        fare, tip = draws(7).gamma(2.0, 6.0, n).round(2), draws(8).gamma(2.0, 1.0, n).round(2)
        kind = draws(9).integers(0, 3, n).astype(float)
        zeros, capped = draws(10).random(n) < 0.4, np.minimum(fare, 20.0)
        assert natural(np.stack([capped, kind], 1))
        for x in ([fare, np.where(zeros, 0.0, tip)], [fare, kind, np.where(zeros, 0.0, tip)]):
            rows = np.stack(x, 1)
            assert natural(rows) and not natural(np.tile(rows, (2, 1)))
        fine = np.stack([draws(11).normal(size=n), np.where(zeros, 0.0, tip)], 1)
        assert natural(fine) and not natural(fine[draws(12).integers(0, n, n)])


def tolerances_may_exclude_each_other() -> None:
    """Every point in one of two regions: (1 − β₁ − β₂)/2 too much; all in both: 1 − least β; a pattern
    outside: nothing (A.15).
    """
    either, both = np.array([[True, False], [False, True]]), np.array([[True, True]])
    for β in ([0.1, 0.1], [0.4, 0.2]):
        assert abs(feasibility.least_excess(either, np.array(β)) - (1 - sum(β)) / 2) < 1e-9
        assert abs(feasibility.least_excess(both, np.array(β)) - (1 - min(β))) < 1e-9
    assert feasibility.least_excess(either, np.array([0.5, 0.5])) < 1e-9
    assert feasibility.least_excess(np.array([[True, True], [False, False]]), np.array([0.1, 0.1])) <= 0


def samples_are_held_beside_their_data() -> None:
    """The numbers of A.16 by hand; none is bad for two draws of one distribution, coarse or not, each is for
    its own fault.
    """
    found = fidelity.fidelity(
        np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[-1.0], [0.4], [0.6], [5.0]]), ["a"]
    ).columns[0]
    assert (found.outside, found.distance, found.below) == (0.5, 0.25, 0.25)
    assert abs(found.spread - np.std([-1, 0.4, 0.6, 5]) / np.std([0, 1, 2, 3])) < 1e-12
    a, b = draws(7).normal(size=(2, 800, 3))
    for rows, x in ((a, b), (a.round(), b), (np.exp(a), np.exp(b))):
        assert fidelity.fidelity(rows, x, ["a", "b", "c"]).warnings() == []
    for x, column in (
        (b * [1, 1, 1.8], "c"),
        (b + [0, 0.7, 0], "b"),
        (np.column_stack([b[:, :2], b[:, 1]]), "'b' and 'c'"),
    ):
        said = " ".join(fidelity.fidelity(a, x, ["a", "b", "c"]).warnings())
        assert column in said and "'a'" not in said


def codes_are_found() -> None:
    """A value that rows share, far outside the others, at either end and of several kinds; no heavy tail and
    no count is one.
    """
    z = draws(8).normal(20.0, 3.0, 500)
    for value in (-9999.0, 1e20, -99.0):
        (code,) = concerns.codes("t", np.where(np.arange(500) < 15, value, z))
        assert (code.value, code.rows) == (value, 15) and code.distance > 10
    both = concerns.codes("t", np.concatenate([z, np.full(10, -999.0), np.full(10, 9999.0)]))
    assert {c.value for c in both} == {-999.0, 9999.0}
    (most,) = concerns.codes("t", np.where(np.arange(500) < 400, -9999.0, z))
    assert (most.value, most.rows) == (-9999.0, 400)
    beside = [z, np.full(10, -9999.0), np.full(10, -9999.9), [-20000.0, 40000.0]]
    assert {c.value for c in concerns.codes("t", np.concatenate(beside))} == {-9999.0, -9999.9}
    alone = concerns.codes("t", np.append(z, 99999.0))
    assert [(c.value, c.rows, c.low, c.high) for c in alone] == [(99999.0, 1, z.min(), z.max())]
    for plain in (
        z,
        np.append(z, 12345.0),
        np.append(z, 39.0),
        np.repeat([0.0, 1.0, 1000.0, 1001.0], 125),
        np.exp(z),
        draws(9).poisson(0.3, 500).astype(float),
        np.repeat([0.0, 1.0], [480, 20]),
        draws(9).standard_cauchy(500),
    ):
        assert concerns.codes("t", plain) == []
