"""What is computed by block has the same bits in a part of a cloud."""

import pytest
import torch

from lem_safe.energies import ENERGIES
from lem_safe.energies.base import Energy
from lem_safe.keys import BLOCK, Key, divided
from lem_safe.registry import make
from lem_safe.samplers import blocks
from lem_safe.samplers.blocks import by_block, times, value_and_gradient

KINDS = ["gaussian_mixture", "negation", "tempered", "funnel"]
N = 2 * BLOCK + 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_energies_of_a_part_are_those_of_the_cloud(kind: str, dtype: torch.dtype) -> None:
    energy = make("energies", {"kind": kind, **ENERGIES[kind].example})
    assert isinstance(energy, Energy)
    energy, x = energy.to(dtype), Key(1).normal(torch.empty(N, energy.dimension, dtype=dtype))
    U, gradient = value_and_gradient(energy, x)
    whole, _ = energy.value_and_gradient(x)
    assert torch.allclose(U, whole, rtol=1e-5)
    for part in divided(N, 3):
        own, slope = value_and_gradient(energy, x[part.rows].clone())
        assert torch.equal(own, U[part.rows]) and torch.equal(slope, gradient[part.rows])


def test_planted_fault_all_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last rows of a product of many rows are rounded differently: parts have other bits."""
    monkeypatch.setattr(blocks, "by_block", lambda f, *rows, cloud=None: f(*rows))
    energy = make("energies", {"kind": "gaussian_mixture", **ENERGIES["gaussian_mixture"].example}).double()
    x = Key(1).normal(torch.empty(N, 2, dtype=torch.float64))
    whole = value_and_gradient(energy, x)[1]
    parts = [value_and_gradient(energy, x[part.rows].clone())[1] for part in divided(N, 3)]
    assert torch.allclose(torch.cat(parts), whole) and not torch.equal(torch.cat(parts), whole)


def test_copies_of_a_cloud_are_divided_each_by_itself() -> None:
    seen = list[int]()

    def f(rows: torch.Tensor) -> torch.Tensor:
        seen.append(len(rows))
        return 2 * rows

    x = torch.arange(2.0 * N)
    assert torch.equal(by_block(f, x, cloud=N), 2 * x)
    assert seen == [BLOCK, BLOCK, 5, BLOCK, BLOCK, 5]
    matrix = torch.tensor([[1.0, 2.0]])
    assert torch.equal(times(x[:, None], matrix), x[:, None] * matrix)
