"""The fingerprint of a resolved scenario: the sha256 of its canonical JSON, with files by content rather than
by name.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from barriers.regular_files import must_be_regular
from barriers.sets.grid_map import companions
from lem_safe.data.parts import in_parts, parts_of


def fingerprint(content: Any) -> str:
    """sha256 of the canonical JSON of plain values, with each Path replaced by the content of its file."""
    text = json.dumps(
        _hashable(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hashable(value: Any) -> Any:
    if isinstance(value, Path) and in_parts(value):
        return {"parts": [{"sha256": _sha256(p.path), "folders": dict(p.folders)} for p in parts_of(value)]}
    if isinstance(value, Path):
        beside = [_sha256(other) for other in companions(value)]
        return {"sha256": _sha256(value)} | ({"with": beside} if beside else {})
    if isinstance(value, Mapping):
        return {key: _hashable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hashable(item) for item in value]
    return value


def _sha256(path: Path) -> str:
    must_be_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
