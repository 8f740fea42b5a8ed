"""Tables of the pages that are made from results."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Markdown lines; the first column is words, the others numbers."""
    return [
        f"| {' | '.join(head)} |",
        "| --- |" + " --: |" * (len(head) - 1),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
