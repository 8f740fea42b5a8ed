"""Tables of the pages that are made from results."""

from collections.abc import Collection, Sequence


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], words: Collection[str] | None = None
) -> list[str]:
    """Markdown lines. words: the heads of the columns that are words, by default the first; the others are
    numbers.
    """
    words = head[:1] if words is None else words
    return [
        f"| {' | '.join(head)} |",
        "| " + " | ".join("---" if name in words else "--:" for name in head) + " |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
