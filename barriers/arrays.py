"""Where regions and all that is built on them take their arrays from: torch; or, in a process that was
started with LEM_SAFE_ARRAYS=numpy, the part of it that `barriers.plain` has over numpy.

A command that checks a file or counts rows begins so, and begins again with torch where a network, a sampler
or anything else that only torch has is asked for (NeedsTorch). The choice is made once per process.
"""

import os
from typing import TYPE_CHECKING

from barriers.plain.needs import NeedsTorch

VARIABLE = "LEM_SAFE_ARRAYS"
PLAIN = os.environ.get(VARIABLE) == "numpy"
"""Whether this process does without torch."""

if TYPE_CHECKING or not PLAIN:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
    from torch.special import ndtr
else:
    from barriers.plain import functions as functional
    from barriers.plain import modules as nn
    from barriers.plain import namespace as torch
    from barriers.plain.special import ndtr
    from barriers.plain.tensor import Tensor

def needs_torch(what: str) -> None:
    """Begins again with torch, before what only torch can do."""
    if PLAIN:
        raise NeedsTorch(what)


__all__ = ["PLAIN", "VARIABLE", "NeedsTorch", "Tensor", "functional", "ndtr", "needs_torch", "nn", "torch"]
