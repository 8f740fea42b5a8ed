"""Scores and how well they tell rows apart: closed forms, brute force, and what must fail."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from lem_safe.energies import Gaussian, GaussianMixture, Quadratic
from lem_safe.ood.auroc import auroc, detect, roc
from lem_safe.ood.scores import scores, usual_step


def brute(inside, outside):
    """AUROC, typed from its definition."""
    return np.mean([(o > i) + 0.5 * (o == i) for i in inside for o in outside])


@pytest.mark.parametrize("seed", range(5))
def test_auroc_equals_a_brute_force_count_with_ties(seed):
    draw = np.random.default_rng(seed)
    inside, outside = draw.integers(0, 9, 40).astype(float), draw.integers(3, 12, 55).astype(float)
    assert auroc(inside, outside) == pytest.approx(brute(inside, outside), abs=1e-14)
    assert auroc(outside, inside) == pytest.approx(1 - auroc(inside, outside), abs=1e-14), (
        "the orientation is not turned round"
    )


def test_auroc_of_two_normals_is_its_closed_form():
    draw = np.random.default_rng(0)
    inside, outside = draw.standard_normal(20_000), 1 + draw.standard_normal(20_000)
    found = detect(inside, outside, repetitions=200)
    exact = norm.cdf(1 / np.sqrt(2))
    assert abs(found.auroc - exact) < 4 * 0.0025
    assert found.low < found.auroc < found.high and 0.005 < found.high - found.low < 0.02
    assert abs(found.fpr95 - norm.sf(norm.isf(0.95, loc=1))) < 0.02


def test_an_auroc_below_a_half_is_reported_as_it_is():
    draw = np.random.default_rng(1)
    found = detect(1 + draw.standard_normal(500), draw.standard_normal(500), repetitions=50)
    assert found.auroc < 0.3 and found.high < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_and_both_areas_equal_scikit_learns(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(seed)
    inside, outside = draw.integers(0, 30, 300).astype(float), draw.integers(5, 35, 200).astype(float)
    labels, all_scores = np.r_[np.zeros(300), np.ones(200)], np.r_[inside, outside]
    found = detect(inside, outside, repetitions=2)
    assert found.auroc == pytest.approx(metrics.roc_auc_score(labels, all_scores), abs=1e-12)
    assert found.aupr == pytest.approx(metrics.average_precision_score(labels, all_scores), abs=1e-12)
    curve = roc(inside, outside)
    false, true, _ = metrics.roc_curve(labels, all_scores, drop_intermediate=False)
    assert np.allclose(curve.false_positive, false) and np.allclose(curve.true_positive, true)
    assert found.fpr95 == pytest.approx(false[true >= 0.95].min())


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    draw = np.random.default_rng(3)
    exact = norm.cdf(0.8 / np.sqrt(2))
    held = 0
    for repetition in range(200):
        found = detect(
            draw.standard_normal(80), 0.8 + draw.standard_normal(80), seed=repetition, repetitions=200
        )
        held += found.low <= exact <= found.high
    assert held >= 190 - 4 * np.sqrt(200 * 0.95 * 0.05) and held <= 199


@pytest.mark.parametrize(
    ("inside", "outside", "word"),
    [([], [1.0], "inside"), ([1.0], [], "outside"), ([1.0, np.nan], [1.0], "NaN")],
)
def test_nothing_to_compare_is_an_error_in_words(inside, outside, word):
    with pytest.raises(ValueError, match=word):
        detect(np.array(inside), np.array(outside))


@pytest.mark.parametrize(("n", "q"), [(9, 50), (50, 9), (2, 2)])
def test_few_rows_have_no_interval(n, q):
    draw = np.random.default_rng(0)
    found = detect(draw.standard_normal(n), 1 + draw.standard_normal(q))
    assert found.low is None and found.high is None and 0 <= found.auroc <= 1
    assert detect(draw.standard_normal(10), 1 + draw.standard_normal(10)).low is not None


def test_a_row_too_far_out_for_a_number_is_as_strange_as_can_be():
    """∞ − ∞ in the mixture's energy is no number; the row is infinitely strange, the others are what they
    were.
    """
    energy = GaussianMixture([[1.0, 0.0], [-1.0, 0.0]], 0.5)
    x = torch.tensor([[1e200, 0.0], [0.4, 0.1], [-0.3, 1.2]], dtype=torch.float64).float()
    assert energy.value_and_gradient(x)[1][0].isnan().any()
    found, usual = scores(energy, x, 0.01, 3), scores(energy, x[1:], 0.01, 3)
    for name in ("energy", "gradient", "displacement"):
        assert float(getattr(found, name)[0]) == float("inf")
        assert torch.equal(getattr(found, name)[1:], getattr(usual, name))
    assert auroc(usual.energy.numpy(), found.energy.numpy()) == brute(
        usual.energy.numpy(), found.energy.numpy()
    )


@pytest.mark.parametrize("x", [torch.ones(1, 2), torch.ones(5, 2)])
def test_rows_without_spread_suggest_no_step(x, recwarn):
    with pytest.raises(ValueError, match="suggest no step"):
        usual_step(Gaussian(mean=[0.0, 0.0], std=1.0), x)
    assert not len(recwarn)


def test_scores_of_a_gaussian_are_their_closed_forms():
    energy, h, k = Gaussian(mean=[0.0, 0.0, 0.0], std=2.0), 0.1, 7
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = scores(energy, x, h, k)
    r = x.norm(dim=1)
    assert torch.allclose(found.energy - found.energy[0], (r**2 - r[0] ** 2) / 8, atol=1e-12)
    assert torch.allclose(found.gradient, r / 4, atol=1e-12)
    assert torch.allclose(found.displacement, r * (1 - (1 - h / 4) ** k), atol=1e-12), (
        "Euler's contraction, k times"
    )


def test_a_flow_that_leaves_the_numbers_is_as_strange_as_can_be():
    steep = Quadratic(center=[0.0], stiffness=[[1e30]])
    assert scores(steep, torch.ones(2, 1), 1.0, 50).displacement.isinf().all()


def test_the_usual_step_moves_the_median_row_a_tenth_of_the_spread():
    energy = Gaussian(mean=[0.0, 0.0], std=1.0)
    x = torch.randn(4000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    h = usual_step(energy, x, 10)
    moved = scores(energy, x, h, 10).displacement.median()
    assert 0.08 * 2**0.5 < moved < 0.11 * 2**0.5
