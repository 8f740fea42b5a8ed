"""What stands beside the designs: the penalty is 0 where the independent formulas hold, its chain keeps the
distribution, and designs that are moved hold until they are rounded.
"""

import numpy as np
import pytest
import torch

pytest.importorskip("benchmarks")
from benchmarks.gallery import designs, pressure_vessel, welded_beam
from benchmarks.gallery.data import FOLDER
from lem_safe.energies import Gaussian
from lem_safe.registry import load, regions

pytestmark = pytest.mark.simulation
MODULES = pytest.mark.parametrize("module", [welded_beam, pressure_vessel])


def rows(name: str) -> np.ndarray:
    return np.loadtxt(FOLDER / f"{name}s.csv", delimiter=",", skiprows=1)


@MODULES
def test_the_known_designs_hold_and_the_rules_are_the_formulas(module) -> None:
    known, rng = rows(module.NAME), np.random.default_rng(0)
    assert not designs.invalid(module.margins(known)).any()
    x = known[rng.integers(len(known), size=4000)] * rng.uniform(0.7, 1.3, size=(4000, 4))
    if module is pressure_vessel:
        x = np.round(x / module.STEPS) * module.STEPS
        x[:, 3] = np.minimum(x[:, 3], 240)
    scenario = load(module.NAME)
    region = regions(scenario.unsafe, scenario.columns, scenario.derived)["broken"]
    found = region.contains(torch.from_numpy(x)).numpy()
    bad = designs.invalid(module.margins(x))
    assert (found == bad).all() and 0.1 < bad.mean() < 0.9


def test_the_penalty_is_zero_exactly_where_designs_hold() -> None:
    known = rows("welded_beam")
    x = np.concatenate([known, known * np.random.default_rng(0).uniform(0.6, 1.4, size=known.shape)])
    bad = designs.invalid(welded_beam.margins(x))
    assert ((welded_beam.excess(torch.from_numpy(x)).numpy() > 0) == bad).all() and bad.any()


def test_without_a_weight_the_chain_keeps_the_distribution() -> None:
    energy = Gaussian([5.0, 5.0, 5.0, 5.0], 0.5)
    start = 5 + 0.5 * np.random.default_rng(0).normal(size=(2000, 4))
    x = welded_beam.penalty(energy, start, 0.0, steps=60)
    assert abs(x.mean(0) - 5).max() < 4 * 0.5 / 2000**0.5 and not np.allclose(x, start)
    assert abs(x.std(0) / 0.5 - 1).max() < 4 * (1 / 4000) ** 0.5
    assert abs(np.corrcoef(x[:, 0], start[:, 0])[0, 1]) < 4 / 2000**0.5 + 0.05


def test_moved_designs_are_at_a_limit_and_the_others_stay() -> None:
    known = rows("pressure_vessel")
    x = known[:30] * [0.8, 1, 1, 1]
    bad = designs.invalid(pressure_vessel.margins(x))
    moved = pressure_vessel.nearest(x, known.std(0))
    assert bad.any() and (moved[~bad] == x[~bad]).all()
    worst = (pressure_vessel.margins(moved) / pressure_vessel.LIMITS).max(1)
    assert abs(worst[bad]).max() < 1e-6


def test_measures_of_designs() -> None:
    m = np.array([[-0.5, -0.005], [-0.5, -0.5], [0.1, -0.005], [-0.5, 0.0]])
    assert designs.invalid(m).tolist() == [False, False, True, False]
    assert designs.at_a_limit(m, np.array([1.0, 1.0])) == 0.5
    x = np.random.default_rng(0).normal(size=(2000, 4))
    assert designs.diversity(2 * x, x) == pytest.approx(2, rel=0.02) and designs.from_exact(x, x) < 1.2
    assert designs.from_exact(x + 1, x) > 3
