"""What a sampler is: `init(x) -> state`, `step(key, state) -> (state, info)`; pure, with no loop and no clock
inside.
"""

from typing import Any, NamedTuple, Protocol

from jaxtyping import Float
from torch import Tensor

from barriers.filters.base import FilterInfo
from lem_safe.keys import Key


class State(NamedTuple):
    """Where the particles are, in sampler coordinates, and what the filters and the sampler itself remember.

    own: velocities, a clock, hotter copies of the cloud, a step size that was found; NamedTuples and dicts of
    tensors, so that a checkpoint can hold them.
    """

    x: Float[Tensor, "n d"]
    drift_memory: Any = None
    step_memory: Any = None
    own: Any = None


class Info(NamedTuple):
    """What one step saw: the mean energy before it, and the infos of the filters (None where there is none).

    gradient_norm: the root mean square of ‖∇U‖ before the step. accepted: the chance with which each
    particle's proposal is accepted, in a sampler with a Metropolis test. swapped: the mean chance of a swap
    between neighbouring temperatures, NaN where none was tried.
    step_size: the one used, where the sampler chooses it. warming: whether this step is one of the warm-up,
    which moves no particle of the state and has no row in the trace. surrogate: E φ of the cloud after the
    step, one a constraint (see `hooks.observed`); where it is None, a step filter's `mean` is taken for it.

    Whatever is None is not reported, and a run goes on without it: its trace has NaN there.
    """

    energy: Float[Tensor, ""]
    drift: FilterInfo | None = None
    step: FilterInfo | None = None
    gradient_norm: Float[Tensor, ""] | None = None
    accepted: Float[Tensor, "n"] | None = None
    swapped: Float[Tensor, "r"] | None = None
    step_size: float | None = None
    warming: bool = False
    surrogate: Float[Tensor, "m"] | None = None


class Sampler(Protocol):
    """A Markov kernel on clouds of particles: all that a run asks of a sampler."""

    def init(self, x: Float[Tensor, "n d"]) -> State:
        """The state a run starts with."""

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        """One step; the same key and state give the same result."""
