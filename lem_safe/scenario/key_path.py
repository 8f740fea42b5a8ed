"""The key of a value in a scenario, as written by people."""

from collections.abc import Sequence

KeyPath = tuple[str | int, ...]


def dotted(path: Sequence[str | int]) -> str:
    """('unsafe', 'pillar', 'center', 0) as unsafe.pillar.center[0]."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text
