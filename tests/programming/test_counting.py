"""`lem_safe.count`: counts that add up."""

import numpy as np
import pytest
import torch

import lem_safe
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.sets import Ball

REGIONS = {"wall": Ball([0.0, 0.0], 1.0), "right": lambda x: x[:, 0] > 1}


def test_batches_add_up_to_the_whole() -> None:
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    whole = lem_safe.count(x, REGIONS)
    parts = sum(lem_safe.count(part, REGIONS) for part in x.split(70))
    assert parts == whole == lem_safe.count(x.numpy(), REGIONS)
    assert whole.inside["right"] == int((x[:, 0] > 1).sum()) and whole.samples == 300
    assert whole.fractions["right"] == whole.inside["right"] / 300
    assert whole.upper_bounds(0.9)["wall"] == upper_bound(whole.inside["wall"], 300, 0.95)
    assert str(whole).startswith("300 samples: ")


def test_a_scenario_is_counted_too_and_others_do_not_add() -> None:
    ring = lem_safe.count(np.array([[2.0, 0.0], [0.0, 0.0]]), "ring_keep_out")
    assert ring.inside == {"pillar": 1}
    with pytest.raises(lem_safe.BadInput, match="do not add"):
        ring + lem_safe.count(np.zeros((2, 2)), REGIONS)
    with pytest.raises(lem_safe.BadInput, match="confidence: must be between 0 and 1"):
        ring.upper_bounds(1.0)
