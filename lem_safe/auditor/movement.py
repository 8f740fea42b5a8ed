"""Whether a run's particles have been anywhere: what its trace and its file say of moves made, refused, and
never tried.

The audit trusts no such mark further than towards caution: a run that says that its particles stayed where
they started is believed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lem_safe.errors import BadInput

AGREE = 1.05
"""R̂ up to which chains are said to agree."""
FROZEN = 0.5
"""Where fewer of the particles have ever moved, the samples are the start and not what the sampler makes of
it.
"""


@dataclass(frozen=True)
class Movement:
    """What is known of the moves of the run that these samples end; None for what is not.

    moved: the share of particles that are not where they started. accepted: of all moves, a particle's at a
    step, the share that was made.
    rhat: split R̂ over particles at the end, the largest of the numbers followed.
    """

    moved: float | None
    accepted: float | None
    rhat: float | None

    @property
    def frozen(self) -> bool:
        """Whether most particles never left their start."""
        return self.moved is not None and self.moved < FROZEN


def movement(moved: float | None, trace: Mapping[str, Any] | None) -> Movement | None:
    """From the mark of the samples' file and the arrays of a trace, `moves` [t] and `monitor_rhat`; None
    where neither says anything.
    """
    moves, looks = (_along(trace, name) for name in ("moves", "monitor_rhat"))
    known = moves[np.isfinite(moves)]
    rhat = float(looks[-1]) if len(looks) and math.isfinite(looks[-1]) else None
    made = Movement(moved, float(known.mean()) if len(known) else None, rhat)
    return None if made == Movement(None, None, None) else made


def recorded(trace: Mapping[str, Any], name: str) -> Float[np.ndarray, "*t"]:
    """An array of numbers in a trace; BadInput where it holds something else."""
    values = np.asarray(trace[name])
    if values.dtype.kind not in "fiub":
        raise BadInput(f"the trace must hold numbers in '{name}'; got {values.dtype} {values.shape}")
    return values.astype(np.float64)


def _along(trace: Mapping[str, Any] | None, name: str) -> Float[np.ndarray, "t"]:
    """A number a step or a look; none where the trace has no such thing."""
    if trace is None or name not in trace:
        return np.empty(0)
    values = recorded(trace, name)
    if values.ndim != 1:
        raise BadInput(
            f"the trace must hold '{name}' as one number per step or evaluation; got {values.shape}"
        )
    return values
