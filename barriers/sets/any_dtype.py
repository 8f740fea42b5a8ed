"""A function of rows that computes in a dtype of its own, found out at its first call."""

from collections.abc import Callable
from typing import Any

from barriers.arrays import Tensor, torch

FLOATS = (torch.float64, torch.float32)
"""What is tried, the caller's own dtype first."""


class AnyDtype:
    """`function` over rows of any floating dtype: given as they are, or, where it then fails because its own
    numbers have another dtype, cast to that one from then on. Results are returned as they are.
    """

    def __init__(self, function: Callable[[Tensor], Any]):
        self.function, self.dtype = function, None  # type: Callable[[Tensor], Any], torch.dtype | None

    def __call__(self, x: Tensor) -> Any:
        if self.dtype is not None:
            return self.function(x.to(self.dtype))
        try:
            return self.function(x)
        except RuntimeError as error:
            if not _is_about_dtypes(error):
                raise
            for dtype in FLOATS:
                if dtype != x.dtype and (found := self._tried(x.to(dtype))) is not None:
                    self.dtype = dtype
                    return found
            raise

    def _tried(self, x: Tensor) -> Any:
        try:
            return self.function(x)
        except RuntimeError:
            return None


def name_of(function: Any) -> str:
    """What messages call a function or a module: its own name, or that of its class."""
    name = getattr(function, "__name__", None)
    return str(name) if name else type(function).__name__


def _is_about_dtypes(error: RuntimeError) -> bool:
    text = str(error).lower()
    return "dtype" in text or "scalar type" in text or "same type" in text
