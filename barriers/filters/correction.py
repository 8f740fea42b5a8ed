"""What the step filter makes of a proposal, and what it remembers of the cloud (D.1)."""

from typing import NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor


class StepMemory(NamedTuple):
    """The means of the statistics over the current cloud."""

    mean: Float[Tensor, "*r k"]


class Correction(NamedTuple):
    """A corrected cloud with its means, multipliers, and how far each barrier lies below its floor (> 0:
    violated).
    """

    x: Float[Tensor, "*r n d"]
    mean: Float[Tensor, "*r k"]
    multipliers: Float[Tensor, "*r m"]
    violation: Float[Tensor, "*r m"]


def kept(c: Correction) -> Bool[Tensor, "*r"]:
    """Whether every barrier of a cloud is at least its floor."""
    return (c.violation <= 0).all(-1)
