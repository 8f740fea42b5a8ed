"""Step filters called with x and the proposal alone."""

import pytest
import torch

from lem_safe.registry import make
from lem_safe.sets import Ball

BALL = Ball([1.0, 0.0], 0.5)
SPECS = {
    "gate": {"kind": "gate"},
    "reject": {"kind": "reject"},
    "tilt": {"kind": "tilt", "multipliers": [1.0]},
    "project": {"kind": "project"},
    "step": {"kind": "step"},
    "step, smoothed": {"kind": "step", "smoothing": {"kind": "sigmoid", "width": 0.1}},
    "chain": {"kind": "chain", "filters": [{"kind": "project"}, {"kind": "gate"}]},
    "hard step": {"kind": "step", "smoothing": {"kind": "sigmoid", "width": 0.1}, "limit": "hard"},
}


@pytest.mark.parametrize("name", SPECS)
def test_a_loop_needs_x_and_the_proposal(name: str) -> None:
    context = {"sets": [BALL], "betas": [0.05], "step_size": 0.01}
    chosen = make("filters", SPECS[name], context=context)

    def last(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        x = torch.randn(400, 2) * 0.2 - torch.tensor([0.5, 0.0])
        memory = None
        with torch.no_grad():
            for _ in range(15):
                y = x + 0.1 * (torch.tensor([1.0, 0.0]) - x) + 0.05 * torch.randn(400, 2)
                x, memory, info = chosen.apply(x, y)
        return x

    x = last(0)
    assert x.shape == (400, 2)
    assert torch.equal(x, last(0))  # the seed of torch decides
    inside = int(BALL.contains(x).sum())
    assert inside <= 20 or name in ("tilt", "step, smoothed")


def test_what_is_given_is_used() -> None:
    chosen = make("filters", {"kind": "gate"}, context={"sets": [BALL], "betas": [0.05], "step_size": 0.01})
    x, y, u = torch.zeros(40, 2), torch.ones(40, 2) * torch.tensor([1.0, 0.0]), torch.linspace(0, 0.9, 40)
    taken = [chosen.apply(x, y, 0.01, u, chosen.init(x))[0], chosen.apply(x, y, uniforms=u)[0]]
    assert torch.equal(*taken)
    assert int(BALL.contains(taken[0]).sum()) == 2
