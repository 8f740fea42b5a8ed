"""The scenarios that come with the package: in a checkout's scenarios/, in an installed wheel's
lem_safe/bundled/. Those of the gallery are in its folder gallery/, with the files that they read in
gallery/data/; a few are programs in Python.

The comment at the beginning of a scenario, or the docstring of a program, says what it shows, its first
sentence in one line; its last line is "Expected verdict: passed." or "Expected verdict: failed."
"""

import ast
import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_EXPECTED = re.compile(r"Expected verdict: (passed|failed)\b")
_SENTENCE = re.compile(r"(?<=[\w)%][.])\s(?=[A-Z])")


def bundled_directory() -> Path:
    """The folder of the bundled scenarios."""
    installed = _PACKAGE / "bundled"
    return installed if installed.is_dir() else _PACKAGE.parent / "scenarios"


def bundled_scenarios() -> dict[str, Path]:
    """The name and file of every bundled scenario, in alphabetical order, those of the gallery last."""
    plain = sorted(bundled_directory().glob("*.yaml"))
    return {path.stem: path for path in (*plain, *_gallery("*.yaml"))}


def bundled_programs() -> dict[str, Path]:
    """The name and file of every program in Python of the gallery."""
    return {path.stem: path for path in _gallery("*.py")}


def first_comment(path: Path) -> str:
    """The description of a bundled scenario: the first comment of its file, on one line, without the expected
    verdict.
    """
    return " ".join(_EXPECTED.split(_beginning(path))[0].split())


def first_sentence(path: Path) -> str:
    """The first sentence of that."""
    return _SENTENCE.split(first_comment(path))[0]


def expected_verdict(path: Path) -> str:
    """`passed` or `failed`, as the beginning of the file says; ValueError where it says neither."""
    found = _EXPECTED.search(_beginning(path))
    if found is None:
        raise ValueError(f"{path}: its first comment must say 'Expected verdict: passed.' or 'failed.'")
    return found[1]


def _gallery(pattern: str) -> list[Path]:
    return sorted((bundled_directory() / "gallery").glob(pattern))


def _beginning(path: Path) -> str:
    """The first comment, or of a program the docstring."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(text)) or ""
    words: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# yaml-language-server"):
            words.append(line.lstrip("# ").strip())
    return " ".join(words)
