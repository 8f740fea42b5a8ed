"""Where regions, and all that is built on them, take their arrays from: torch; or the part of it that
`barriers.plain` has over numpy, in a process that only checks a file or counts rows (`lem_safe.plainly`).

The choice is made once per process, before this module is imported.
"""

from typing import TYPE_CHECKING

from barriers.plain.needs import Choice, needing

if TYPE_CHECKING or not Choice.plain:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
    from torch.special import ndtr
else:
    from barriers.plain import functional
    from barriers.plain import modules as nn
    from barriers.plain import namespace as torch
    from barriers.plain.special import ndtr
    from barriers.plain.tensor import Tensor


def needs_torch(what: str) -> None:
    """Begins again with torch, before what only torch can do."""
    if Choice.plain:
        raise needing(what)


__all__ = ["Tensor", "functional", "ndtr", "needs_torch", "nn", "torch"]
