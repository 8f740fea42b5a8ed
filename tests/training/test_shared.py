"""Several processes that evaluate an energy together train the energy of one, to rounding (T.11)."""

import copy
from typing import Any

import pytest
import torch
from row_energies import SIZES, mixture
from spread_clouds import in_wires
from torch import Tensor

from lem_safe.energies.mixture_based import MixtureBase
from lem_safe.energies.mlp import MLP
from lem_safe.energies.network import Trainable
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.keys import Key
from lem_safe.laplacian.hutchinson import EXACT_UP_TO
from lem_safe.processes.wire import Wire
from lem_safe.registry import make
from lem_safe.training.contrastive import Contrastive
from lem_safe.training.losses import LOSSES
from lem_safe.training.shared import Shared, add_up

F64 = torch.float64


def energy(d: int = 2) -> Trainable:
    return MLP(hidden=8, depth=2).build(d, Key(1).generator()).double()


def gradients(loss: Any, model: Trainable, z: Tensor, wire: Wire | None) -> tuple[float, list[Tensor]]:
    """The loss of a batch and its gradient in the parameters."""
    mine = copy.deepcopy(model)
    weights = list(mine.parameters())
    with torch.enable_grad():
        value = loss(mine if wire is None else Shared(mine, wire), z, Key(3).generator())
        value.backward()
    if wire is not None:
        add_up(weights, wire)
    return float(value.detach()), [p.grad.clone() for p in weights if p.grad is not None]


@pytest.mark.parametrize("rows", [37, 2])
@pytest.mark.parametrize("kind", [kind for kind in LOSSES])
def test_the_gradient_is_that_of_one_process(kind: str, rows: int) -> None:
    loss = make("losses", {"kind": kind, **LOSSES[kind].example})
    model, z = energy(), Key(2).normal(torch.empty(rows, 2, dtype=F64))
    value, expected = gradients(loss, model, z, None)
    for own, found in in_wires(3, lambda wire: gradients(loss, model, z, wire)):
        assert own == pytest.approx(value, rel=1e-12)
        assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(found, expected, strict=True))


def test_an_estimated_laplacian_has_the_probes_of_all_rows() -> None:
    loss = make("losses", {"kind": "implicit"})
    d = EXACT_UP_TO + 1
    model, z = energy(d), Key(2).normal(torch.empty(9, d, dtype=F64))
    assert model.estimate is not None
    value, expected = gradients(loss, model, z, None)
    for own, found in in_wires(2, lambda wire: gradients(loss, model, z, wire)):
        assert own == pytest.approx(value, rel=1e-12)
        assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(found, expected, strict=True))


def test_rows_of_a_table_too() -> None:
    base = mixture()
    model = MixtureBase(hidden=8, depth=2).build_rows(1, SIZES, Key(1).generator())
    assert isinstance(model, RowEnergy)
    model.base = base.float()
    z = base.sample(Key(2).generator(), 41).float()
    value, expected = gradients(Contrastive(), model, z, None)
    for own, found in in_wires(2, lambda wire: gradients(Contrastive(), model, z, wire)):
        assert own == pytest.approx(value, rel=1e-5)
        assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(found, expected, strict=True))


def test_planted_fault_gradients_that_are_averaged_over_own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean over processes in the place of the sum: a third of the gradient."""
    import lem_safe.training.shared as shared

    loss, model = make("losses", {"kind": "denoising"}), energy()
    z = Key(2).normal(torch.empty(37, 2, dtype=F64))
    _, expected = gradients(loss, model, z, None)
    inner = shared.add_up

    def averaged(parameters: list[Tensor], wire: Wire) -> None:
        inner(parameters, wire)
        for p in parameters:
            p.grad = p.grad / wire.size if p.grad is not None else None

    monkeypatch.setitem(globals(), "add_up", averaged)
    for _, found in in_wires(3, lambda wire: gradients(loss, model, z, wire)):
        assert not torch.allclose(found[0], expected[0], rtol=1e-3)
