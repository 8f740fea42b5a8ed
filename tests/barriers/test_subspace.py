"""Sampler coordinates of an affine subspace (E.26)."""

import pytest
import torch

from barriers.coordinates import Coordinates, identity
from barriers.sets import Ball
from barriers.sets.pull import pull
from barriers.subspace import Subspace, restricted


def coordinates(d: int, seed: int = 0) -> Coordinates:
    g = torch.Generator().manual_seed(seed)
    draw = torch.randn(d, d, generator=g, dtype=torch.float64)
    return Coordinates(torch.randn(d, generator=g, dtype=torch.float64), draw + 3 * torch.eye(d))


@pytest.mark.parametrize("values", [{0: 0.3}, {1: -2.0, 3: 1e-8}, {0: 1.0, 1: 2.0, 2: 3.0}])
@pytest.mark.parametrize("base", [coordinates(4), identity(4)], ids=["whitened", "identity"])
def test_points_have_the_values_and_come_back(base, values):
    found = restricted(base, values)
    y = torch.randn(50, 4 - len(values), dtype=torch.float64)
    x = found.coordinates(y)
    for j, value in values.items():
        assert bool((x[:, j] == value).all())
        assert bool((found.coordinates.saved(y.float())[:, j] == torch.tensor(value).float()).all())
    assert torch.allclose(found.coordinates.inverse(x), y, atol=1e-10)
    assert torch.allclose(base(found.origin + y @ found.directions.T), x, atol=1e-10)
    N = found.directions
    assert torch.allclose(N.T @ N, torch.eye(N.shape[1], dtype=torch.float64), atol=1e-12)


def test_restrictions_follow_each_other():
    base = coordinates(5)
    once = restricted(base, {0: 0.2, 4: -1.0}).coordinates
    twice = restricted(restricted(base, {0: 0.2}).coordinates, {4: -1.0}).coordinates
    x = once(torch.randn(20, 3, dtype=torch.float64))
    assert torch.allclose(twice(twice.inverse(x)), x, atol=1e-10)
    assert twice.fixed == {0: 0.2, 4: -1.0}


def test_the_center_is_the_conditional_mean_of_a_standard_normal():
    base = coordinates(3)
    mean, covariance = base.offset, base.matrix @ base.matrix.T
    found = restricted(base, {1: 2.5}).coordinates
    x = found(torch.zeros(1, 2, dtype=torch.float64))[0]
    others = mean[[0, 2]] + covariance[[0, 2], 1] / covariance[1, 1] * (2.5 - mean[1])
    assert torch.allclose(x[[0, 2]], others, atol=1e-10)
    spread = found.matrix @ found.matrix.T
    known = covariance - torch.outer(covariance[:, 1], covariance[1]) / covariance[1, 1]
    assert torch.allclose(spread, known, atol=1e-10)


def test_rows_are_anchored_with_their_values():
    base = coordinates(3)
    found = restricted(base, {0: 0.1}).coordinates
    rows = found.nearest(torch.randn(40, 3, dtype=torch.float64))
    anchored = found.anchored(rows, torch.float32)
    assert anchored.anchors is not None
    assert torch.equal(anchored.saved(anchored.anchors.points), rows.float())


def test_a_region_over_the_subspace_has_the_members_of_the_values_as_saved():
    found = restricted(coordinates(3), {2: 0.4}).coordinates
    region = Ball([0.0, 0.0, 0.4], 1.5)
    y = torch.randn(500, 2)
    assert torch.equal(pull(region, found).contains(y), region.contains(found.saved(y).double()))
    assert 0 < int(pull(region, found).contains(y).sum()) < 500


def test_what_cannot_be_given():
    with pytest.raises(ValueError, match="leave nothing to sample of 3 dimensions"):
        restricted(coordinates(3), {0: 1.0, 1: 1.0, 2: 1.0})
    flat = Subspace(torch.zeros(3), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    twins = Subspace(torch.zeros(4), torch.cat([torch.eye(3), torch.eye(3)[:1]]))
    with pytest.raises(ValueError, match="determine each other"):
        restricted(twins, {0: 1.0, 3: 1.0})
    still = Subspace(torch.tensor([0.0, 0.0, 5.0]), torch.eye(3)[:, :2])
    with pytest.raises(ValueError, match="column 3 is 5 in every row"):
        restricted(still, {2: 4.0})
    assert restricted(still, {2: 5.0, 0: 1.0}).coordinates.dimension == 1
    assert restricted(flat, {0: 1.0}).coordinates.dimension == 1
    with pytest.raises(ValueError, match="independent"):
        Subspace(torch.zeros(3), torch.ones(3, 2))
