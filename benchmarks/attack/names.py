r"""Hostile names in every place that takes one, to every output: nothing of them may be a command to a
terminal, markup, mathematics or a line of its own.

    for attack in cases():
        command = attack.arguments(folder)      # writes its files into the empty folder
        ... status in attack.allowed, attack.fault(output) is None
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.attack.case import Case, Outcome
from benchmarks.attack.processes import called, command

NAMES = {
    "carriage return": "a\rPASSED",
    "line break": "a\n::error title=x::injected",
    "line separators": "a\u2028b\u2029c\x85d",
    "colour": "\x1b[31mred\x1b[0m",
    "title of the window": "\x1b]0;owned\x07",
    "link of a terminal": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "C1 control": "\x9b31mred",
    "backspaces": "FAILED\b\b\b\b\b\bPASSED",
    "NUL": "a\x00b",
    "half of a character": "a\udcffb",
    "delete": "a\x7fb",
    "right to left": "\u202egnihton\u202c",
    "isolates": "\u2067abc\u2069",
    "zero width": "a\u200bb\u200dc\u2060d\ufeff",
    "soft hyphen": "a\xadb",
    "tags": "a\U000e0041\U000e0042",
    "interlinear": "a\ufff9b\ufffac\ufffb",
    "no character": "a\ufffeb\uffff",
    "rich markup": "[red]x[/red]",
    "rich markup closed": "[/red]",
    "rich link": "[link=http://evil]x[/link] :boom:",
    "fractions": r"$\frac$",
    "one dollar": "5 $ of x_1^2",
    "broken mathematics": r"$\undefined{$ $",
    "braces": "{0} {task.fields} {{x}} %s %(x)s",
    "workflow command": "::error file=a,line=1::x",
    "workflow escapes": "a%0A::error::x%0D%25",
    "old workflow command": "##[error]x",
    "Markdown cell": "a | b || c",
    "Markdown code": "`a` ``b`` ```c",
    "Markdown link": "[x](javascript:alert(1)) ![y](http://evil/p.png)",
    "Markdown address": "http://evil www.evil.org <http://evil> a@evil.org",
    "Markdown mention": "@everyone #1 GH-1",
    "Markdown marks": "**a** _b_ ~~c~~ $d$ &lt; \\",
    "Markdown heading": "# a",
    "Markdown list": "- a",
    "HTML tag": "<img src=x onerror=alert(1)>",
    "HTML script": "</title></style><script>alert(1)</script>",
    "HTML attribute": '" onmouseover=alert(1) x="',
    "HTML attribute, one quote": "' onfocus=alert(1) x='",
    "HTML comment": "--><img src=x onerror=alert(1)><!--",
    "SVG": "<svg/onload=alert(1)>]]>",
    "address of a script": "javascript:alert(1)",
    "entity": "&lt;b&gt; &amp; &#0;",
    "template": "{{ 7*7 }} {% raw %}",
    "CSV cell": 'a,"b',
    "formula": "=1+1",
    "path": "../../etc/passwd",
    "underscore": "_hidden",
    "spaces": "   ",
    "words of YAML": "yes: [no, ~] # x",
    "emoji": "\U0001f600 \u0645\u0631\u062d\u0628\u0627 \u4e2d\u6587",
    "combining": "a\u0300\u0301\u0302\u0303",
    "long": "x" * 1000,
}
"""Names by what is in them; each may be a set's, a column's, and, without NUL and /, a file's."""

REFUSED = frozenset({2})
SEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
"""What no output may hold; the list is not the program's own."""


class Attack(NamedTuple):
    """arguments: writes what is needed into an empty folder, which becomes the current one, and returns the
    command line. allowed: exit statuses. fault: what is wrong with what was printed, in words, or None.
    """

    name: str
    arguments: Callable[[Path], Sequence[str]]
    allowed: frozenset[int]
    fault: Callable[[str], str | None]


def cases() -> Iterator[Attack]:
    """Every hostile name as a set's and a column's in every printed form, and as a file's in every command
    that names it.
    """
    for label, name in NAMES.items():
        done = frozenset({2}) if re.search("[\0\ud800-\udfff]", name) else frozenset({0, 1})
        for form in ("text", "json", "junit", "markdown", "github"):
            yield Attack(
                f"{label}: set and column, {form}",
                partial(audited, name=name, form=form),
                done,
                partial(fault, form=form),
            )
        for what in ("validate", "explain"):
            yield Attack(f"{label}: {what}", partial(read, name=name, what=what), done - {1}, fault)
        yield Attack(f"{label}: run", partial(ran, name=name), done if name.strip() else REFUSED, fault)
        if name.strip() and not set("\x00/") & set(name) and len(name) < 200:
            yield Attack(f"{label}: file", partial(audited_file, name=name), frozenset({0, 1, 2}), fault)
            yield Attack(f"{label}: no such file", partial(absent, name=name), frozenset({2}), fault)


def fault(text: str, form: str = "text") -> str | None:
    """What is wrong with an output."""
    if (found := SEEN.search(text)) is not None:
        return f"holds {found[0]!r}"
    commands = [line for line in text.splitlines() if line.lstrip().startswith("::")]
    if form != "github" and commands:
        return f"begins a line with a workflow command: {commands[0][:80]}"
    if form == "github" and any(not re.match("::(error|notice|warning) title=lem-safe", c) for c in commands):
        return f"has a workflow command of its own: {commands[0][:80]}"
    return "holds an old workflow command" if form != "json" and "##[" in text else None


def scenario(name: str) -> dict[str, Any]:
    """A small scenario with one name for a set and a column."""
    return {
        "version": 1,
        "name": "hostile",
        "columns": [name, "other"],
        "energy": {"kind": "gaussian", "mean": [0, 0], "std": 1},
        "unsafe": {name: {"kind": "ball", "center": [2, 0], "radius": 0.8}},
        "constraints": [{"set": name, "beta": 0.2}],
        "sampler": {"kind": "langevin", "samples": 20, "steps": 3, "step_size": 0.01},
        "filter": {"kind": "gate"},
    }


def audited(folder: Path, name: str, form: str) -> Sequence[str]:
    """An audit of rows by such a scenario."""
    read(folder, name, "audit")
    np.save(folder / "rows.npy", np.random.default_rng(0).normal(size=(30, 2)))
    return ("audit", "rows.npy", "s.yaml", "--format", form)


def read(folder: Path, name: str, what: str) -> Sequence[str]:
    """A command on such a scenario; JSON is YAML, and has an escape for every character."""
    (folder / "s.yaml").write_text(json.dumps(scenario(name)))
    return (what, "s.yaml")


def ran(folder: Path, name: str) -> Sequence[str]:
    """A run of such a scenario, with its progress."""
    return (*read(folder, name, "run"), "--out", "out", "--no-report")


def audited_file(folder: Path, name: str) -> Sequence[str]:
    """An audit of a file of that name."""
    read(folder, "zone", "audit")
    path = f"{name}.npy"
    with open(folder / path, "wb") as file:
        np.save(file, np.random.default_rng(0).normal(size=(30, 2)))
    return ("audit", f"./{path}", "s.yaml")


def absent(folder: Path, name: str) -> Sequence[str]:
    """A scenario that is not there."""
    return ("validate", f"./{name}.yaml")


def family(shared: Path) -> Iterator[Case]:
    """The attacks as cases of the suite."""
    for attack in cases():
        yield Case(
            attack.name,
            partial(_run, attack=attack),
            allowed=attack.allowed,
            holds=partial(_holds, attack=attack),
        )


def _run(folder: Path, attack: Attack) -> Outcome:
    arguments = attack.arguments(folder)
    return called(command(*arguments), folder)


def _holds(folder: Path, outcome: Outcome, attack: Attack) -> str | None:
    return attack.fault(outcome.out) or fault(outcome.err)
