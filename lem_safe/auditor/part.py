"""A part of an audit: the counts of a shard of a data set, as a file that is merged with those of the others.

The file is JSON: what was asked, which files were counted, and the counts (`tallies`), with the sha256 of all
that. It holds some of the rows: the worst, and samples of at most 65,536 of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from barriers.sets import Cells
from barriers.sets.derived import beside
from barriers.tables import Coder
from lem_safe.auditor.beside import Said, said_of
from lem_safe.auditor.counted import kept_of, tallied
from lem_safe.auditor.dataset import Shard
from lem_safe.auditor.matching import Match
from lem_safe.auditor.packed import canonical, digest, packed, unpacked
from lem_safe.auditor.question import Question
from lem_safe.auditor.reading import Reading
from lem_safe.auditor.region_tally import Kept
from lem_safe.auditor.rows import Rows
from lem_safe.auditor.samples import Samples
from lem_safe.auditor.tallies import Tallies
from lem_safe.auditor.unequal import Comparing
from lem_safe.errors import BadInput, Fault
from lem_safe.files import write_text
from lem_safe.inputs import must_be_readable

KIND = "part of an audit"
SCHEMA_VERSION = 2
AGAIN = "count the shard again"


@dataclass(frozen=True)
class Part:
    """The counts of some files of a data set. asked: the scenario's name and fingerprint, `near`, what is
    done with missing values. header: the names of all columns, or how many there are without names. match:
    how columns are matched. data: the sha256 of the names and sizes of all files, and how many there are.
    names: of the files that were counted, by their numbers. said: what the facts beside these files say.
    """

    asked: Mapping[str, Any]
    header: tuple[str, ...] | int
    match: Match
    data: Mapping[str, Any]
    source: str
    shard: str
    names: Mapping[int, str]
    said: Said
    tallies: Tallies

    def samples(self) -> Samples:
        """The samples that were counted, without their rows."""
        names = self.match.names
        rows = Rows(None, len(names), names, lambda chosen, size: iter(()), held_in=self.data["files"])
        return self.said.on(Samples(rows, self.source, gaps=self.asked["missing"]))

    def write(self, path: Path) -> None:
        """Writes the file, completely or not at all."""
        match = self.match
        body = packed(
            {
                "asked": self.asked,
                "header": self.header,
                "match": {name: getattr(match, name) for name in ("names", "how", "unit", "detail")},
                "columns": _columns(match),
                "data": self.data,
                "source": self.source,
                "shard": self.shard,
                "names": self.names,
                "said": self.said.state(),
                "tallies": self.tallies.state(),
            }
        )
        head = {"schema_version": SCHEMA_VERSION, "kind": KIND, "sha256": digest(body)}
        path.parent.mkdir(parents=True, exist_ok=True)
        text = canonical({**head, "body": body}) + "\n"
        write_text(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))  # names that are no UTF-8


def count_part(samples: Samples, question: Question, shard: Shard) -> Part:
    """Counts the files that are read of a data set."""
    match, data = question.match(samples), samples.data
    if data is None:
        raise ValueError("a part is of a data set")
    found = tallied(samples, match, question, show=True)
    return Part(
        asked_of(question, samples),
        samples.rows.width if samples.columns is None else samples.columns,
        bare(match),
        {"sha256": data.sha256, "files": len(data.files)},
        samples.source,
        str(shard),
        {i: data.files[i].name for i in data.chosen},
        said_of(data.files[i] for i in data.chosen),
        found,
    )


def bare(match: Match) -> Match:
    """The match without what was learned of the columns on the way, and without their places in a file."""
    return match._replace(
        order=list(range(len(match.names))),
        unit_column=None,
        reading=_reading(_columns(match), match.names, match.reading.cells.derived),
    )


def asked_of(question: Question, samples: Samples) -> dict[str, Any]:
    """What the counts depend on."""
    scenario = question.scenario
    named = {"scenario": scenario.name, "fingerprint": scenario.fingerprint()}
    return {**named, "near": question.near, "missing": samples.gaps}


def read_part(path: Path, question: Question) -> Part:
    """The part in a file, with the scenario's regions; BadInput where it is damaged, and where it is of the
    audit of another scenario.
    """
    body = _body(path)
    try:
        asked = dict(body["asked"])
        name, fingerprint = str(asked["scenario"]), str(asked["fingerprint"])
        own = question.scenario.fingerprint()
        if fingerprint != own:
            message = (
                f"is a part of an audit against another scenario ('{name}', fingerprint {fingerprint[:12]}; "
                f"this one is '{question.scenario.name}', {own[:12]}); merge it with the scenario it was "
                "counted with, or count the shard again"
            )
            raise BadInput(Fault(message, str(path)))
        return _part(body, asked, replace(question, near=asked["near"]))
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise _damaged(path, type(error).__name__) from error


def _part(body: Mapping[str, Any], asked: Mapping[str, Any], question: Question) -> Part:
    told, data = body["match"], body["data"]
    names = tuple(map(str, told["names"]))
    reading = _reading(body["columns"], names, beside(question.scenario.derived, names))
    match = Match(list(range(len(names))), names, told["how"], told["unit"], None, told["detail"], reading)
    source, shard, said = str(body["source"]), str(body["shard"]), Said.of_state(body["said"])
    empty = Part(asked, _header(body), match, data, source, shard, {}, said, _NONE)
    kept = kept_of(empty.samples(), match, question)
    sets = [c.set for c in question.scenario.constraints]
    comparing = Comparing(match, question.scenario.derived)
    found = Tallies.of_state(body["tallies"], list(dict.fromkeys(sets)), kept, comparing)
    return replace(empty, tallies=found, names={int(i): str(name) for i, name in body["names"].items()})


_NONE = Tallies([], Kept(), {})


def header_of(path: Path) -> tuple[str, ...] | int:
    """The names of all columns of the files that a part counts, or how many there are without names."""
    body = _body(path)
    try:
        return _header(body)
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(path, type(error).__name__) from error


def is_part(path: Path) -> bool:
    """Whether a file is a part, whole or not, by its beginning or its end."""
    try:
        text = path.read_bytes()
    except (OSError, ValueError):
        return False
    return b'"kind":"part of an audit"' in text[-4096:]


def _header(body: Mapping[str, Any]) -> tuple[str, ...] | int:
    header = body["header"]
    return tuple(map(str, header)) if isinstance(header, list) else int(header)


def _columns(match: Match) -> list[list[Any]]:
    """What each column is, as it is stored: its kind, and where it is read by a coder, the texts that rules
    name and whether it may be missing.
    """
    reading = match.reading
    kinds = reading.cells.kinds
    found = []
    for name, i in zip(match.names, match.order, strict=True):
        coder = reading.coders.get(i)
        how = None if coder is None else [coder.kind, sorted(coder.named), coder.gaps]
        found.append([kinds.get(name), how])
    return found


def _reading(stored: list[Any], names: tuple[str, ...], derived: Mapping[str, str]) -> Reading:
    kinds = {name: kind for name, (kind, _) in zip(names, stored, strict=True) if kind is not None}
    coders = {i: Coder(how[0], how[1], how[2]) for i, (_, how) in enumerate(stored) if how is not None}
    cells = Cells(kinds, "known", derived)
    return Reading(cells, names, tuple(range(len(names))), coders)


def _body(path: Path) -> Mapping[str, Any]:
    """What a file holds, unpacked, if it is a part and whole."""
    must_be_readable(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.get("kind") != KIND:
            what = "is no part of an audit; lem-safe audit --shard i/N --out PART writes one"
            raise BadInput(Fault(what, str(path)))
        if found.get("schema_version") != SCHEMA_VERSION:
            what = f"was written by another version of this program; {AGAIN} with this one"
            raise BadInput(Fault(what, str(path)))
        if found["sha256"] != digest(found["body"]):
            raise _damaged(path, "its content is not what was written")
        body: Mapping[str, Any] = unpacked(found["body"])
        return body
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise _damaged(path, type(error).__name__) from error


def _damaged(path: Path, why: str) -> BadInput:
    return BadInput(Fault(f"is damaged ({why}); {AGAIN}", str(path)))
