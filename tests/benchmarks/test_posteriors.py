"""The comparison of samples with weighted draws: its standard errors, and that it finds a constraint that is
ignored.
"""

import numpy as np
import pytest

from benchmarks.posteriors import in_shares, section, weighted, z_scores

RNG = np.random.default_rng(1)


def test_weights_give_the_mean_of_the_projection_and_its_error() -> None:
    """N(0, 1) with e^{−μ} above 1, whose mean is known; errors by repetition."""
    found, squares = [], []
    for _ in range(400):
        x = RNG.normal(size=(500, 1))
        e = weighted(x, np.where(x[:, 0] > 1, 0.2, 1.0))
        found.append(e.mean[0])
        squares.append(e.square[0])
    φ, p = np.exp(-0.5) / np.sqrt(2 * np.pi), 0.15865525393
    exact = (0.2 * φ - φ) / (0.2 * p + 1 - p)
    assert abs(np.mean(found) - exact) < 4 * np.std(found) / 20 + 1e-3
    assert np.var(found) == pytest.approx(np.mean(squares), rel=4 * np.sqrt(2 / 400))


def test_shares_that_are_fixed_have_the_error_of_each_side() -> None:
    found, squares = [], []
    for _ in range(400):
        x = np.concatenate([RNG.normal(3, 1, (20, 1)), RNG.normal(0, 1, (180, 1))])
        e = in_shares(x, np.arange(200) < 20, 0.1)
        found.append(e.mean[0])
        squares.append(e.square[0])
    assert abs(np.mean(found) - 0.3) < 4 * np.std(found) / 20
    assert np.var(found) == pytest.approx(np.mean(squares), rel=4 * np.sqrt(2 / 400))


def test_a_constraint_that_is_ignored_is_found() -> None:
    draws, ours = RNG.normal(size=(2, 10_000, 1))
    kept = ours[(ours[:, 0] < 1) | (RNG.random(10_000) < 0.2)]
    weights = np.where(draws[:, 0] > 1, 0.2, 1.0)
    even = np.ones(10_000)
    assert abs(z_scores(weighted(kept, np.ones(len(kept))), weighted(draws, weights))[0]) < 4
    assert abs(z_scores(weighted(ours, even), weighted(draws, weights))[0]) > 8
    assert abs(z_scores(weighted(kept, np.ones(len(kept))), weighted(draws, even))[0]) > 8


def test_the_page_names_the_largest_difference_of_what_is_exact() -> None:
    row = {
        "posterior": "kidiq-kidscore_momiq",
        "region": "β₂ < .5",
        "filter": "gate",
        "beta": 0.01,
        "free": 0.0329,
        "inside": 0.01,
        "samples": 10_000,
        "largest_z": 1.26,
        "of": "sigma",
        "z_unweighted": 3.44,
        "steps": 300,
        "seconds": 12.4,
    }
    lines = section([row, row | {"filter": "primal_dual", "largest_z": 9.0}])
    assert "it is 1.3 at most" in lines[0]
    assert (
        "| kidiq: β₂ < .5 | gate | 1 % | 3.29 % | 1.00 % | 10,000 | 1.3 (sigma) | 3.4 | 300 | 12 |" in lines
    )
