"""The scenarios that come with the package: in a checkout's scenarios/, in an installed wheel's
lem_safe/bundled/.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def bundled_directory() -> Path:
    """The folder of the bundled scenarios."""
    installed = _PACKAGE / "bundled"
    return installed if installed.is_dir() else _PACKAGE.parent / "scenarios"


def bundled_scenarios() -> dict[str, Path]:
    """The name and file of every bundled scenario, in alphabetical order."""
    return {path.stem: path for path in sorted(bundled_directory().glob("*.yaml"))}


def first_comment(path: Path) -> str:
    """The description of a bundled scenario: the first comment of its file, on one line."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# yaml-language-server"):
            words.append(line.lstrip("# ").strip())
    return " ".join(words)
