"""What the predictive drift filter sees of the step to come, and what it remembers of it (Q.4)."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.noise import Noise
from barriers.predicted import MANY, chance
from barriers.sets.base import UnsafeSet


class PredictiveMemory(NamedTuple):
    """Q of the last step or, where that exceeded its limit L, L; the mean probability computed then; its
    running error and the number of steps it covers; the last multipliers.
    """

    predicted: Float[Tensor, "*r m"]
    computed: Float[Tensor, "*r m"]
    error: Float[Tensor, "*r m"]
    steps: Float[Tensor, "*r"]
    multipliers: Float[Tensor, "*r m"]


class Ahead(NamedTuple):
    """The effect of a change δ of the mean positions: Q, the probability of every particle with its gradient,
    and by how much Q exceeds L.
    """

    change: Float[Tensor, "*r n d"]
    mean: Float[Tensor, "*r m"]
    chance: Float[Tensor, "*r n m"]
    gradient: Float[Tensor, "*r n m d"]
    violation: Float[Tensor, "*r m"]


def chances(
    sets: Sequence[UnsafeSet], z: Float[Tensor, "*r n d"], noise: Noise
) -> tuple[Float[Tensor, "*r n m"], Float[Tensor, "*r n m d"]]:
    """The probability of every particle of being inside each set after the noise, and its gradient; under a
    metric the gradient is along the columns of its factor.
    """
    rows = z if z.dim() == 2 else z.flatten(0, -2)
    if len(rows) >= MANY > z.shape[-2]:  # no cloud's chances depend on how many clouds there are
        noise = noise._replace(every=True)
    each = [chance(s, rows, noise) for s in sets]
    if len(each) == 1:
        p, gradient = each[0].value[:, None], each[0].gradient[:, None]
    else:
        p, gradient = (torch.stack(part, 1) for part in zip(*each, strict=True))
    if z.dim() > 2:
        p, gradient = (part.reshape(*z.shape[:-1], *part.shape[1:]) for part in (p, gradient))
    return p, gradient if noise.factor is None else gradient @ noise.factor.to(gradient.dtype)
