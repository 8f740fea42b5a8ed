r"""Text of a user, such as names and paths, as each kind of output can show it: never as commands to a
terminal, as markup or as lines of its own.

Names reach the outputs as they are and are escaped once, where an output is made. What has no glyph of its
own is written as Python writes it: control characters, line breaks, format characters (zero-width,
bidirectional) and halves of surrogate pairs, for example \x1b, \n, \u202e.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

INVISIBLE = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0"
    r"\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What no output shows as it is: a class of regular expressions."""
_ANY = re.compile(f"[{INVISIBLE}]")
_IN_LINES = re.compile(f"(?!\n)[{INVISIBLE}]")
_COMMAND = re.compile(r"\A\s*:(?=:)|##(?=\[)")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&$])")
_LEADING = re.compile(r"^(\s*)(?:([-+=#])|(\d+)([.)]))(?=[\s=-])")
_ALIVE = re.compile(r"[@#](?=\w)|(?<=[a-zA-Z]):(?=//)|(?<=www)\.|:(?=[\w+-]+:)|(?<=GH)-(?=\d)", re.IGNORECASE)
"""Where a mention, an address, a little picture or an issue's number goes on: a mark of no width ends it."""
_NOTHING = "&#8203;"


def on_one_line(text: object) -> str:
    r"""A name or a sentence without line breaks, for a terminal, a table or a log; a log of GitHub's does not
    take it for a command.

    >>> print(on_one_line("a\r\nb\x1b[31m"), on_one_line("\u202eevil"), on_one_line("::error::no"))
    a\r\nb\x1b[31m \u202eevil \x3a:error::no
    """
    return _COMMAND.sub(
        lambda found: f"{found[0][:-1]}\\x{ord(found[0][-1]):02x}", _ANY.sub(_escaped, str(text))
    )


def in_lines(text: str) -> str:
    r"""Text of several lines, whose line breaks are its writer's: everything else is escaped.

    >>> in_lines("a\nb\r")
    'a\nb\\r'
    """
    return _IN_LINES.sub(_escaped, text)


def each_on_one_line(content: Any) -> Any:
    """The same lists and mappings of plain values, with every string, and every key, on one line."""
    if isinstance(content, str):
        return on_one_line(content)
    if isinstance(content, Mapping):
        return {each_on_one_line(key): each_on_one_line(value) for key, value in content.items()}
    return [each_on_one_line(item) for item in content] if isinstance(content, list | tuple) else content


def to_json(content: Any) -> str:
    """Indented JSON without NaN, which any parser reads back as it was; letters are written as they are, what
    cannot be seen as \\uXXXX.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return _IN_LINES.sub(lambda found: json.dumps(found[0])[1:-1], text)


def in_markdown(text: object) -> str:
    r"""Text on one line of Markdown that is no markup, no address, no mention and no cell's end.

    >>> in_markdown("a|b `c` <img>"), in_markdown("- @you")
    ('a\\|b \\`c\\` \\<img\\>', '\\- @&#8203;you')
    """
    escaped = _MARKDOWN.sub(r"\\\1", on_one_line(text))
    escaped = _LEADING.sub(lambda m: f"{m[1]}\\{m[2]}" if m[2] else f"{m[1]}{m[3]}\\{m[4]}", escaped)
    return _ALIVE.sub(rf"\g<0>{_NOTHING}", escaped)


def in_github_data(text: object) -> str:
    """The text of a workflow command; GitHub shows it as it was."""
    return on_one_line(text).replace("%", "%25")


def in_github_property(text: object) -> str:
    """A property of a workflow command, such as its title."""
    return in_github_data(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(found: re.Match[str]) -> str:
    """One character as Python's own escape."""
    code = ord(found[0])
    if code < 0x100:
        return _SHORT.get(found[0], f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
