"""Words in pictures: every title, label and legend is text, never mathematical markup, and never wider than
its picture.
"""

from typing import TYPE_CHECKING

from lem_safe.escaping import in_lines, on_one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

LONGEST = 60
"""Characters of a label that are drawn."""


def lettered(axes: "Axes") -> "Axes":
    """The same axes, with what is written on them as plain text, cut where it is long."""
    from matplotlib.text import Text

    legend, own = axes.get_legend(), list(axes.texts)
    titles = [text for text in axes.get_children() if isinstance(text, Text) and text not in own]
    for text in (*titles, axes.xaxis.label, axes.yaxis.label, *(legend.get_texts() if legend else ())):
        _plain(text, short(text.get_text()))
    for text in own:
        _plain(text, in_lines(text.get_text()))
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_parse_math(False)  # its words are a number's, or were given to `short`
    return axes


def short(name: object) -> str:
    """A name as pictures show it: on one line, and no longer than there is room for."""
    text = on_one_line(name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def in_legend(name: object) -> str:
    """A name for a legend, which leaves out what begins with an underscore."""
    text = short(name)
    return f" {text}" if text.startswith("_") else text


def _plain(text: "Text", words: str) -> None:
    text.set_parse_math(False)
    text.set_text(words)
