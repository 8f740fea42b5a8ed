"""The interface of a sampler: `init(x) -> state`, `step(key, state) -> (state, info)`; pure, without a loop
or a clock.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from jaxtyping import Float

from barriers.arrays import Tensor
from barriers.declared import declares
from barriers.filters.base import FilterInfo
from lem_safe.keys import Key

Later = Tensor | Callable[[], Tensor]
"""A number as a 0-dim tensor, or what computes it."""


class State(NamedTuple):
    """The particles, in sampler coordinates, and the memories of the filters and of the sampler.

    own: velocities, a clock, hotter copies of the cloud, a chosen step size; NamedTuples and dicts of
    tensors, so that a checkpoint can store them.
    """

    x: Float[Tensor, "n d"]
    drift_memory: Any = None
    step_memory: Any = None
    own: Any = None


class Info:
    """Diagnostics of one step: the mean energy before it, and the infos of the filters (None without a
    filter).

    gradient_norm: the root mean square of ‖∇U‖ before the step. accepted: the acceptance probability of each
    particle's proposal, in a sampler with a Metropolis test. swapped: the mean probability of a swap between
    neighbouring temperatures, NaN where none was tried. born: the mean probability of a birth, where
    births were tried.
    step_size: the one used, where the sampler chooses it. warming: whether this step belongs to the warm-up,
    which moves no particle of the state and has no row in the trace. surrogate: E φ of the cloud after the
    step, one per constraint (see `hooks.observed`); where it is None, a step filter's `mean` is used.

    None is not reported, and is NaN in the trace. Of most steps nobody asks for energy and gradient norm, so
    they can be given as functions, which are called then.
    """

    def __init__(
        self,
        energy: Later,
        drift: FilterInfo | None = None,
        step: FilterInfo | None = None,
        gradient_norm: Later | None = None,
        accepted: Float[Tensor, "n"] | None = None,
        swapped: Float[Tensor, "r"] | None = None,
        born: Float[Tensor, ""] | None = None,
        step_size: float | None = None,
        warming: bool = False,
        surrogate: Float[Tensor, "m"] | None = None,
    ):
        self._energy, self._gradient_norm = energy, gradient_norm
        self.drift, self.step, self.surrogate = drift, step, surrogate
        self.accepted, self.swapped, self.born = accepted, swapped, born
        self.step_size, self.warming = step_size, warming

    @property
    def energy(self) -> Float[Tensor, ""]:
        """The mean energy before the step."""
        return self._energy if isinstance(self._energy, Tensor) else self._energy()

    @property
    def gradient_norm(self) -> Float[Tensor, ""] | None:
        """The root mean square of ‖∇U‖ before the step."""
        norm = self._gradient_norm
        return norm if norm is None or isinstance(norm, Tensor) else norm()

    def replaced(self, **changed: Any) -> "Info":
        """The same with some of its parts changed."""
        return Info(**{name.removeprefix("_"): part for name, part in vars(self).items()} | changed)


class Sampler(Protocol):
    """A Markov kernel on clouds of particles: the interface that a run uses.

    A sampler that says `particlewise = True`, in the class that has its `step`, moves each particle by
    itself: by its own place, its own rows of `key.normal` and `key.uniform`, and what the filters do. It then
    runs several clouds as the rows of one tensor [r·n, d], with a `CloudKeys` and filters over clouds; any
    other sampler runs them one after the other.
    """

    def init(self, x: Float[Tensor, "n d"]) -> State:
        """The initial state of a run."""

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        """One step; the same key and state give the same result."""


def spreads(sampler: Sampler) -> bool:
    """Whether a sampler also moves a part of a cloud, with a `PartKey`: each particle by itself, or with what
    it asks of the whole cloud (`spreads = True`).
    """
    return declares(sampler, "spreads", "step") or particlewise(sampler)


def particlewise(sampler: Sampler) -> bool:
    """Whether a sampler moves each particle by itself, except for what its filters do; see `declares`."""
    return declares(sampler, "particlewise", "step")
