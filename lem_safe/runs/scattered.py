"""The state of a chain whose particles are in several processes, gathered for a checkpoint and dealt out from
one.

A checkpoint is the same whoever wrote it: rows of all particles, in order. So it is continued by any number
of processes. What has a row for each particle is seen from its shape in process 0, whose part is at least
one block: [n, ...], [c·n, ...] for c copies of the cloud one after the other, or [c, n, ...].
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from barriers.arrays import Tensor, torch
from lem_safe.keys import Part
from lem_safe.processes.wire import Wire
from lem_safe.runs.checkpoint import Arrays, leaves
from lem_safe.samplers import State

NO_ROWS = ".factor"
"""The end of the names of matrices, whose size has nothing to do with the particles."""


class Rows(NamedTuple):
    """An array with a row for each particle. copies: how many numbers of the cloud there are side by side, 0
    where the particles are its first axis; flat: whether copies are one after the other.
    """

    name: str
    copies: int
    flat: bool

    @classmethod
    def of(cls, name: str, shape: Sequence[int], n: int) -> "Rows | None":
        """How an array holds rows of n particles; None where it does not."""
        if name.endswith(NO_ROWS) or not shape:
            return None
        if shape[0] == n:
            return cls(name, 0, False)
        if shape[0] and shape[0] % n == 0:
            return cls(name, shape[0] // n, True)
        return cls(name, shape[0], False) if len(shape) > 1 and shape[1] == n else None

    def first(self, x: Tensor) -> Tensor:
        """The array with the particles as its first axis."""
        if not self.copies:
            return x
        return (x.unflatten(0, (self.copies, -1)) if self.flat else x).transpose(0, 1)

    def back(self, x: Tensor) -> Tensor:
        """The inverse of `first`."""
        if not self.copies:
            return x
        x = x.transpose(0, 1)
        return x.flatten(0, 1) if self.flat else x


class Dealt(NamedTuple):
    """What every process is told of a checkpoint: what is the same for all, and of each array of rows its
    place, the shape of a row and the type.
    """

    same: Arrays
    rows: tuple[tuple[Rows, tuple[int, ...], str], ...]


def gathered(state: State, n: int, wire: Wire) -> Arrays | None:
    """The arrays of the whole state by name, as `snapshot` names them, in process 0; None in the others. n:
    how many particles are here.
    """
    mine = {f"state.{name}": value for name, value in leaves("", state)}
    common = set.intersection(*map(set, _told(sorted(mine), wire)))
    plan = [Rows.of(name, mine[name].shape, n) for name in sorted(common)]
    known = [[*rows] for rows in plan if rows is not None] if wire.rank == 0 else []
    found = {name: value.numpy(force=True) for name, value in mine.items() if name in common}
    for rows in (Rows(*each) for each in _told(known, wire)[0]):
        parts = wire.to_first(rows.first(mine[rows.name]).contiguous())
        if parts is not None:
            found[rows.name] = rows.back(torch.cat(parts)).contiguous().numpy()
    return found if wire.rank == 0 else None


def deal(saved: Arrays, n: int) -> Dealt:
    """What is told of a checkpoint of n particles."""
    found = [(name, Rows.of(name, a.shape, n)) for name, a in saved.items() if name.startswith("state.")]
    rows = [r for _, r in found if r is not None]
    shapes = tuple((r, tuple(_first(r, saved).shape[1:]), str(saved[r.name].dtype)) for r in rows)
    names = {r.name for r in rows}
    return Dealt({name: a for name, a in saved.items() if name not in names}, shapes)


def received(dealt: Dealt, parts: Sequence[Part], wire: Wire, saved: Arrays | None) -> Arrays:
    """This process's part of a checkpoint, which process 0 has."""
    mine, found = parts[wire.rank], dict(dealt.same)
    for rows, shape, dtype in dealt.rows:
        whole = None if saved is None else _first(rows, saved)
        pieces = None if whole is None else [whole[part.rows].contiguous() for part in parts]
        like = torch.empty(len(mine), *shape, dtype=torch.from_numpy(np.empty(0, dtype)).dtype)
        found[rows.name] = rows.back(wire.from_first(pieces, like)).contiguous().numpy()
    return found


def _first(rows: Rows, saved: Arrays) -> Tensor:
    return rows.first(torch.from_numpy(saved[rows.name]))


def _told(word: Any, wire: Wire) -> list[Any]:
    """What each process says, in JSON."""
    sent = torch.frombuffer(bytearray(json.dumps(word).encode()), dtype=torch.uint8)
    return [json.loads(bytes(part.tolist())) for part in wire.every(sent)]
