"""Names that are markup stay text, in every page and picture: a page holds the tags and the attributes of its
template and no others.
"""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hostile_pages import PAGES, compared

from benchmarks.attack.names import fault
from lem_safe.escaping import on_one_line
from lem_safe.templates import css

pytestmark = pytest.mark.simulation

QUOTE = '" onmouseover=x y="\r\x1b[31m\u202e$\\frac$[/red]'
TAG = "<img src=x onerror=1>`|\u200b[red]%0A</style>javascript:x\x00"
SHOWN = [on_one_line(name) for name in (QUOTE, TAG)]
UNNAMED = ("badge", "comparison_page", "scenario_table")
"""Where not both names have a place of their own on one line."""


class Markup(HTMLParser):
    """The names of the tags and of the attributes of a page, and its text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.attributes, self.text = set[str](), set[str](), ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def must_be_inert(page: str) -> None:
    found = Markup(page)
    assert not found.tags & {"img", "script"} and not any(name.startswith("on") for name in found.attributes)
    assert fault(page) is None


def test_a_page_without_escapes_would_be_seen():
    for page in (f"<td>{TAG}</td>", f'<td data-label="{QUOTE}">0</td>', "<td>\u202e</td>"):
        with pytest.raises(AssertionError):
            must_be_inert(page)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_tells_the_names_and_takes_them_for_text(name: str, tmp_path: Path):
    page = PAGES[name]((QUOTE, TAG), tmp_path / "made")
    must_be_inert(page)
    assert name in UNNAMED or all(shown in Markup(page).text for shown in SHOWN)
    if "<html" in page:
        assert css() in page, "a style sheet is no text to be escaped"
    if name in ("run", "strange"):
        assert page.count("<svg") > 2


def test_a_comparison_in_words():
    text = str(compared((QUOTE, TAG)))
    assert fault(text) is None and SHOWN[1] in text
    assert text.count("\n") == str(compared(("a", "b"))).count("\n")
