"""Where a value stands in a scenario, as a person writes it."""

from collections.abc import Sequence

KeyPath = tuple[str | int, ...]


def dotted(path: Sequence[str | int]) -> str:
    """('unsafe', 'pillar', 'center', 0) as a person writes it: unsafe.pillar.center[0]."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text
