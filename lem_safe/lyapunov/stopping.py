"""The stopping rules: each evaluates the cloud at regular steps and decides from all its evaluations.

`flow_ratio` stops the deterministic flow where KL turns (L.5); `budget` stops Langevin dynamics after τ_Lang
(L.3); `stein` stops any sampler once the kernel Stein discrepancy is small (L.8); `settled` once the monitors
say that the cloud has settled (L.11); `steps` takes every step. A
decision is a pure function of the evaluations, so a resumed run decides the same. A rule measures the
distance to ρ_U, to which a filtered cloud does not converge: so the unfiltered chain is evaluated, and the
filtered chain takes the same number of steps.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor
from barriers.kinds import Kinds
from barriers.specification import Context
from lem_safe.lyapunov.budget import Budget
from lem_safe.lyapunov.log import Look
from lem_safe.lyapunov.monitors import some
from lem_safe.lyapunov.ratio import balance
from lem_safe.lyapunov.rest import Settled
from lem_safe.lyapunov.stein import stein_discrepancy
from lem_safe.lyapunov.stop import Beginning, Every, Samples, Stop, StopEntry


class Steps(Stop):
    """Every step is taken."""

    kind = "steps"
    cannot_see = (
        "a number of steps says nothing about whether the cloud has reached the distribution: R̂ "
        "and the test means do"
    )
    example: ClassVar[dict[str, object]] = {"kind": "steps"}

    def look(self, step: int, x: Float[Tensor, "n d"]) -> Look:
        return Look(step, math.nan, math.nan)

    def reason(self, looks: Sequence[Look], taken: int) -> str | None:
        return None

    def silence(self, looks: Sequence[Look], taken: int) -> str:
        return f"all {taken:,} steps were taken, as the scenario says"


class FlowRatio(Stop):
    """Stops where the deterministic flow turns away from the target distribution: at the first upward
    crossing of R = 1.
    """

    kind = "flow_ratio"
    cannot_see = (
        "R is a mean over the particles there are: it sees neither a mode that they missed nor how far KL "
        "still is from 0, only that the flow "
        "begins to lead away"
    )
    samplers = ("flow",)
    example: ClassVar[dict[str, object]] = {"kind": "flow_ratio"}

    def __init__(
        self,
        beginning: Annotated[Beginning, Context("beginning")],
        every: Every = 1,
        samples: Samples = 2048,
    ):
        self.energy, self.every, self.samples = beginning.energy, every, samples

    def look(self, step: int, x: Float[Tensor, "n d"]) -> Look:
        found = balance(self.energy, some(x, self.samples))
        return Look(step, found.ratio, found.ratio_error)

    def reason(self, looks: Sequence[Look], taken: int) -> str | None:
        last = looks[-1]
        if not last.value >= 1 or not any(look.value < 1 for look in looks):
            return None
        return (
            f"R = {last.value:.4g} ± {last.error:.2g} has crossed 1 upward at step {taken:,}: from here "
            "on the flow moves away from the distribution"
        )

    def silence(self, looks: Sequence[Look], taken: int) -> str:
        last, low = looks[-1], min(look.value for look in looks)
        if low >= 1:
            return (
                f"R was never below 1 in {taken:,} steps (least {low:.4g}): KL grew from the start, and "
                "there was nothing to stop at"
            )
        return (
            f"R stayed below 1 in {taken:,} steps (last {last.value:.4g} ± {last.error:.2g}): KL was "
            "still falling; take more steps"
        )


class SteinBelow(Stop):
    """Stops once the kernel Stein discrepancy plus two standard errors is below a number."""

    kind = "stein"
    cannot_see = (
        "a kernel Stein discrepancy near 0 says that the particles fit the energy where they are: a mode "
        "that none of them has reached, "
        "or wrong masses of modes far apart, hardly change it; R̂ compares the particles with one another, "
        "and a wider start is the test"
    )
    example: ClassVar[dict[str, object]] = {"kind": "stein", "below": 0.1}

    @classmethod
    def refusal(cls, stop: Mapping[str, Any], sampler: Mapping[str, Any]) -> str | None:
        if sampler["samples"] < 2:
            return (
                "the kernel Stein discrepancy is a mean over pairs of particles; take sampler.samples "
                "of 2 or more, or use steps"
            )
        return super().refusal(stop, sampler)

    def __init__(
        self,
        beginning: Annotated[Beginning, Context("beginning")],
        below: Annotated[
            float,
            Gt(0),
            Doc("The run stops when the discrepancy is below this number, in 1/(sampler units)."),
        ],
        every: Every = 20,
        samples: Samples = 500,
    ):
        self.energy, self.below, self.every, self.samples = beginning.energy, below, every, samples

    def look(self, step: int, x: Float[Tensor, "n d"]) -> Look:
        found = stein_discrepancy(self.energy, some(x, self.samples))
        return Look(step, found.u, found.error)

    def reason(self, looks: Sequence[Look], taken: int) -> str | None:
        if not self._most(looks[-1]) < self.below:
            return None
        return (
            f"KSD, at most {self._most(looks[-1]):.3g} with chance included, is below {self.below:g} at "
            f"step {taken:,}"
        )

    def silence(self, looks: Sequence[Look], taken: int) -> str:
        least = min((self._most(look) for look in looks), default=math.nan)
        text = (
            f"KSD with chance included was never below {self.below:g} in {taken:,} steps (least {least:.3g})"
        )
        floor = math.sqrt(2 * looks[-1].error) if looks else math.nan
        return (
            text
            if floor < self.below
            else f"{text}; chance alone makes {floor:.3g} of it: take more stop.samples"
        )

    @staticmethod
    def _most(look: Look) -> float:
        return math.sqrt(max(look.value + 2 * look.error, 0.0))


STOPS: Kinds[StopEntry] = Kinds(
    "stop",
    StopEntry,
    {
        "steps": Steps,
        "flow_ratio": FlowRatio,
        "budget": Budget,
        "stein": SteinBelow,
        "settled": Settled,
    },
    base=Stop,
    default="steps",
)
"""Every rule a scenario can name under `stop`."""
