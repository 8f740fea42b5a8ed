"""The rules of the design problems and their independent check are written apart, and agree."""

import numpy as np
import pytest

from barriers.sets import Rule
from benchmarks.design_checks import CHECKS, invalid
from benchmarks.designs import RULES

WITHIN = {
    "WeldedBeam": [(0.125, 10), (0.1, 15), (0.1, 10), (0.1, 10)],
    "ThreeTruss": [(0.01, 1), (0.01, 1)],
    "CantileverBeam": [(1, 5)] * 5 + [(30, 65)] * 5,
    "PressureVessel": [(0.0625, 6.1875)] * 2 + [(10, 200), (0, 190)],
    "SpeedReducer": [(2.6, 3.6), (0.7, 0.8), (17, 28), (7.3, 8.3), (7.3, 8.3), (2.9, 3.9), (5, 5.5)],
    "CompressionSpring": [(0.05, 0.2), (0.25, 1.3), (2, 15)],
    "Car": [(0.5, 1.5)] * 7 + [(0.192, 0.345)] * 2 + [(-20, 0)] * 2,
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_rules_and_the_check_agree_on_every_design(name: str) -> None:
    import torch

    low, high = np.array(WITHIN[name]).T
    x = np.random.default_rng(0).uniform(low, high, (4000, len(low)))
    columns = tuple(f"x{j + 1}" for j in range(len(low)))
    inside = [
        Rule(require=text, columns=columns).contains(torch.from_numpy(x)) for text in RULES[name].values()
    ]
    broken = torch.stack(inside).any(0).numpy()
    each = np.array([invalid(name, row[None]) for row in x[:500]], dtype=bool)
    assert 0.02 < broken.mean() < 0.999
    assert int(broken.sum()) == invalid(name, x) and np.array_equal(each, broken[:500])
