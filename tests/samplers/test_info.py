"""What a step reports: numbers, or what computes them where they are asked for."""

import torch
from torch import Tensor

from lem_safe.samplers import Info


def test_numbers_are_computed_where_they_are_asked_for() -> None:
    asked: list[str] = []

    def later(name: str, value: float) -> Tensor:
        asked.append(name)
        return torch.tensor(value)

    info = Info(lambda: later("energy", 2.0), gradient_norm=lambda: later("norm", 3.0))
    other = info.replaced(step_size=0.5, warming=True)
    assert not asked
    assert float(other.energy) == 2.0 and asked == ["energy"]
    assert other.gradient_norm is not None and float(other.gradient_norm) == 3.0
    assert other.step_size == 0.5 and other.warming and info.step_size is None and not info.warming


def test_numbers_can_be_given() -> None:
    info = Info(torch.tensor(1.5), accepted=torch.ones(4))
    assert float(info.energy) == 1.5 and info.gradient_norm is None
    again = info.replaced(born=torch.tensor(0.25))
    assert again.accepted is info.accepted and again.born is not None and float(again.born) == 0.25
