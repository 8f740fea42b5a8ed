"""SafeDiffuser's obstacles: their masses and what filters leave, and a fault for each check."""

from collections.abc import Callable

import pytest
import torch
from planted import Tooth, checks, must_be_found

from barriers.filters import Gate, Reject, Tilt
from truths import obstacles

TEETH: dict[str, Tooth] = {
    "a superellipse of another power": (
        obstacles.obstacles_hold_their_masses,
        obstacles,
        "Superellipse",
        lambda honest: lambda center, radii, power: honest(center, radii, 5.0),
    ),
    "a tilt that is too weak": (
        obstacles.tilted_obstacles,
        Tilt,
        "__init__",
        lambda honest: lambda self, sets, multipliers: honest(self, sets, [0.7 * μ for μ in multipliers]),
    ),
    "a gate with a budget too many": (
        obstacles.gated_obstacles,
        Gate,
        "_budgets",
        lambda honest: lambda self, x: [room + 1 for room in honest(self, x)],
    ),
    "a rejection that forgets who is inside": (
        obstacles.rejected_obstacles,
        Reject,
        "apply",
        lambda honest: (
            lambda self, x, proposal, h, u, memory: honest(
                self, x, proposal, h, u, memory._replace(inside=torch.ones_like(memory.inside))
            )
        ),
    ),
}
CHECKS: dict[str, Callable[[], None]] = checks(TEETH)


@pytest.mark.parametrize("name", CHECKS)
def test_the_honest_code_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)
