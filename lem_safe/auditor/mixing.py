"""Whether rows appear independent: an effective number of samples, as a *diagnostic*. No bound and no verdict
uses it.

Batch means: the file is cut into 64 to 127 equal batches of b successive rows. If rows are independent, the
variance of a batch's fraction is p(1−p)/b; τ = b·Var(batch fractions)/(p(1−p)) is the factor by which it is
larger, and n_eff = n/max(τ, 1) (A.6). Batches shorter than the correlation time of a chain make τ too small,
so n_eff may be too large and is never a certificate: correlated rows treated as independent covered 52 to 77
% of the time where 95 % was claimed. [@flegal2010batch]
"""

import numpy as np
from jaxtyping import Bool

MOST = 128
"""The largest number of batches kept; beyond it neighbours are merged."""


class Batches:
    """The running batch sums of one indicator, in file order: memory does not grow with the file."""

    def __init__(self) -> None:
        self.size, self.sums, self.n = 1, np.empty(0, dtype=np.int64), 0
        self._begun, self._begun_rows = 0, 0  # the batch that is not yet full

    def add(self, inside: Bool[np.ndarray, "b"]) -> None:
        """Adds the next rows."""
        self.n += len(inside)
        missing = self.size - self._begun_rows
        if len(inside) < missing:
            self._begun, self._begun_rows = (
                self._begun + int(np.count_nonzero(inside)),
                self._begun_rows + len(inside),
            )
            return
        first, rest = self._begun + np.count_nonzero(inside[:missing]), inside[missing:]
        whole = len(rest) // self.size
        full = rest[: whole * self.size].reshape(whole, self.size).sum(1, dtype=np.int64)
        self.sums = np.concatenate([self.sums, [first], full])
        tail = rest[whole * self.size :]
        self._begun, self._begun_rows = int(np.count_nonzero(tail)), len(tail)
        while len(self.sums) >= MOST:
            if len(self.sums) % 2:  # the last one becomes the beginning of the incomplete batch
                self._begun, self._begun_rows = self._begun + int(self.sums[-1]), self._begun_rows + self.size
                self.sums = self.sums[:-1]
            self.sums, self.size = self.sums.reshape(-1, 2).sum(1), 2 * self.size

    def effective(self) -> float | None:
        """n_eff; None for fewer than 64 batches of 8 rows, or where all rows agree."""
        held = self.sums
        p = float(held.sum() / (len(held) * self.size)) if len(held) else 0.0
        if len(held) < MOST // 2 or self.size < 8 or not 0 < p < 1:
            return None
        τ = float(np.var(held / self.size, ddof=1)) * self.size / (p * (1 - p))  # (A.6)
        return self.n / max(τ, 1.0)
