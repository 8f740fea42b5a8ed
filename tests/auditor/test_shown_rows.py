"""The rows that a page shows: a random choice that no order in the file can lead astray."""

import numpy as np
import pytest
from audited import chosen_rows, scenario

from lem_safe.auditor import audit
from lem_safe.auditor.opening import open_samples
from lem_safe.auditor.shown import Shown, shown

ASKED = scenario([("pillar", 0.5)])


def rows_shown(x: np.ndarray, most: int) -> np.ndarray:
    return shown(open_samples(x), ASKED, audit(x, ASKED), most)


@pytest.mark.parametrize("period", [2, 5, 10, 40, 200])
def test_a_file_that_repeats_itself_is_shown_whole(period: int) -> None:
    row = np.arange(20_000)
    found = rows_shown(np.stack([np.cos(2 * np.pi * (row % period) / period), row], 1), 2000)
    counts = np.bincount(found[:, 1].astype(int) % period, minlength=period)
    assert len(found) == 2000 and np.abs(counts - 2000 / period).max() < 5 * np.sqrt(2000 / period)


def test_every_row_is_as_likely_and_the_choice_is_the_same_however_it_is_cut() -> None:
    x = np.arange(100_000.0)[:, None]
    found = []
    for cuts in ([], [777, 1554, 60_000], [50_000]):
        parts = [Shown(5000) for _ in range(len(cuts) + 1)]
        for part, rows in zip(parts, np.split(x, cuts), strict=True):
            for block in np.array_split(rows, 3):
                part.add(block, int(block[0, 0]))
        whole = parts[-1]
        for part in parts[:-1]:
            whole = whole.plus(part)
        found.append(whole.rows()[:, 0].astype(int))
    assert all((rows == chosen_rows(100_000, 5000)).all() for rows in found)
    counts = np.histogram(found[0], 50, (0, 100_000))[0]
    assert ((counts - 100) ** 2 / 100).sum() < 49 + 5 * np.sqrt(98)


def test_few_rows_are_all_shown_in_file_order_and_many_in_blocks() -> None:
    x = np.random.default_rng(0).normal(size=(70_000, 2))
    assert (rows_shown(x[:300], 300) == x[:300]).all()
    assert (rows_shown(x, 1000) == x[chosen_rows(70_000, 1000)]).all()
