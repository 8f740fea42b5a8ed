"""What a sampler is: `init(x) -> state`, `step(key, state) -> (state, info)`; pure, with no loop and no clock inside."""

from typing import Any, NamedTuple, Protocol

from jaxtyping import Float
from torch import Tensor

from barriers.filters.base import FilterInfo
from lem_safe.keys import Key


class State(NamedTuple):
    """Where the particles are, in sampler coordinates, and what the filters remember."""

    x: Float[Tensor, "n d"]
    drift_memory: Any = None
    step_memory: Any = None


class Info(NamedTuple):
    """What one step saw: the mean energy before it, and the infos of the filters (None where there is none)."""

    energy: Float[Tensor, ""]
    drift: FilterInfo | None = None
    step: FilterInfo | None = None


class Sampler(Protocol):
    """A Markov kernel on clouds of particles."""

    step_size: float

    def init(self, x: Float[Tensor, "n d"]) -> State:
        """The state a run starts with."""

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        """One step; the same key and state give the same result."""
