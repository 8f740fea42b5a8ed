"""The fingerprint of a resolved scenario: the sha256 of its canonical JSON, with files by content rather than
by name.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from barriers.sets.grid_map import companions
from lem_safe.data.parts import in_parts, parts_of
from lem_safe.files import sha256_of


def fingerprint(content: Any) -> str:
    """sha256 of the canonical JSON of plain values, with each Path replaced by the content of its file."""
    text = json.dumps(
        _hashable(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hashable(value: Any) -> Any:
    if isinstance(value, Path) and in_parts(value):
        return {"parts": [{"sha256": sha256_of(p.path), "folders": dict(p.folders)} for p in parts_of(value)]}
    if isinstance(value, Path):
        beside = [sha256_of(other) for other in companions(value)]
        return {"sha256": sha256_of(value)} | ({"with": beside} if beside else {})
    if isinstance(value, Mapping):
        return {key: _hashable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hashable(item) for item in value]
    return value
