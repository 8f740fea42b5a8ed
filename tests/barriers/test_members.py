"""Modules held together keep their kind, their order and their place in the module that holds them."""

import copy

import torch
from torch import nn

from barriers.members import Members


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = Members([nn.Linear(1, 2), nn.Linear(2, 3)])


def test_members_come_in_order_and_are_saved_moved_and_copied_with_their_owner():
    pair = Pair()
    assert [part.out_features for part in pair.parts] == [2, 3]
    assert list(pair.state_dict()) == ["parts.0.weight", "parts.0.bias", "parts.1.weight", "parts.1.bias"]
    assert {part.weight.dtype for part in pair.double().parts} == {torch.float64}
    other = copy.deepcopy(pair)
    assert [part.out_features for part in other.parts] == [2, 3]
    assert not any(a is b for a, b in zip(other.parts, pair.parts, strict=True))
