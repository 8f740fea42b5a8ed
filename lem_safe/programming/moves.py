"""The particles and their proposed moves as rows of torch, and back to what they came as."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.errors import BadInput, Fault, NumericalFailure


class Moves(NamedTuple):
    """x and the proposal as rows, the shape they had, and whether they were arrays of numpy."""

    x: Float[Tensor, "n d"]
    proposal: Float[Tensor, "n d"]
    shape: tuple[int, ...]
    numpy: bool

    def back(self, y: Float[Tensor, "n d"]) -> Any:
        """Rows as what came in."""
        y = y.reshape(self.shape)
        return y.numpy(force=True) if self.numpy else y


def moves_of(x: Any, proposal: Any, who: str) -> Moves:
    """Raises BadInput for particles and proposals that do not fit each other, NumericalFailure where a value
    is not finite.
    """
    numpy = isinstance(x, np.ndarray)
    found = [_tensor(a, name, who) for a, name in ((x, "x"), (proposal, "proposal"))]
    a, b = found
    if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
        said = " and ".join(
            f"{list(t.shape)} {str(t.dtype).removeprefix('torch.')} on {t.device}" for t in found
        )
        raise BadInput(Fault(f"x and its proposal must have one shape, dtype and device; got {said}", who))
    rows, moved = (t.reshape(len(t), -1) for t in found)
    must_be_finite(moved, "the proposal", who)
    return Moves(rows, moved, tuple(a.shape), numpy)


def must_be_finite(rows: Float[Tensor, "n d"], name: str, who: str) -> None:
    """Raises NumericalFailure that names the first particle which is not finite."""
    if not bool(rows.isfinite().all()):
        k = int((~rows.isfinite()).any(1).nonzero()[0, 0])
        raise NumericalFailure(f"{who}: {name} is not finite at particle {k}; use a smaller step in the loop")


def _tensor(a: Any, name: str, who: str) -> Tensor:
    if not isinstance(a, Tensor | np.ndarray):
        raise BadInput(Fault(f"{name} must be a tensor or an array [n, d]; got {type(a).__name__}", who))
    t = torch.from_numpy(np.ascontiguousarray(a)) if isinstance(a, np.ndarray) else a
    if t.ndim < 2 or 0 in t.shape or not t.is_floating_point():
        kind = str(t.dtype).removeprefix("torch.")
        raise BadInput(Fault(f"{name} must be floating rows [n, d]; got {list(t.shape)} of {kind}", who))
    return t
