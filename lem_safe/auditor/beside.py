"""The facts that lem-safe writes beside a file of rows, FILE.json: whether they are one filtered cloud, or
several, which a table has no place for.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from lem_safe.auditor.dataset import DataFile
from lem_safe.auditor.samples import UNITS, Samples
from lem_safe.data.remote import Remote
from lem_safe.files import sha256_of


def facts_beside(path: Path) -> dict[str, Any]:
    """The facts of the rows in a file; empty where there are none, and where the file is not the one that
    they are about, bit for bit.
    """
    found = _facts(path)
    try:
        return found if found and found.get("sha256") == sha256_of(path) else {}
    except OSError:
        return {}


class Said(NamedTuple):
    """What the facts beside several files say, the most cautious of all: whether the rows of one depend on
    each other, the seeds of all, None for a file without one, and the least share of particles that moved.
    """

    coupled: bool = False
    seeds: frozenset[int | None] = frozenset()
    moved: float | None = None

    def plus(self, other: "Said") -> "Said":
        """What is said of these files and of others."""
        moved = [m for m in (self.moved, other.moved) if m is not None]
        return Said(self.coupled or other.coupled, self.seeds | other.seeds, min(moved, default=None))

    def state(self) -> list[Any]:
        """As it is stored in a part."""
        numbers = sorted(seed for seed in self.seeds if seed is not None)
        return [self.coupled, numbers, None in self.seeds, self.moved]

    @classmethod
    def of_state(cls, stored: Sequence[Any]) -> "Said":
        coupled, numbers, without, moved = stored
        seeds = frozenset([*map(int, numbers), *([None] if without else [])])
        return cls(bool(coupled), seeds, None if moved is None else float(moved))

    def on(self, samples: Samples) -> Samples:
        """The samples with these marks; with a seed where all files have the same."""
        seeds = frozenset(seed for seed in self.seeds if seed is not None)
        seed = next(iter(seeds)) if len(self.seeds) == len(seeds) == 1 else None
        return replace(samples, coupled=self.coupled, seed=seed, seeds=seeds, moved=self.moved)


def said_of(files: Iterable[DataFile]) -> Said:
    """What is said of all these files; of a file that is not on this machine, whatever its content is."""
    found = Said()
    for file in files:
        facts: dict[str, Any] = {}
        if file.marked:
            facts = facts_beside(file.path) if isinstance(file.path, Path) else _facts(file.path)
        found = found.plus(_said(facts))
    return found


def _said(facts: Mapping[str, Any]) -> Said:
    replicas, seed, moved = facts.get("replicas"), facts.get("seed"), facts.get("moved")
    coupled = facts.get("coupled") is True or (isinstance(replicas, int) and replicas > 1)
    return Said(
        coupled,
        frozenset([seed if isinstance(seed, int) else None]),
        float(moved) if isinstance(moved, int | float) else None,
    )


def _facts(path: Path | Remote) -> dict[str, Any]:
    try:
        if isinstance(path, Path):
            text = path.with_name(f"{path.name}.json").read_text(encoding="utf-8")
        else:
            with path.beside(".json").stream() as file:
                text = file.read().decode("utf-8")
        found = json.loads(text)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("file") == path.name else {}


def marked_beside(samples: Samples, path: Path) -> Samples:
    """The samples with the marks of their facts, and with missing cells kept where the rows are said to have
    some; as they are where a column of theirs says it already.
    """
    facts, own = facts_beside(path), samples.rows.columns or ()
    told = {c.get("name") for c in facts.get("columns") or () if isinstance(c, dict)}
    if not facts or any(name in UNITS and name not in told for name in own):
        return samples
    replicas, rows = facts.get("replicas"), facts.get("samples")
    seed, moved = facts.get("seed"), facts.get("moved")
    marked = replace(
        samples,
        coupled=facts.get("coupled") is True,
        seed=seed if isinstance(seed, int) else None,
        moved=float(moved) if isinstance(moved, int | float) else None,
        gaps="keep" if facts.get("missing") == "keep" else samples.gaps,
    )
    if isinstance(replicas, int) and replicas > 1 and isinstance(rows, int) and rows % replicas == 0:
        return replace(marked, unit="cloud", each=rows // replicas)
    return marked
