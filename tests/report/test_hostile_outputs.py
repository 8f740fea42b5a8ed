"""One law over every output and a list of hostile names: what is printed holds nothing that is not seen, no
markup and no line that its writer did not write, and still tells the name.
"""

import contextlib
import io
import json
import os
import sys
import threading
from importlib.util import find_spec
from xml.etree import ElementTree

import pytest
from audited import BALL, cloud, scenario

from benchmarks.attack.names import NAMES, fault
from lem_safe.auditor import audit
from lem_safe.auditor.formats import FORMATS
from lem_safe.commands.outcome import complain, say_line, status_of
from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.escaping import in_markdown, on_one_line, to_json
from lem_safe.progress import Bars, Lines
from lem_safe.report.style import svg

TEXTS = list(NAMES.values())


@pytest.fixture(scope="module")
def audits():
    """An audit whose sets have every hostile name and one whose sets have none, over two columns."""
    x = cloud(3, 60)

    def of(names, columns):
        asked = scenario([(name, 0.5) for name in names], dict.fromkeys(names, BALL), columns=columns)
        return audit(x, asked).to_dict()

    tame = [f"set {i}" for i in range(len(TEXTS))]
    return of(TEXTS, (NAMES["line break"], NAMES["colour"])), of(tame, ("a", "b"))


@pytest.mark.parametrize("form", FORMATS)
def test_an_audit_in_every_form(audits, form):
    hostile, tame = (FORMATS[form](found) for found in audits)
    assert fault(hostile, form) is None
    assert hostile.count("\n") == tame.count("\n")
    if form == "json":
        assert json.loads(hostile) == audits[0]
    if form == "junit":
        cases = ElementTree.fromstring(hostile).iter("testcase")
        assert {case.get("name") for case in cases} >= {f"{on_one_line(name)}: bound" for name in TEXTS}


@pytest.mark.parametrize("name", TEXTS, ids=list(NAMES))
def test_a_name_in_markdown_is_text(name):
    from markdown_it import MarkdownIt

    parser = (
        MarkdownIt("gfm-like")
        if _has_linkify()
        else MarkdownIt("commonmark").enable(["table", "strikethrough"])
    )
    shown = in_markdown(name)
    for page in (shown, f"| a | b |\n| - | - |\n| {shown} | 1 |\n", f"- **{shown}**: x"):
        tokens = [t for block in parser.parse(page) for t in (block, *(block.children or ()))]
        assert not {t.type for t in tokens} & {
            "link_open",
            "image",
            "html_inline",
            "html_block",
            "code_inline",
        }
        assert not {t.type for t in tokens} & {"heading_open", "fence", "s_open", "em_open"}
        said = "".join(t.content for t in tokens if t.type in ("text", "text_special"))
        assert on_one_line(name).strip() in said.replace("\u200b", "") + said
    table = parser.parse(f"| a | b |\n| - | - |\n| {shown} | 1 |\n")
    assert sum(t.type == "td_open" for t in table) == 2


def _has_linkify():
    return find_spec("linkify_it") is not None


@pytest.mark.parametrize("name", TEXTS, ids=list(NAMES))
def test_every_line_of_a_terminal_or_a_log(name, capsys):
    say_line(name)
    complain(str(Fault(f"'{name}' is wrong", file=name, line=1, column=3, key=name, source=name)))
    Lines().say(name)
    lines = Lines()
    lines.start(name, 1)
    lines.finish(name)
    assert status_of(lambda: _raised(BadInput(f"'{name}' is wrong"))) == 2
    assert status_of(lambda: _raised(NumericalFailure(name))) == 3
    out, err = capsys.readouterr()
    assert fault(out + err) is None
    assert len(out.splitlines()) == 1 and len(err.splitlines()) == 3 + 1 + 1 + 2


def _raised(error):
    raise error


def test_bars_on_a_terminal_take_no_name_for_markup(monkeypatch):
    """On a terminal of its own: rich's own commands are there, and none of a name's."""
    ours, theirs = os.openpty()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "400")
    shown = b""
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal, contextlib.closing(_Reader(ours)) as reader:
        monkeypatch.setattr(sys, "stderr", terminal)
        with Bars() as bars:
            for name in TEXTS[:-1]:
                bars.start(name, 2)
                bars.update(1, name)
                bars.say(name)
                bars.finish(name)
        terminal.flush()
        shown = reader.read()
    text = shown.decode()
    for label in ("rich markup", "rich markup closed", "rich link", "fractions", "braces"):
        assert NAMES[label] in text, label
    assert (
        "\x1b]" not in text
        and "\u202e" not in text
        and "\x07" not in text
        and "\r" not in text.replace("\r\n", "\n").replace("\r\x1b", "")
    )


class _Reader:
    """Reads a terminal while it is written to, so that its buffer never fills."""

    def __init__(self, handle):
        self.handle, self.found = handle, b""
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self):
        with contextlib.suppress(OSError):
            while part := os.read(self.handle, 65536):
                self.found += part

    def read(self):
        self.thread.join(0.3)
        return self.found

    def close(self):
        os.close(self.handle)


@pytest.mark.parametrize(
    "label", ["fractions", "broken mathematics", "one dollar", "line break", "underscore", "long"]
)
def test_a_name_in_a_picture_is_drawn_as_it_is(label):
    name = NAMES[label]

    def draw(axes):
        axes.plot([0, 1], [0, 1], label=name)
        axes.set_title(name)
        axes.set(xlabel=name, ylabel=name)
        axes.set_yticks([0.5], [name])
        axes.legend([name])
        return axes

    picture = svg(draw)
    assert fault(picture) is None and "\\frac" in picture or "frac" not in name
    assert on_one_line(name)[:40] in picture


def test_json_is_read_back_and_shows_nothing_hidden():
    content = {name: [name, {"a": name}] for name in TEXTS}
    text = to_json(content)
    assert json.loads(text) == content and fault(text, "json") is None
    assert "\U0001f600" in text and io.StringIO(text).read() == text
