"""Out-of-distribution scores of a point under an energy: three scores, always higher = more
out-of-distribution (O.1).

    S₁(x) = U(x),    S₂(x) = ‖∇U(x)‖,    S₃(x) = ‖x − Φ^τ(x)‖, Φ^τ the flow x' = −∇U for τ = k·h.

S₁ depends on U only up to a constant. S₂ and S₃ also depend on the units of x: those of the energy given.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy

STEPS, ROWS = 10, 4096
FRACTION = 0.1
"""The default step of the flow, relative to the step that moves the median row by one standard deviation of
the rows.
"""


class Scores(NamedTuple):
    """One number per row and score, float64."""

    energy: Float64[Tensor, "n"]
    gradient: Float64[Tensor, "n"]
    displacement: Float64[Tensor, "n"]

    def arrays(self) -> dict[str, Float64[np.ndarray, "n"]]:
        """The scores by name, as numpy arrays."""
        return {name: values.numpy(force=True) for name, values in self._asdict().items()}


TITLES = {"energy": "S₁ = U(x)", "gradient": "S₂ = ‖∇U(x)‖", "displacement": "S₃ = ‖x − Φ^τ(x)‖"}
"""The names of the fields of Scores in tables."""


@torch.no_grad()
def scores(energy: Energy, x: Float[Tensor, "n d"], step_size: float, steps: int = STEPS) -> Scores:
    """S₁, S₂ and S₃ of every row of x; the flow of S₃ takes `steps` Euler steps of `step_size`.

    Raises ValueError for a flow without steps. Where a row, or its flow, is too far out for a finite number,
    the score is inf.
    """
    if not step_size > 0 or steps < 1:
        raise ValueError(f"scores: step_size must be > 0 and steps >= 1; got {step_size:g} and {steps}")
    found = [_scores(energy, rows, step_size, steps) for rows in x.split(ROWS)]
    return Scores(*(torch.cat(part) for part in zip(*found, strict=True)))


@torch.no_grad()
def usual_step(energy: Energy, x: Float[Tensor, "n d"], steps: int = STEPS) -> float:
    """A step size for S₃ suited to these rows: `steps` of them move the median row by FRACTION of the rows'
    spread.

    Raises ValueError where rows have no spread, or the gradient at the median one is 0 or not finite.
    """
    spread = float(x.double().std(0).square().sum().sqrt()) if len(x) > 1 else 0.0
    speed = float(energy.value_and_gradient(x[:ROWS])[1].double().norm(dim=1).median())
    h = FRACTION * spread / (speed * steps) if spread > 0 and speed > 0 else math.nan
    if not 0 < h < math.inf:
        raise ValueError(
            f"usual_step: rows of spread {spread:g} and a median gradient of {speed:g} suggest no step of "
            "S₃'s flow"
        )
    return h


def _scores(energy: Energy, x: Tensor, h: float, steps: int) -> Scores:
    U, gradient = energy.value_and_gradient(x)
    y = x - h * gradient
    for _ in range(steps - 1):
        y = y - h * energy.value_and_gradient(y)[1]
    moved = (y - x).double().norm(dim=1)
    return Scores(
        *(torch.where(s.isnan(), torch.inf, s) for s in (U.double(), gradient.double().norm(dim=1), moved))
    )
