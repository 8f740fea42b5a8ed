"""An audit that grows: the same file with more rows each time, evaluated after each batch with an
anytime-valid guarantee (A.4).

An evaluation stores little: how many rows it saw and their hash, so that the next one can verify that none
changed; each constraint's standing; and the question, so that it cannot change once answers are known.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lem_safe.auditor.samples import Block
from lem_safe.auditor.standing import Standing
from lem_safe.errors import BadInput, Fault
from lem_safe.files import read_text, write_json

FILE = "growth.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Past:
    """The state after all evaluations so far. sha256: the hash of the rows audited, as float64, with their
    units.
    """

    question: Mapping[str, str]
    """What was asked: the scenario's fingerprint, the columns, the unit, the correction."""
    rows: int = 0
    sha256: str = ""
    looks: tuple[Mapping[str, Any], ...] = ()
    """For each evaluation: rows, units, violations and verdict of each constraint."""
    standings: Mapping[str, Standing] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path, question: Mapping[str, str]) -> "Past":
        """The state stored in a directory, a fresh one where there is none; BadInput for another question or
        a damaged file.
        """
        path = directory / FILE
        if not path.exists():
            return cls(question)
        try:
            data = json.loads(read_text(path))
            standings = {name: Standing.from_dict(s) for name, s in data["standings"].items()}
            past = cls(
                dict(data["question"]),
                int(data["rows"]),
                str(data["sha256"]),
                tuple(data["looks"]),
                standings,
            )
            known = data["schema_version"] == SCHEMA_VERSION
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadInput(
                Fault(
                    f"is damaged ({type(error).__name__}); begin the audit again in another --out", str(path)
                )
            ) from None
        if not known:
            raise BadInput(
                Fault(
                    "was written by another version of this program; begin the audit again in another --out",
                    str(path),
                )
            )
        faults = [
            Fault(
                f"{name} was {past.question.get(name)} when this audit began, now it is {asked}; begin "
                "another audit in another --out",
                str(path),
            )
            for name, asked in question.items()
            if past.question.get(name) != asked
        ]
        if faults:
            raise BadInput(faults)
        return past

    def write(self, directory: Path) -> None:
        """Stores the state, atomically."""
        standings = {name: s.to_dict() for name, s in self.standings.items()}
        content = {
            "schema_version": SCHEMA_VERSION,
            "question": dict(self.question),
            "rows": self.rows,
            "sha256": self.sha256,
        }
        write_json(directory / FILE, {**content, "looks": list(self.looks), "standings": standings})

    def then(self, look: Mapping[str, Any], seen: "Seen", standings: Mapping[str, Standing]) -> "Past":
        """The state after one more evaluation; the same one where no row is new."""
        if seen.rows == self.rows:
            return self
        return replace(
            self, rows=seen.rows, sha256=seen.sha256, looks=(*self.looks, look), standings=standings
        )


class Seen:
    """Rows of a pass: hashed, and at the end of the earlier rows compared with the stored hash."""

    def __init__(self, past: Past, source: str):
        self._past, self._source = past, source
        self._hashes = (
            hashlib.sha256(),
            hashlib.sha256(),
        )  # of numbers and of units separately, so that block boundaries do not matter
        self._before: set[int] = set()
        self.rows = 0

    @property
    def sha256(self) -> str:
        return _combined(*self._hashes)

    def passing(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks; BadInput where an earlier row has changed or is gone, or where an audited unit has
        gained rows.
        """
        for block in blocks:
            self._take(block)
            yield block
        if self.rows < self._past.rows:
            message = (
                f"has {self.rows:,} rows where {self._past.rows:,} were audited already; an audit "
                "that grows keeps its rows"
            )
            raise BadInput(Fault(message, self._source))

    def _take(self, block: Block) -> None:
        left = self._past.rows - self.rows
        for part in (slice(None, left), slice(left, None)) if 0 < left < len(block.x) else (slice(None),):
            x, unit = block.x[part], None if block.unit is None else block.unit[part]
            self._hashes[0].update(x.contiguous().numpy().data)
            if unit is not None:
                self._hashes[1].update(unit.astype(np.int64).tobytes())
                self._units({int(u) for u in set(unit.tolist())})
            self.rows += len(x)
            if self.rows == self._past.rows:
                self._compare()

    def _units(self, now: set[int]) -> None:
        if self.rows < self._past.rows:
            self._before |= now
        elif again := now & self._before:
            message = (
                f"unit {min(again)} gained rows after it was audited; each cloud, chain or path is "
                "counted once, when it is whole"
            )
            raise BadInput(Fault(message, self._source))

    def _compare(self) -> None:
        if self.sha256 != self._past.sha256:
            message = (
                f"the first {self._past.rows:,} rows are not those audited before; append new rows, "
                "and begin anew for others"
            )
            raise BadInput(Fault(message, self._source))


def _combined(*hashes: "hashlib._Hash") -> str:
    return hashlib.sha256(b"".join(h.digest() for h in hashes)).hexdigest()
