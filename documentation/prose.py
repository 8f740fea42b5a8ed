"""Docstrings of this repository as the Markdown, with sections, that the reference is made of.

They are plain text for a terminal: backticks, lists, doctests, and arguments described in sentences that
begin with their names, `columns: names for samples that carry none`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from inspect import cleandoc

CODE = re.compile(r"(`+[^`]+`+)")
SPECIAL = re.compile(r"([\\*_\[\]|#~])")
ONE = r"\**[A-Za-z_]\w*(?: \([^()]*\))?"
DESCRIBED = re.compile(rf"(?:^|(?<=[.;:)] )|(?<=\n))({ONE}(?:(?:,\s+|\s+and\s+|,\s+and\s+){ONE})*):\s+(?=\S)")
RAISES = re.compile(r"(?:^|(?<=[.])\s+)(?=(?:Raises|Returns) [A-Z`]\w+)")

Linked = Callable[[str], str | None]
"""The identifier of what a piece of code names, if the reference has it."""


def no_link(code: str) -> str | None:
    return None


def escaped(text: str, linked: Linked = no_link) -> str:
    """Text whose only markup is `code`."""
    pieces = CODE.split(text)
    return "".join(_code(p, linked) if k % 2 else _plain(p) for k, p in enumerate(pieces))


def _plain(text: str) -> str:
    return SPECIAL.sub(r"\\\1", text).replace("<", "&lt;").replace(">", "&gt;")


def _code(span: str, linked: Linked) -> str:
    target = linked(span.strip("`"))
    return span if target is None else f"[{span}][{target}]"


def sentence(docstring: str | None) -> str:
    """The first sentence, on one line, as Markdown."""
    first = " ".join(cleandoc(docstring or "").partition("\n\n")[0].split())
    ended = re.split(r"(?<=[.;])\s(?=[A-Z`]|[a-z_]+(?:, [a-z_]+)*: )|;\s", first)[0]
    return escaped(ended if ended.endswith(".") else ended.rstrip(";") + ".")


def sections(
    docstring: str,
    parameters: Sequence[str] = (),
    attributes: Sequence[str] = (),
    said: Mapping[str, str] | None = None,
    linked: Linked = no_link,
) -> str:
    """The docstring with its arguments in a section of their own, as griffe reads Google's style.

    parameters, attributes: the names that can be described; *args and **options with their stars. said: what
    their annotations say of them.
    """
    own = {name.lstrip("*"): name for name in parameters}
    known = [*own, *attributes]
    text: list[str] = []
    errors: list[str] = []
    described: dict[str, str] = {}
    for paragraph in cleandoc(docstring).split("\n\n"):
        before, found, after = _arguments(paragraph, known)
        described |= {name: escaped(" ".join(d.split()), linked) for name, d in found.items()}
        text += [_paragraph(before, linked)] if before.strip() else []
        errors += [_paragraph(after, linked)] if after.strip() else []
    for name, words in (said or {}).items():
        described.setdefault(name, escaped(words, linked))
    for title, names in (("Parameters", own), ("Attributes", {a: a for a in attributes if a not in own})):
        lines = [f"    {shown}: {described[name]}" for name, shown in names.items() if name in described]
        text += ["\n".join([f"{title}:", *lines])] if lines else []
    return "\n\n".join(text + errors)


def _arguments(paragraph: str, known: Sequence[str]) -> tuple[str, dict[str, str], str]:
    """What stands before the descriptions of arguments, these by name, and what is said of errors after
    them.
    """
    if paragraph.startswith((">>>", "- ", "    ")):
        return paragraph, {}, ""
    starts = [m for m in DESCRIBED.finditer(paragraph) if set(_names(m[1])) <= set(known)]
    found: dict[str, str] = {}
    after = ""
    for k, match in enumerate(starts):
        last = k + 1 == len(starts)
        words = paragraph[match.end() : len(paragraph) if last else starts[k + 1].start()]
        words, *errors = RAISES.split(words, maxsplit=1)
        after += "".join(errors)
        for name, remark in _names(match[1]).items():
            found[name] = f"{remark} {words}".strip().rstrip(";")
    return paragraph[: starts[0].start()] if starts else paragraph, found, after


def _names(listed: str) -> dict[str, str]:
    """The arguments of `separator (, ; |) and decimal (. or ,)`, each with its remark."""
    return {
        m[1].lstrip("*"): m[2] or ""
        for m in re.finditer(r"(\**[A-Za-z_]\w*)(?: (\([^()]*\)))?", _joined(listed))
    }


def _joined(listed: str) -> str:
    return re.sub(r"(,\s+and\s+|\s+and\s+)(?![^(]*\))", ", ", listed)


def _paragraph(text: str, linked: Linked) -> str:
    if text.startswith(">>>"):
        return f"```pycon\n{text}\n```"
    if text.startswith("    "):
        return text
    if text.startswith("- "):
        return "\n".join(
            "- " + escaped(line[2:], linked) if line.startswith("- ") else escaped(line, linked)
            for line in text.split("\n")
        )
    return escaped(text, linked)
