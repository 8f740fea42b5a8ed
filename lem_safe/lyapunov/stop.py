"""What every stopping rule is: it evaluates the cloud at regular steps, decides from all its evaluations, and
states its limitations.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

from annotated_types import Ge
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor
from barriers.kinds import Entry, asked
from lem_safe.energies.base import Energy
from lem_safe.lyapunov.log import Look
from lem_safe.lyapunov.normal import Normal

Every = Annotated[int, Ge(1), Doc("Steps between two evaluations.")]
Samples = Annotated[int, Ge(2), Doc("The largest number of particles used in one evaluation.")]


@dataclass(frozen=True)
class Beginning:
    """What a rule is given at the start: U over sampler coordinates, the initial cloud and its distribution
    (None where it is not normal), h, and the maximal number of steps.
    """

    energy: Energy
    x: Float[Tensor, "n d"]
    law: Normal | None
    step_size: float
    steps: int


class Stopped(NamedTuple):
    """How a chain ended: the rule, the step it fired at (None: it never did), the reason in words, and the
    rule's limitations.
    """

    rule: str
    step: int | None
    reason: str
    cannot_see: str


@dataclass(frozen=True)
class StopEntry(Entry):
    """A kind of stopping rule. cannot_see: its limitations, in words. refusal: why it cannot end a sampler's
    run, from both specifications; None where it can.
    """

    cannot_see: str = asked('cannot_see = "..."', lambda v: isinstance(v, str))
    refusal: Callable[[Mapping[str, Any], Mapping[str, Any]], str | None] = asked(
        "def refusal(stop, sampler): ...", callable
    )


class Stop(ABC):
    """A stopping rule. every: steps between its evaluations, 0 for none. samples: the largest number of
    particles that an evaluation uses, evenly spaced; 0: all. samplers: the kinds it applies to; None: all.

    cannot_see: one sentence on its limitations, reported together with its reason.
    """

    kind: ClassVar[str]
    cannot_see: ClassVar[str]
    samplers: ClassVar[tuple[str, ...] | None] = None
    example: ClassVar[dict[str, object]]
    every: int = 0
    samples: int = 0

    @classmethod
    def refusal(cls, stop: Mapping[str, Any], sampler: Mapping[str, Any]) -> str | None:
        """Why this rule cannot end this sampler's run, from their specifications; None where it can."""
        if cls.samplers is None or sampler["kind"] in cls.samplers:
            return None
        return (
            f"'{cls.kind}' applies to {' and '.join(cls.samplers)}, not to {sampler['kind']}: use stein, "
            "or steps"
        )

    @abstractmethod
    def look(self, step: int, x: Float[Tensor, "n d"]) -> Look:
        """Evaluates one cloud."""

    @abstractmethod
    def reason(self, looks: Sequence[Look], taken: int) -> str | None:
        """Why the run ends after `taken` steps; None: it continues. The last evaluation is at `taken`, if the
        rule evaluates clouds at all.
        """

    @abstractmethod
    def silence(self, looks: Sequence[Look], taken: int) -> str:
        """Why the rule never fired."""

    def of_record(self, step: int, found: Mapping[str, float]) -> Look | None:
        """Evaluates what the monitor has just recorded, by the names of `lem_safe.lyapunov.log`; None for a
        rule that evaluates clouds itself.
        """
        return None

    def due(self, step: int) -> bool:
        """Whether the rule evaluates the cloud after `step` steps; 0 is the start."""
        return self.every > 0 and step % self.every == 0

    def verdict(self, looks: Sequence[Look], taken: int, not_before: int = 0) -> str | None:
        """`reason`, once `not_before` steps are taken, and at steps that were evaluated."""
        if taken < max(1, not_before) or (self.every and (not looks or looks[-1].step != taken)):
            return None
        return self.reason(looks, taken)


def outcome(stop: Stop, looks: Sequence[Look], taken: int, not_before: int = 0) -> Stopped:
    """How a chain of `taken` steps ended."""
    reason = stop.verdict(looks, taken, not_before)
    if reason is not None:
        return Stopped(stop.kind, taken, reason, stop.cannot_see)
    return Stopped(stop.kind, None, stop.silence(looks, taken), stop.cannot_see)
