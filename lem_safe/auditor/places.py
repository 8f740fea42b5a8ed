"""Where rows are: in which file of a data set, and where in it. Rows are numbered within their file, so the
files can be counted in any order, and apart; the number of a row among all follows once all are counted.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt64

from lem_safe.auditor.inside import scrambled

FILE = 1 << 40
"""The number of the first row of the second file; more than the rows of any file."""


def placed(file: int, row: int) -> int:
    """The number of a row, from 0, of a file, from 0, before the rows of the other files are counted.

    >>> placed(0, 7), placed(2, 7) - placed(1, 0) == FILE + 7
    (7, True)
    """
    return file * FILE + row


def file_of(at: int) -> int:
    """The file that a row is in."""
    return at // FILE


class Places:
    """How many rows of every file were counted, in the order of the files, and a digest of them. dropped: how
    many missed a value and were left out, which are not among the others.
    """

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        self.dropped: dict[int, int] = {}
        self.digests: dict[int, int] = {}

    def add(self, at: int, rows: int, dropped: int = 0) -> None:
        """Adds the next rows of a file; the first has the number `at`."""
        file = file_of(at)
        self.rows[file] = self.rows.get(file, 0) + rows
        self.dropped[file] = self.dropped.get(file, 0) + dropped

    def sign(self, at: int, hashes: UInt64[np.ndarray, " b"]) -> None:
        """Adds the hashes of these rows to the digest of their file, each by its number."""
        file, row = file_of(at), at % FILE
        signed = scrambled(hashes ^ scrambled(np.arange(row, row + len(hashes))))
        self.digests[file] = (int(signed.sum(dtype=np.uint64)) + self.digests.get(file, 0)) % 2**64

    @property
    def n(self) -> int:
        """Rows counted."""
        return sum(self.rows.values())

    def number(self, at: int) -> int:
        """The number of a row among all rows, from 0, in the order of the files."""
        return sum(n for file, n in self.rows.items() if file < file_of(at)) + at % FILE

    def plus(self, other: "Places") -> "Places":
        """Those of both; of a file that is in both, the sums."""
        both = Places()
        for mine, own, others in (
            (both.rows, self.rows, other.rows),
            (both.dropped, self.dropped, other.dropped),
            (both.digests, self.digests, other.digests),
        ):
            mine.update({k: (own.get(k, 0) + others.get(k, 0)) % 2**64 for k in sorted({*own, *others})})
        return both

    def state(self) -> dict[str, Any]:
        """What there is to store."""
        return {
            str(file): [self.rows[file], self.dropped[file], str(self.digests.get(file, 0))]
            for file in sorted(self.rows)
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Places":
        """Those that were stored."""
        found = cls()
        for file, (rows, dropped, digest) in state.items():
            found.rows[int(file)], found.dropped[int(file)] = int(rows), int(dropped)
            found.digests[int(file)] = int(digest)
        return found
