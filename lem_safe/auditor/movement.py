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
STILL = 4.0
"""Standard errors up to which a mean is considered not to drift."""
FROZEN = 0.5
"""Below this share of particles that ever moved, the samples are the start rather than the sampler's result.
"""


@dataclass(frozen=True)
class Movement:
    """What is known of the moves of the run that produced the samples; None for what is unknown.

    moved: the share of particles that are not where they started. accepted: the share of all proposed moves,
    one per particle and step, that were made.
    rhat: the largest split R̂ over particles of the quantities followed, at the end. nested_rhat, drift: of
    the cloud as many short chains (L.11).
    """

    moved: float | None
    accepted: float | None
    rhat: float | None
    nested_rhat: float | None = None
    drift: float | None = None

    @property
    def frozen(self) -> bool:
        """Whether most particles never left their start."""
        return self.moved is not None and self.moved < FROZEN

    @property
    def settled(self) -> bool | None:
        """Whether the run has settled, as far as its monitors can see; None where they recorded nothing. A
        record older than nested R̂ is judged by R̂.
        """
        if self.nested_rhat is None and self.drift is None:
            return None if self.rhat is None else self.rhat <= AGREE
        return not (self.nested_rhat or 0) > AGREE and not (self.drift or 0) > STILL

    @property
    def numbers(self) -> str:
        """What `settled` is decided by, in words."""
        found = []
        if self.nested_rhat is not None:
            found.append(f"nested R̂ {self.nested_rhat:.2f}, usual threshold {AGREE}")
        if self.drift is not None:
            found.append(f"drift {self.drift:.1f} standard errors, threshold {STILL:g}")
        return "; ".join(found) or f"R̂ {self.rhat or math.nan:.2f}, usual threshold {AGREE}"


def movement(moved: float | None, trace: Mapping[str, Any] | None) -> Movement | None:
    """From the mark of the samples' file and the arrays of a trace, `moves` [t] and `monitor_rhat`; None
    where neither has any information.
    """
    moves = _along(trace, "moves")
    known = moves[np.isfinite(moves)]
    last = {name: _last(_along(trace, f"monitor_{name}")) for name in ("rhat", "nested_rhat", "drift")}
    made = Movement(moved, float(known.mean()) if len(known) else None, **last)
    return None if made == Movement(None, None, None) else made


def _last(values: Float[np.ndarray, "t"]) -> float | None:
    """The last number of a trace; None where there is none."""
    return float(values[-1]) if len(values) and math.isfinite(values[-1]) else None


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
