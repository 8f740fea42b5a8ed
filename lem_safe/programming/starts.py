"""Where the particles of a call start: rows in memory, or a specification as a file has it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key

WHO = "lem_safe.sample"
"""What messages call the call."""
FEW = 256
"""Draws of a start that an energy is examined at."""


class Start(NamedTuple):
    """The specification, as a file has it, and the rows in its place, float64, on their device; None where
    the specification is all.
    """

    spec: dict[str, Any]
    rows: Float[Tensor, "N d"] | None

    @property
    def dimension(self) -> int | None:
        """d, where the start tells."""
        if self.rows is not None:
            return self.rows.shape[1]
        mean = self.spec.get("mean")
        return len(mean) if isinstance(mean, list) else None

    def points(self, dimension: int) -> Float[Tensor, "k d"]:
        """Rows like those of the start, float64, to examine an energy at."""
        if self.rows is not None:
            return self.rows[torch.linspace(0, len(self.rows) - 1, min(FEW, len(self.rows))).long()]
        noise = Key(0).fold("start").normal(torch.empty(FEW, dimension, dtype=torch.float64))
        if self.spec["kind"] != "gaussian":
            return noise
        try:
            std = torch.as_tensor(self.spec.get("std", 1.0), dtype=torch.float64)
            found = torch.as_tensor(self.spec["mean"], dtype=torch.float64) + std * noise
        except (TypeError, ValueError, RuntimeError, KeyError):  # the scenario's own check says what is wrong
            return noise
        return found if found.shape == noise.shape else noise


def start_of(init: Any, shape: Sequence[int] | None = None) -> Start:
    """The start that `init` asks for: rows [n, d] of torch or numpy, or a mapping as in a file; a standard
    normal distribution where it is None. shape: of paths, which rows may have. Raises BadInput.
    """
    if init is None:
        return Start({"kind": "standard"}, None)
    if isinstance(init, Mapping):
        if init.get("kind") == "data":
            _refuse("kind 'data' needs an energy trained from a file; give the rows themselves, init=rows")
        return Start({str(k): plain(v) for k, v in init.items()}, None)
    try:
        rows = torch.as_tensor(np.asarray(init) if not isinstance(init, Tensor) else init).detach()
    except (TypeError, ValueError):
        _refuse(f"must be rows [n, d] or a specification; got one of type {type(init).__name__}")
    if shape is not None and rows.shape[1:] == tuple(shape):
        rows = rows.flatten(1)
    if rows.ndim != 2 or 0 in rows.shape or rows.is_complex() or rows.dtype == torch.bool:
        _refuse(f"must be rows [n, d] of numbers; got {list(rows.shape)} of {rows.dtype}")
    rows = rows.double()
    if not bool(rows.isfinite().all()):
        _refuse(f"must be finite; row {int((~rows.isfinite()).any(1).nonzero()[0, 0])} is not")
    return Start({"kind": "standard"}, rows)


def plain(value: Any) -> Any:
    """An array or a number of torch or numpy as Python's own; anything else as it is."""
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, Tensor | np.ndarray | np.generic) else value


def _refuse(message: str) -> Any:
    raise BadInput(Fault(message, WHO, key="init"))
