"""The gallery: every bundled scenario of scenarios/gallery, beside what would be used today on the same
thing.

python -m benchmarks gallery            # all entries, and their pictures
python -m benchmarks gallery:NAME       # one of them
python -m benchmarks.gallery            # the pages and tables, from results.json
"""

from typing import Any

from benchmarks.gallery.entries import ENTRIES

PARTS = tuple(ENTRIES)


def measure(part: str = "") -> list[dict[str, Any]]:
    """The rows of every entry, or of one."""
    names = [part] if part else [name for name, entry in ENTRIES.items() if entry.lacks() is None]
    return [row.written() for name in names for row in ENTRIES[name].measure()]
