"""What a step asks of its energy: one gradient, whatever is accepted."""

import pytest
import torch
from torch import Tensor

from lem_safe.energies.mlp import MLP
from lem_safe.keys import Key
from lem_safe.samplers.langevin import Langevin
from lem_safe.samplers.mala import Mala


@pytest.mark.parametrize(("sampler", "first"), [(Mala, 1), (Langevin, 0)])
@pytest.mark.parametrize("step_size", [0.01, 3.0])
def test_a_step_takes_one_gradient(
    sampler: type, first: int, step_size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mala has one more at its first step, for the place where it begins."""
    energy = MLP().build(2, torch.Generator().manual_seed(0)).requires_grad_(False)
    trunk, asked = type(energy.trunk), list[int]()
    inner = trunk._swept  # type: ignore[attr-defined]

    def counted(self: object, x: Tensor) -> object:
        asked.append(len(x))
        return inner(self, x)

    monkeypatch.setattr(trunk, "_swept", counted)
    with torch.no_grad():
        made = sampler(energy, step_size)
        state = made.init(Key(1).normal(torch.empty(100, 2)))
        for k in range(10):
            state, _ = made.step(Key(k), state)
    assert asked == [100] * (10 + first)
