"""The pages that are kept as Markdown, as the site shows them.

They are written for a reader of the repository, where lists may follow a paragraph at once, comments mark
what is generated, and the language of a block says what a test does with it.
"""

import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

from documentation import ROOT, reference

WIDEST = 96
"""Characters of a line of prose in a block of output, which cannot be wrapped by a browser."""

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
REFERRED = re.compile(r"(?<![\[`\w])`((?:lem_safe|barriers)(?:\.\w+)+)`(?![\]`])")
"""Code that may be a name of the reference."""

PROGRAMS = {".py", ".ipynb"}

KNOWN = {"python", "yaml", "json", "toml", "text", "bash", "console"}


def assemble(into: Path) -> None:
    """Writes README, CONTRIBUTING, CHANGELOG, the pages and pictures of docs/, and that of scenarios/."""
    for path in sources():
        target = into / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(shown(path.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            shutil.copyfile(path, target)
    (into / "docs" / "decisions" / "README.md").write_text(decisions(), encoding="utf-8")
    listed = into / "scenarios" / "README.md"
    linked = re.sub(r"^\| `(\w+)` \|", r"| [`\1`](\1.md) |", listed.read_text(encoding="utf-8"), flags=re.M)
    listed.write_text(linked, encoding="utf-8")


def sources() -> list[Path]:
    """The files that are shown as they are or as pages."""
    own = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "scenarios/README.md")]
    pages = sorted(path for path in (ROOT / "docs").rglob("*") if path.is_file())
    folders = ("examples", "scenarios/gallery")
    programs = [path for folder in folders for path in (ROOT / folder).glob("*.*") if path.suffix in PROGRAMS]
    return own + pages + sorted(programs)


def shown(text: str) -> str:
    """One page for the site."""
    pieces, end = [], 0
    for block in BLOCK.finditer(text):
        pieces += [_prose(text[end : block.start()]), _block(block[1].strip(), block[2])]
        end = block.end()
    return "".join([*pieces, _prose(text[end:])])


def _prose(text: str) -> str:
    text = re.sub(r"<!--.*?-->\n?", "\n", text, flags=re.S)
    text = REFERRED.sub(_linked, text)
    text = re.sub(r"(\]\((?:[\w./]*/)?decisions)/?\)", r"\1/README.md)", text)
    text = re.sub(r"(\]\([\w./]*scenarios/(?:gallery/)?\w+)\.yaml\)", r"\1.md)", text)
    return re.sub(r"^(?!- |\s|#|$)(.+)\n(?=- )", r"\1\n\n", text, flags=re.M)


def _linked(code: re.Match[str]) -> str:
    target = reference.linked()(code[1])
    return code[0] if target is None else f"[{code[0]}][{target}]"


def _block(said: str, code: str) -> str:
    """A block with an empty line before it, as one that follows another needs, in a known language."""
    first, _, rest = said.partition(" ")
    language = {"shell": "console"}.get(first, first if first in KNOWN else "text")
    if language == "text":
        code = "".join(_wrapped(line) for line in code.splitlines(keepends=True))
    title = rest if rest and "{" not in rest else ""
    return f"\n```{language}" + (f' title="{title}"' if title else "") + f"\n{code}```\n"


def _wrapped(line: str) -> str:
    if len(line) <= WIDEST or not re.search(r"[.:;] \w", line) or re.search(r"   |^[\s$]|  #", line):
        return line
    return textwrap.fill(line.rstrip("\n"), WIDEST, break_long_words=False, break_on_hyphens=False) + "\n"


def decision_titles() -> dict[str, str]:
    """The title of each decision, by the name of its file."""
    files = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    return {path.name: path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for path in files}


def decisions() -> str:
    """The page that lists the decisions."""
    listed = "\n".join(f"- [{title}]({name})" for name, title in decision_titles().items())
    return f"# Decisions\n\nWhy things are as they are.\n\n{listed}\n"


def extended(nav: list[Any], scenario_pages: list[str]) -> list[Any]:
    """The navigation of mkdocs.yml with a page for each decision and each bundled scenario, under theirs."""
    found = {
        "docs/decisions/README.md": [f"docs/decisions/{name}" for name in decision_titles()],
        "scenarios/README.md": [{Path(name).stem: f"scenarios/{name}"} for name in scenario_pages],
    }
    return [_extended(item, found) for item in nav]


def _extended(item: Any, found: dict[str, list[Any]]) -> Any:
    if not isinstance(item, dict):
        return item
    ((title, value),) = item.items()
    if isinstance(value, list):
        return {title: [_extended(inner, found) for inner in value]}
    return {title: [value, *found[value]]} if value in found else item
