"""One constraint within a speed bound: what `project` finds, in a few operations."""

import numpy as np
import pytest
import torch

from barriers.qp import Infeasible, project
from barriers.qp.one_row import nearest
from lem_safe.keys import Key


def posed(size: int, scale: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """40 rows, some coordinates 0, with excesses up to `reach` times what the bound .5 allows."""
    key = Key(size)
    a, wide, share = (key.fold(name).normal(torch.empty(40, size, dtype=torch.float64)) for name in "awe")
    a = torch.where(share > 0.5, 0.0, a * wide.exp() * scale)
    a[:, 0] = scale
    e = reach * 0.5 * a.abs().sum(1) * (torch.arange(40) + 0.5) / 40
    return a.numpy(), e[:, None].numpy()


@pytest.mark.parametrize("size", [1, 2, 40, 500])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_it_is_what_the_general_solver_finds(size: int, scale: float) -> None:
    row, excess = posed(size, scale, 1.3)
    found = nearest(row, excess, 0.5, "relax")
    a, e = torch.from_numpy(row), torch.from_numpy(excess)
    v = Key(2).normal(torch.empty_like(a))
    p = project(v, a[:, None], (a * v).sum(1, keepdim=True) - e, speed=0.5)
    assert np.abs((p.u - v).numpy() - found.change).max() < 1e-11
    assert np.allclose(found.multipliers, p.multipliers, rtol=1e-10)
    assert np.allclose(found.shortfall, p.shortfall, rtol=1e-9, atol=1e-11 * scale)
    assert 5 < (found.shortfall > 0).sum() < 20


@pytest.mark.parametrize("reach", [0.9, 1.3])
def test_each_is_what_it_is_alone(reach: float) -> None:
    row, excess = posed(40, 1.0, reach)
    together = nearest(row, excess, 0.5, "relax")
    for k in range(40):
        alone = nearest(row[k : k + 1], excess[k : k + 1], 0.5, "relax")
        assert all(np.array_equal(a[k : k + 1], b) for a, b in zip(together, alone, strict=True))


def test_by_hand() -> None:
    """2δ₁ + δ₂ ≤ −2: with the bound .7 δ₁ is clipped, and δ₂ carries .6 (as in test_speed)."""
    found = nearest(np.array([[2.0, 1.0]]), np.array([[2.0]]), 0.7, "raise")
    assert found.change[0].tolist() == pytest.approx([-0.7, -0.6], abs=1e-14)
    assert float(found.multipliers[0, 0]) == pytest.approx(0.6, abs=1e-14)
    assert float(nearest(np.array([[2.0, 1.0]]), np.array([[2.0]]), 0.6, "relax").shortfall[0, 0]) == (
        pytest.approx(0.2, abs=1e-12)
    )


def test_what_cannot_be_is_said() -> None:
    row, excess = posed(40, 1.0, 1.3)
    with pytest.raises(Infeasible, match="within the speed bound satisfies the constraint of problem 3"):
        nearest(row, excess, 0.5, "raise")
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="must be finite"):
            nearest(np.where(row == row[3, 0], bad, row), excess, 0.5, "relax")
        with pytest.raises(ValueError, match="must be finite"):
            nearest(row, excess + bad, 0.5, "relax")


def test_planted_fault_clipped_coordinates_that_count_as_free() -> None:
    """The solution without the bound, clipped: it does not meet the constraint."""
    row, excess = posed(40, 1.0, 0.9)
    free = -np.clip(row * excess / (row * row).sum(1, keepdims=True), -0.5, 0.5)
    kept = nearest(row, excess, 0.5, "relax")
    assert (np.abs(excess + (row * kept.change).sum(1, keepdims=True)) < 1e-9).all()
    assert (excess + (row * free).sum(1, keepdims=True) > 0.01).any()
