"""A user's function of rows: called in its own dtype and on its own device, with messages that name it."""

from collections.abc import Callable
from typing import Any, NoReturn

from jaxtyping import Float

from barriers.arrays import Tensor, nn, torch
from barriers.derivatives import transforming
from barriers.sets.any_dtype import AnyDtype, name_of
from lem_safe.errors import BadInput, Fault

FLOATS = (torch.float32, torch.float64)
"""What a run may compute in."""


class Function:
    """`function` of rows [n, d] with results as tensors, in the dtype and on the device of a module's
    parameters, else of the rows.

    role: what it is called in messages, such as `energy`. numpy: whether it takes and returns arrays of
    numpy; None until the first call has found out.
    """

    def __init__(self, function: Callable[[Any], Any], role: str, name: str | None = None):
        self.role, self.name = role, name or name_of(function)
        self.plain, self.function = function, AnyDtype(function)
        self.numpy: bool | None = None
        self.dtype, self.device = _home(function)

    @property
    def title(self) -> str:
        """What messages call it: energy MLP."""
        return f"{self.role} {self.name}"

    def __call__(self, x: Float[Tensor, "n d"]) -> Tensor:
        """The result, with its graph, on the device of the function."""
        if self.numpy:
            return self._in_numpy(x)
        x = x.to(device=self.device or x.device, dtype=self.dtype or x.dtype)
        if self.numpy is not None:
            found: Tensor = self.function(x)
            return found
        try:
            first = self.function(x)
        except Exception as error:
            first = self._tried_in_numpy(x, error)
        self.numpy = not isinstance(first, Tensor)
        return self._in_numpy(x) if self.numpy else first

    def spacing(self, like: Tensor) -> float:
        """The relative rounding of a result: of the dtype it was computed in, else of `like`'s."""
        return float(torch.finfo(self.dtype or self.function.dtype or like.dtype).eps)

    def must_be_plain(self, x: Tensor) -> None:
        """Refuses rows inside a transform of torch.func, where values cannot be examined."""
        if transforming(x):
            self.refuse(
                "is called for the first time inside a transform of torch.func, where it cannot be examined; "
                "call it once on rows before that, as in energy(x)"
            )

    def refuse(self, message: str) -> NoReturn:
        """Raises BadInput that names the function."""
        raise BadInput(Fault(f"{self.title}: {message}"))

    def _in_numpy(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.plain(x.detach().double().cpu().numpy()), device=x.device)

    def _tried_in_numpy(self, x: Tensor, error: Exception) -> Any:
        """What numpy's arrays give; BadInput with the first error where they give nothing either."""
        try:
            return self.plain(x.detach().double().cpu().numpy())
        except Exception:  # its words are about arrays, which the function may never have been for
            what = f"{str(x.dtype).removeprefix('torch.')} rows {list(x.shape)} on {x.device}"
            raise BadInput(
                Fault(
                    f"{self.title}: failed on {what}: {type(error).__name__}: {error}; it is called with "
                    "rows [n, d], one per particle"
                )
            ) from error


def _home(function: Any) -> tuple[torch.dtype | None, torch.device | None]:
    """The dtype and the device of a module's first floating numbers; None of what has none."""
    if not isinstance(function, nn.Module):
        return None, None
    tensors = [t for t in (*function.parameters(), *function.buffers()) if t.is_floating_point()]
    return (tensors[0].dtype, tensors[0].device) if tensors else (None, None)
