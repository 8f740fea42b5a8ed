"""Whether a run's particles have moved: the moves accepted and refused, from its trace and its file.

Such marks are used only in the cautious direction: a file that states that its particles never moved is
believed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lem_safe.errors import BadInput

AGREE = 1.05
"""R̂ up to which chains are considered to agree."""
FROZEN = 0.5
"""Below this share of particles that ever moved, the samples are the start rather than the sampler's result.
"""


@dataclass(frozen=True)
class Movement:
    """What is known of the moves of the run that produced the samples; None for what is unknown.

    moved: the share of particles that are not where they started. accepted: the share of all proposed moves,
    one per particle and step, that were made.
    rhat: the largest split R̂ over particles of the quantities followed, at the end.
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
    where neither has any information.
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
    """One number per step or evaluation; empty where the trace has no such array."""
    if trace is None or name not in trace:
        return np.empty(0)
    values = recorded(trace, name)
    if values.ndim != 1:
        raise BadInput(
            f"the trace must hold '{name}' as one number per step or evaluation; got {values.shape}"
        )
    return values
