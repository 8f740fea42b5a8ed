"""Topics as text for a terminal."""

from collections.abc import Mapping, Sequence
from textwrap import fill

from lem_safe.escaping import on_one_line

WIDTH = 110


def in_parts(parts: Mapping[str, Sequence[str]]) -> str:
    """A heading and its paragraphs, indented and wrapped, for each topic."""
    return "\n\n".join(
        "\n".join(
            [
                head,
                *(
                    fill(on_one_line(text), WIDTH, initial_indent="  ", subsequent_indent="  ")
                    for text in texts
                ),
            ]
        )
        for head, texts in parts.items()
    )
