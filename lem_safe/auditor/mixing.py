"""Whether rows appear independent: an effective number of samples, as a *diagnostic*. No bound and no verdict
uses it.

Batch means: the rows, in file order, are cut into J = 64 to 127 batches of n_j successive rows, k_j of them
inside. If rows are independent, E Σ n_j (k_j/n_j − p)² = (J−1) p(1−p); so τ = Σ n_j (k_j/n_j − p)² /
((J−1) p(1−p)) is the factor by which the variance of a batch is larger, and n_eff = n/max(τ, 1) (A.6). The
batches of one file are of equal size, b = 2^i rows, and what is left at its end belongs to none; those of
several files are joined from such pieces of each file, which can be counted apart. Batches shorter than the
correlation time of a chain make τ too small, so n_eff may be too large and is never a certificate: correlated
rows treated as independent covered 52 to 77 % of the time where 95 % was claimed. [@flegal2010batch]
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

MOST = 128
"""The largest number of batches kept; beyond it neighbours are merged."""
SHORTEST = 8
"""Rows of a batch, at least."""
MANY, PIECES = 64, 16
"""Files from which on less than MOST pieces are kept of each, and how many."""


class Batches:
    """The running batch sums of one indicator, in file order: memory does not grow with the file. most: a
    power of two, the number of batches from which on neighbours are merged.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
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
        while len(self.sums) >= self.most:
            if len(self.sums) % 2:  # the last one becomes the beginning of the incomplete batch
                self._begun, self._begun_rows = self._begun + int(self.sums[-1]), self._begun_rows + self.size
                self.sums = self.sums[:-1]
            self.sums, self.size = self.sums.reshape(-1, 2).sum(1), 2 * self.size

    def effective(self) -> float | None:
        """n_eff; None for fewer than 64 batches of 8 rows, or where all rows agree."""
        return _effective(self.n, np.full(len(self.sums), self.size, dtype=np.int64), self.sums)

    def pieces(self) -> Int64[np.ndarray, "j 2"]:
        """The rows of every batch and how many of them are inside, the incomplete one included."""
        whole = np.stack([np.full(len(self.sums), self.size, dtype=np.int64), self.sums], 1)
        rest = np.array([[self._begun_rows, self._begun]], dtype=np.int64)
        return np.concatenate([whole, rest[: bool(self._begun_rows)]])

    def state(self) -> list[Any]:
        """What there is to store."""
        return [self.size, self.n, self._begun, self._begun_rows, self.sums]

    @classmethod
    def of_state(cls, state: list[Any], most: int) -> "Batches":
        """The batches that were stored."""
        found = cls(most)
        found.size, found.n, found._begun, found._begun_rows = (int(number) for number in state[:4])
        found.sums = state[4]
        return found


class FileBatches:
    """The batches of one indicator in each of `files` files, which may be counted in any order."""

    def __init__(self, files: int = 1) -> None:
        self.files = files
        self.most = MOST if files <= MANY else PIECES
        self.of: dict[int, Batches] = {}

    def add(self, file: int, inside: Bool[np.ndarray, "b"]) -> None:
        """Adds the next rows of one file."""
        if file not in self.of:
            self.of[file] = Batches(self.most)
        self.of[file].add(inside)

    def effective(self) -> float | None:
        """n_eff of all rows, files in their order; None where there are too few, or where all rows agree."""
        if self.files == 1 and len(self.of) == 1:
            return next(iter(self.of.values())).effective()
        pieces = np.concatenate(
            [np.empty((0, 2), dtype=np.int64), *(self.of[file].pieces() for file in sorted(self.of))]
        )
        n = int(pieces[:, 0].sum())
        ends = np.cumsum(pieces[:, 0])
        group = np.maximum(ends - 1, 0) * (MOST - 1) // max(n, 1)  # where the last row of a piece is
        held = np.zeros((MOST - 1, 2), dtype=np.int64)
        np.add.at(held, group, pieces)
        held = held[held[:, 0] > 0]
        return _effective(n, held[:, 0], held[:, 1])

    def plus(self, other: "FileBatches") -> "FileBatches":
        """The batches of both, which are of different files."""
        both = FileBatches(self.files)
        both.of = {**self.of, **other.of}
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        return {"files": self.files, "of": {str(file): self.of[file].state() for file in sorted(self.of)}}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "FileBatches":
        """The batches that were stored."""
        found = cls(int(state["files"]))
        found.of = {int(file): Batches.of_state(own, found.most) for file, own in state["of"].items()}
        return found


def _effective(n: int, rows: Int64[np.ndarray, "j"], held: Int64[np.ndarray, "j"]) -> float | None:
    """n_eff from the rows of each batch and how many of them are inside (A.6)."""
    J = len(rows)
    p = float(held.sum() / rows.sum()) if J else 0.0
    if J < MOST // 2 or rows.sum() < SHORTEST * J or not 0 < p < 1:
        return None
    τ = float((rows * (held / rows - p) ** 2).sum()) / ((J - 1) * p * (1 - p))  # (A.6)
    return n / max(τ, 1.0)
