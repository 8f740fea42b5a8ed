"""What the predictive drift filter sees of the step to come, and what it remembers of it (Q.4)."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


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
