"""The stopping rule `settled`: the run ends once the monitors say that the cloud has settled (L.11)."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor
from lem_safe.lyapunov.forgetting import FORGOTTEN, STILL
from lem_safe.lyapunov.log import Look
from lem_safe.lyapunov.stop import Stop


class Settled(Stop):
    """Stops once the particles have forgotten where they started and their means no longer drift, as the
    monitors record it.
    """

    kind = "settled"
    cannot_see = (
        "particles that have forgotten their start may all have missed a mode that none of them reached; a "
        "wider start is the test"
    )
    example: ClassVar[dict[str, object]] = {"kind": "settled", "below": 1.05, "records": 3}

    def __init__(
        self,
        below: Annotated[
            float, Gt(1), Doc("Nested R-hat at most this; 1.05 is the usual threshold.")
        ] = FORGOTTEN,
        records: Annotated[int, Ge(1), Doc("So many records of the monitors in sequence must agree.")] = 3,
    ):
        self.below, self.records = below, records

    def look(self, step: int, x: Float[Tensor, "n d"]) -> Look:
        return Look(step, math.nan, math.nan)

    def of_record(self, step: int, found: Mapping[str, float]) -> Look:
        return Look(step, found["nested_rhat"], found["drift"])

    def reason(self, looks: Sequence[Look], taken: int) -> str | None:
        last = looks[-self.records :]
        if len(last) < self.records or last[-1].step != taken or not all(map(self._at_rest, last)):
            return None
        return (
            f"settled after {taken:,} steps: nested R-hat {_number(last[-1].value)}, drift "
            f"{_number(last[-1].error)} standard errors, in {self.records} records in sequence"
        )

    def silence(self, looks: Sequence[Look], taken: int) -> str:
        if not looks:
            return f"nothing was recorded in {taken:,} steps: monitors.samples must be at least 2"
        last = looks[-1]
        return (
            f"not settled in {taken:,} steps: nested R-hat {_number(last.value)} where {self.below:g} is "
            f"asked, drift {_number(last.error)} standard errors where {STILL:g} are; take more sampler.steps"
        )

    def _at_rest(self, look: Look) -> bool:
        """Unknown numbers do not count against it, but one must be known."""
        known = [not math.isnan(look.value), not math.isnan(look.error)]
        return any(known) and not look.value > self.below and not look.error > STILL


def _number(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.3g}"
