"""The parts of an audit put together: every file of the data set counted once, in any shards and order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lem_safe.auditor.matching import Match
from lem_safe.auditor.part import Part, read_part
from lem_safe.auditor.question import Question
from lem_safe.errors import BadInput, Fault

SHOWN = 3
"""Files or shards that a message names."""


def merged(paths: Sequence[Path], question: Question) -> Part:
    """All parts as one, the counts of one pass over all files; BadInput where the parts are not of one data
    set and one question, where they overlap or a file is missing, and where a unit is in several.
    """
    if not paths:
        raise BadInput(Fault("give the parts that lem-safe audit --shard i/N --out PART has written"))
    whole: Part | None = None
    counted = dict[int, Path]()
    shards = list[str]()
    for path in paths:
        part = read_part(path, question)
        shards.append(part.shard)
        if whole is None:
            whole, first = part, path
        else:
            _must_be_alike(whole, part, first, path)
            _must_be_apart(whole, part, counted, path)
            whole = _added(whole, part)
        counted |= dict.fromkeys(part.names, path)
    assert whole is not None
    _must_be_complete(whole, shards)
    return whole


def _added(whole: Part, part: Part) -> Part:
    """Both; where the data set is called differently, as the part does that has its first file."""
    leader = whole if min(whole.names) < min(part.names) else part
    return replace(
        whole,
        source=leader.source,
        names={**whole.names, **part.names},
        said=whole.said.plus(part.said),
        tallies=whole.tallies.plus(part.tallies),
    )


def must_match(one: Match, other: Match, source: str, first: str) -> None:
    """Refuses counts of other columns than the first ones, or of the same read differently."""
    told: Iterable[tuple[str, Any, Any]] = (
        ("columns", list(one.names), list(other.names)),
        ("units", one.unit, other.unit),
        ("kinds of columns", dict(one.reading.cells.kinds), dict(other.reading.cells.kinds)),
        ("matching of columns", [one.how, one.detail], [other.how, other.detail]),
    )
    for what, mine, its in told:
        if mine != its:
            message = f"has other {what} ({_short(its)}) than {first} ({_short(mine)}), so they do not add"
            raise BadInput(Fault(message, source))


def must_be_whole(one: np.ndarray, other: np.ndarray, unit: str, source: str) -> None:
    """Refuses units, by their numbers, that are in several parts."""
    both = np.intersect1d(one, other)
    if len(both):
        message = (
            f"{unit} {int(both[0])} has rows here and in another part; every {unit} must be counted whole: "
            "write its rows into one file, or use fewer shards"
        )
        raise BadInput(Fault(message, source))


def _must_be_alike(whole: Part, part: Part, first: Path, path: Path) -> None:
    if whole.data != part.data:
        what = "counts another data set (its files have other names or sizes, or there are more or fewer)"
        raise BadInput(Fault(f"{what} than {first}; count again the shards that are older", str(path)))
    for name, option in (("near", "--near"), ("missing", "--missing")):
        if whole.asked[name] != part.asked[name]:
            mine, its = (("not given" if p.asked[name] is None else p.asked[name]) for p in (whole, part))
            message = f"was counted with {option} {its}, and {first} with {mine}; count one of them again"
            raise BadInput(Fault(message, str(path)))
    must_match(whole.match, part.match, str(path), str(first))


def _must_be_apart(whole: Part, part: Part, counted: Mapping[int, Path], path: Path) -> None:
    twice = sorted(set(part.names) & set(counted))
    if twice:
        i = twice[0]
        digests = [each.tallies.places.digests.get(i) for each in (whole, part)]
        changed = "" if digests[0] == digests[1] else ", with other rows: the file has changed"
        other = "it is given twice" if counted[i] == path else f"{counted[i]} counts it too{changed}"
        message = f"counts {part.names[i]}, and {other}; merge each shard once"
        raise BadInput(Fault(message, str(path)))
    units = [each.tallies.repeats.units for each in (whole, part)]
    must_be_whole(units[0], units[1], part.match.unit, str(path))


def _must_be_complete(whole: Part, shards: Sequence[str]) -> None:
    total = int(whole.data["files"])
    missing = sorted(set(range(total)) - set(whole.names))
    if not missing:
        return
    many = f"{len(missing):,} of its {total:,} files {'is' if len(missing) == 1 else 'are'} in no part"
    of = {shard.partition("/")[2] for shard in shards}
    names = ""
    if len(of) == 1:
        n = int(of.pop())
        gone = [f"{k}/{n}" for k in range(1, n + 1) if f"{k}/{n}" not in shards]
        listed = ", ".join(gone[:SHOWN]) + (", ..." if len(gone) > SHOWN else "")
        names = f" (shard{'s' * (len(gone) != 1)} {listed})"
    message = f"{many}{names}; count what is missing with lem-safe audit --shard, then merge all parts"
    raise BadInput(Fault(message, whole.source))


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
