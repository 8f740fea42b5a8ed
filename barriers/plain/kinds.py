"""What numbers a tensor holds, where, and how many."""

import numpy as np

bool_, long, int32, float32, float64 = map(np.dtype, ("bool", "int64", "int32", "float32", "float64"))


class Device(str):
    """Where a tensor is: the processor."""

    type = "cpu"


CPU = Device("cpu")


class Size(tuple[int, ...]):
    """A shape."""

    def numel(self) -> int:
        return int(np.prod(self, dtype=np.int64))
