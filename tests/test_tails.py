"""A penalty that leaves nothing to sample is refused, with the numbers and the way out (C.4)."""

import re

import pytest
import torch

from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.faults import BadInput
from lem_safe.tails import check_tails

A = GaussianMixture([[3, 3], [3, -3], [-3, 3], [-3, -3]], 0.3)
B = GaussianMixture([[0, 4], [0, -4], [4, 0], [-4, 0]], 0.3)
LIKE = torch.zeros(2, dtype=torch.float64)


@pytest.mark.parametrize("weight", [0.0, 0.35, 0.5, 0.99, -2.0])
def test_equal_widths_are_integrable_below_one(weight: float) -> None:
    check_tails(B, [(weight, A)], LIKE)


@pytest.mark.parametrize("weight", [1.01, 1.5, 40.0])
def test_and_refused_above_with_the_largest_admissible_weight(weight: float) -> None:
    with pytest.raises(BadInput, match="cannot be normalised") as caught:
        check_tails(B, [(weight, A)], LIKE)
    largest = float(re.findall(r"less than ([\d.e+-]+)", str(caught.value))[0]) * weight
    assert largest == pytest.approx(1.0, abs=0.01)


def test_a_narrow_penalty_loses_in_one_direction_only_and_is_found() -> None:
    wide = GaussianMixture([[0.0, 0.0]], [3.0, 0.2])
    with pytest.raises(BadInput, match=r"along \(-?1.00, "):
        check_tails(wide, [(0.5, GaussianMixture([[0.0, 0.0]], 1.0))], LIKE)
