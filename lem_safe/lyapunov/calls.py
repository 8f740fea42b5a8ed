"""Every call of torch made in a block, with what it costs in bytes (see `work`)."""

from collections.abc import Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from barriers.arrays import Tensor
from lem_safe.lyapunov.work import CALL, FLOPS


class Calls(TorchDispatchMode):
    """Adds up the work of the calls made under it."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Never: nothing is compiled here, and to skip its compiler torch would import it, in two seconds."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            touched = [
                t
                for t in (*args, *(out if isinstance(out, tuple | list) else [out]))
                if isinstance(t, Tensor)
            ]
            self.total += CALL + max((t.numel() * t.element_size() for t in touched), default=0)
            flops = flop_registry.get(func.overloadpacket)
            self.total += 0.0 if flops is None else flops(*args, **(kwargs or {}), out_val=out) / FLOPS
        return out
