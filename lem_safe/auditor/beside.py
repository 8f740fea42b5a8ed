"""The facts that lem-safe writes beside a file of rows, FILE.json: whether they are one filtered cloud, or
several, which a table has no place for.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

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


def said_coupled(file: DataFile) -> bool:
    """Whether the facts beside a file of several say that its rows are one filtered cloud, or several; of a
    file that is not on this machine, whatever its content is.
    """
    if not file.marked:
        return False
    found = facts_beside(file.path) if isinstance(file.path, Path) else _facts(file.path)
    replicas = found.get("replicas")
    return found.get("coupled") is True or (isinstance(replicas, int) and replicas > 1)


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
