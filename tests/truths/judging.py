"""The judge of samples (J.1–J.7): distances, associations, the two-sample test, copies and the noise floor,
against closed forms and what chance makes of them.
"""

import numpy as np
from judged import mixed, table

from lem_safe.judging import splits, two_sample
from lem_safe.judging.associations import associations as matrix
from lem_safe.judging.closest import copies, metric_of, shares_nearer
from lem_safe.judging.marginals import distances, outside_by_chance


def distances_of_columns_are_their_formulas() -> None:
    """KS of coins with chances 1/2 and 3/4, all ties, is 1/4; TV of (1/2, 1/2, 0) and (1/4, 1/2, 1/4) too."""
    a = table([0, 0, 1, 1.0], [0, 0, 1, 1], levels={1: 3})
    b = table([0, 1, 1, 1.0], [0, 1, 1, 2], levels={1: 3})
    assert np.allclose(distances(a, b), 0.25), distances(a, b)


def independent_categories_do_not_go_together() -> None:
    """The mean of V² of independent columns of 30 levels; without the correction it is about 29/400."""
    rng = np.random.default_rng(0)
    columns = [table(*rng.integers(0, 30, (2, 400)), levels={0: 30, 1: 30}) for _ in range(100)]
    assert np.mean([matrix(t)[0, 1] ** 2 for t in columns]) < 0.01


def by_memory(rows, classes, others, seed):
    """A classifier that knows the rows it has seen by heart, and nothing else."""
    seen = {row.tobytes(): c for row, c in zip(rows.values, classes, strict=True)}
    known = np.array([seen.get(row.tobytes(), 0.5) for row in others.values], dtype=np.float64)
    return np.stack([1 - known, known], 1)


def a_classifier_that_knows_rows_by_heart_tells_nothing() -> None:
    rng = np.random.default_rng(1)
    a, b = (table(rng.normal(size=100)) for _ in range(2))
    found = two_sample.two_sample(a, b, by_memory, 0)
    assert found == (0.5, 1.0), found


def copies_are_equal_in_every_cell() -> None:
    x = np.random.default_rng(2).normal(size=(2, 50))
    real, near = table(*x), table(x[0], x[1] * (1 + 1e-12))
    assert (copies(real, real), copies(near, real)) == (50, 0)


def chance_makes_one_half() -> None:
    """Samples from neither of two tables, and ones that are equally near to both."""
    same = table(np.zeros(20))
    share, _ = shares_nearer(same, same, same, metric_of(same), np.random.default_rng(0))
    a, b, new = (mixed(400, k) for k in range(3))
    fair, chance = shares_nearer(new, a, b, metric_of(a), np.random.default_rng(0))
    assert share == 0.5 and abs(fair - 0.5) < 4 * max(chance.std(), 0.025), (share, fair)


def the_floor_is_of_other_rows() -> None:
    """A table of different numbers: no row of the second part is in the first."""
    real = table(np.arange(100))
    for part in splits.splits(real, real, 5, 40, np.random.default_rng(3)):
        assert copies(part.other, part.real) == 0


def as_much_is_outside_as_of_independent_rows() -> None:
    real, samples = table(np.arange(99)), table(np.arange(10_000))
    found = outside_by_chance(real, samples, 4000, np.random.default_rng(4))[:, 0]
    assert abs(found.mean() - 2 / 100) < 4 * found.std() / np.sqrt(4000), found.mean()
